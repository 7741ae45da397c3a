"""Models whose signatures a scaffold must fit, each a few nodes that onnxruntime runs."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from unit.local.kit import model, row_sum, value

FLOAT, INT64, BOOL, STRING, UINT8 = (
    TensorProto.FLOAT,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
    TensorProto.UINT8,
)


def classifier(classes: int) -> onnx.ModelProto:
    """x [N, 4] → label [N] (int64), probabilities [N, classes], as scikit-learn's exporters give."""
    weights = helper.make_tensor("w", FLOAT, [4, classes], [0.1 * i for i in range(4 * classes)])
    return model(
        [
            helper.make_node("MatMul", ["x", "w"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
        ],
        [value("x", FLOAT, [None, 4])],
        [value("label", INT64, [None]), value("probabilities", FLOAT, [None, classes])],
        weights=[weights],
    )


def logits() -> onnx.ModelProto:
    """x [N, 4] → logits [N, 10], no label."""
    weights = helper.make_tensor("w", FLOAT, [4, 10], [0.1] * 40)
    return model(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])],
        [value("x", FLOAT, ["N", 4])],
        [value("logits", FLOAT, ["N", 10])],
        weights=[weights],
    )


def several_inputs() -> onnx.ModelProto:
    """Inputs of four types [N, 1], one of them called as a word of SQL; their names need care."""
    return model(
        [
            helper.make_node("Cast", ["count"], ["a"], to=FLOAT),
            helper.make_node("Cast", ["is active"], ["b"], to=FLOAT),
            helper.make_node("Add", ["a", "b"], ["c"]),
            helper.make_node("Add", ["c", "balance:0"], ["score"]),
            helper.make_node("Identity", ["country"], ["country_out"]),
        ],
        [
            value("count", INT64, [None, 1]),
            value("is active", BOOL, [None, 1]),
            value("balance:0", FLOAT, [None, 1]),
            value("country", STRING, [None, 1]),
        ],
        [value("score", FLOAT, [None, 1]), value("country_out", STRING, [None, 1])],
    )


def image() -> onnx.ModelProto:
    """pixels [N, 1, 8, 8] → scores [N, 64]."""
    shape = helper.make_tensor("shape", INT64, [2], [-1, 64])
    return model(
        [helper.make_node("Reshape", ["pixels", "shape"], ["scores"])],
        [value("pixels", FLOAT, ["N", 1, 8, 8])],
        [value("scores", FLOAT, ["N", 64])],
        weights=[shape],
    )


def free_image() -> onnx.ModelProto:
    """pixels [N, 1, H, W] (uint8) → mean [N, 1, 1, 1]."""
    return model(
        [
            helper.make_node("Cast", ["pixels"], ["f"], to=FLOAT),
            helper.make_node("GlobalAveragePool", ["f"], ["mean"]),
        ],
        [value("pixels", UINT8, ["N", 1, "H", "W"])],
        [value("mean", FLOAT, ["N", 1, 1, 1])],
    )


def recurrent() -> onnx.ModelProto:
    """x [N, 3], h [N, 3], rate [] → y [N, 1], hn [N, 3]."""
    axes = helper.make_tensor("axes", INT64, [1], [1])
    return model(
        [
            helper.make_node("Mul", ["h", "rate"], ["old"]),
            helper.make_node("Add", ["x", "old"], ["hn"]),
            helper.make_node("ReduceSum", ["hn", "axes"], ["y"], keepdims=1),
        ],
        [value("x", FLOAT, ["N", 3]), value("h", FLOAT, ["N", 3]), value("rate", FLOAT, [])],
        [value("y", FLOAT, ["N", 1]), value("hn", FLOAT, ["N", 3])],
        weights=[axes],
    )


def wide() -> onnx.ModelProto:
    """x [N, 784] → total [N, 1]."""
    return row_sum(784)


def tokens() -> onnx.ModelProto:
    """ids [N, L], mask [N, L] (int64) → kept [N, L]."""
    return model(
        [helper.make_node("Mul", ["ids", "mask"], ["kept"])],
        [value("ids", INT64, ["N", "L"]), value("mask", INT64, ["N", "L"])],
        [value("kept", INT64, ["N", "L"])],
    )


def unshaped() -> onnx.ModelProto:
    """x [N, 3] → an output of which the model says no shape at all."""
    return model([helper.make_node("Identity", ["x"], ["y"])], [value("x", FLOAT, ["N", 3])], [value("y", FLOAT, None)])


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "a sum of three features": row_sum,
    "a binary classifier": lambda: classifier(2),
    "a classifier of five": lambda: classifier(5),
    "logits without a label": logits,
    "several inputs of several types": several_inputs,
    "an image of fixed size": image,
    "an image of free size": free_image,
    "a recurrent model with a rate": recurrent,
    "784 features": wide,
    "token ids": tokens,
    "an output without a shape": unshaped,
    "any number of features": lambda: row_sum(None),
}
