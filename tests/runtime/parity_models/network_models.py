"""Networks put together node by node: what scikit-learn does not make (fixed batches, images, half precision, memory).

Called by ``make.py``. Weights are seeded random numbers: a parity test asks for the same answers, not for good ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from making import ROWS, Draft
from onnx import NodeProto, TensorProto, helper, numpy_helper
from parity_case import StateTensor

SEED = 9
Shape = Sequence[int | str]


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random float32 of about unit gain."""
    return (rng.normal(size=shape) / np.sqrt(max(shape[-1], 1))).astype(np.float32)


def write(
    folder: Path,
    nodes: list[NodeProto],
    inputs: dict[str, tuple[int, Shape]],
    outputs: dict[str, tuple[int, Shape]],
    constants: dict[str, np.ndarray],
    *,
    external: bool = False,
) -> None:
    """Check and save a graph; with ``external``, its weights go to ``weights.bin`` beside it."""
    graph = helper.make_graph(
        nodes,
        "parity",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0} if external else {}
    (folder / "weights.bin").unlink(missing_ok=True)
    onnx.save(model, folder / "model.onnx", **options)


def array_rows(name: str, values: np.ndarray) -> tuple[dict[str, np.ndarray], ...]:
    """One array column, flat, from ``values`` [n, ...]."""
    return tuple({name: value.ravel()} for value in values)


def convolution(batch: int) -> Callable[[Path], Draft]:
    """A small CNN over [batch, 1, 8, 8] with a fixed batch dimension, fed by one flat ARRAY column."""

    def make(folder: Path) -> Draft:
        rng = np.random.default_rng(SEED)
        nodes = [
            helper.make_node("Conv", ["image", "kernel", "bias"], ["edges"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["edges"], ["lit"]),
            helper.make_node("MaxPool", ["lit"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "dense", "offset"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
        ]
        constants = {"kernel": weights(rng, 4, 1, 3, 3), "bias": weights(rng, 4)}
        constants |= {"dense": weights(rng, 64, 10), "offset": weights(rng, 10)}
        ins, outs = {"image": (TensorProto.FLOAT, (batch, 1, 8, 8))}, {"scores": (TensorProto.FLOAT, (batch, 10))}
        write(folder, nodes, ins, outs, constants)
        images = rng.random((ROWS, 1, 8, 8)).astype(np.float32)
        outputs = (("best", "argmax(scores)"), ("scores", "scores"))
        rows = array_rows("image", images)
        return Draft((("image", "ARRAY<FLOAT>"),), outputs, rows, {"image": images}, fixed_batch=batch)

    return make


def uint8_image(folder: Path) -> Draft:
    """Pixels as they come, uint8 [n, 6, 6, 3] from a BYTES column, brought to floats inside the graph."""
    rng = np.random.default_rng(SEED)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "white"], ["light"]),
        helper.make_node("ReduceMean", ["light"], ["colour"], axes=[1, 2], keepdims=0),
    ]
    ins, outs = {"pixels": (TensorProto.UINT8, ("n", 6, 6, 3))}, {"colour": (TensorProto.FLOAT, ("n", 3))}
    write(folder, nodes, ins, outs, {"white": np.array(255, dtype=np.float32)})
    pixels = rng.integers(0, 256, (ROWS, 6, 6, 3), dtype=np.uint8)
    rows = tuple({"pixels": image.tobytes()} for image in pixels)
    return Draft((("pixels", "BYTES"),), (("colour", "colour"),), rows, {"pixels": pixels})


def perceptron(kind: int, *, external: bool = False) -> Callable[[Path], Draft]:
    """Two layers over twelve columns in float16 or float32, with the weights in the file or beside it."""

    def make(folder: Path) -> Draft:
        rng = np.random.default_rng(SEED)
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        nodes = [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h1"]),
            helper.make_node("Tanh", ["h1"], ["h2"]),
            helper.make_node("Gemm", ["h2", "w2", "b2"], ["h3"]),
            helper.make_node("Sigmoid", ["h3"], ["y"]),
        ]
        constants = {"w1": weights(rng, 12, 6), "b1": weights(rng, 6), "w2": weights(rng, 6, 1), "b2": weights(rng, 1)}
        typed = {name: value.astype(dtype) for name, value in constants.items()}
        write(folder, nodes, {"x": (kind, ("n", 12))}, {"y": (kind, ("n", 1))}, typed, external=external)
        data = rng.normal(size=(ROWS, 12)).astype(dtype)
        names = tuple(f"c{at}" for at in range(12))
        rows = tuple(dict(zip(names, row.astype(np.float32), strict=True)) for row in data)
        columns = tuple((name, "FLOAT") for name in names)
        return Draft(columns, (("y", "y"), ("likely", "threshold(y, 0.5)")), rows, {"x": data}, {"x": names})

    return make


def embedding(folder: Path) -> Draft:
    """Three item numbers (int64), looked up in a table, summed, scored; a scalar constant sets the temperature."""
    rng = np.random.default_rng(SEED)
    nodes = [
        helper.make_node("Gather", ["table", "items"], ["vectors"], axis=0),
        helper.make_node("ReduceSum", ["vectors", "middle"], ["summed"], keepdims=0),
        helper.make_node("Gemm", ["summed", "w"], ["raw"]),
        helper.make_node("Div", ["raw", "temperature"], ["logits"]),
    ]
    ins = {"items": (TensorProto.INT64, ("n", 3)), "temperature": (TensorProto.FLOAT, ())}
    constants = {"table": weights(rng, 50, 8), "middle": np.array([1], dtype=np.int64), "w": weights(rng, 8, 5)}
    write(folder, nodes, ins, {"logits": (TensorProto.FLOAT, ("n", 5))}, constants)
    items = rng.integers(0, 50, (ROWS, 3))
    names = ("first_item", "second_item", "third_item")
    rows = tuple(dict(zip(names, row, strict=True)) for row in items)
    columns = ((names[0], "BIGINT"), (names[1], "INT"), (names[2], "SMALLINT"))
    outputs = (("choice", "argmax(logits)"), ("chances", "softmax(logits)"))
    return Draft(columns, outputs, rows, {"items": items}, {"items": names}, {"temperature": 0.5})


def lstm(folder: Path) -> Draft:
    """One LSTM step a row; both memories go in and come out, and seven keys are interleaved."""
    rng = np.random.default_rng(SEED)
    hidden = 16
    nodes = [
        helper.make_node("Unsqueeze", ["x", "front"], ["sequence"]),
        helper.make_node("LSTM", ["sequence", "w", "r", "b", "", "h", "c"], ["", "hn", "cn"], hidden_size=hidden),
        helper.make_node("Squeeze", ["hn", "front"], ["last"]),
        helper.make_node("Gemm", ["last", "dense"], ["raw"]),
        helper.make_node("Sigmoid", ["raw"], ["y"]),
    ]
    memory: Shape = (1, "n", hidden)
    ins = {"x": (TensorProto.FLOAT, ("n", 4)), "h": (TensorProto.FLOAT, memory), "c": (TensorProto.FLOAT, memory)}
    outs = {"y": (TensorProto.FLOAT, ("n", 1)), "hn": (TensorProto.FLOAT, memory), "cn": (TensorProto.FLOAT, memory)}
    constants = {"front": np.array([0], dtype=np.int64), "w": weights(rng, 1, 4 * hidden, 4)}
    constants |= {
        "r": weights(rng, 1, 4 * hidden, hidden),
        "b": weights(rng, 1, 8 * hidden),
        "dense": weights(rng, hidden, 1),
    }
    write(folder, nodes, ins, outs, constants)
    data = rng.normal(size=(ROWS, 4)).astype(np.float32)
    names = tuple(f"c{at}" for at in range(4))
    rows = tuple(dict(zip(names, row, strict=True)) for row in data)
    state = (StateTensor("h", "hn", (1, 1, hidden)), StateTensor("c", "cn", (1, 1, hidden), 0.25))
    keys = tuple(int(key) for key in rng.integers(0, 7, ROWS))
    columns = tuple((name, "FLOAT") for name in names)
    return Draft(columns, (("y", "y"),), rows, {"x": data}, {"x": names}, state=state, keys=keys)


MAKERS: dict[str, Callable[[Path], Draft]] = {
    "cnn_batch_1": convolution(1),
    "cnn_batch_8": convolution(8),
    "uint8_image": uint8_image,
    "float16_mlp": perceptron(TensorProto.FLOAT16),
    "external_data_mlp": perceptron(TensorProto.FLOAT, external=True),
    "embedding": embedding,
    "lstm_state": lstm,
}
"""Every model of this kind, by its case's name."""
