"""Small real models whose answers can be computed beside the cluster, one that no onnxruntime can load, and one that fails at records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

Floats = npt.NDArray[np.float32]
FEATURES = ("a", "b", "c", "d")


def classifier(path: Path, seed: int) -> Path:
    """``probability [N, 1]`` of ``features [N, 4]``: two layers with weights of ``seed``."""
    chance = np.random.default_rng(seed)
    weights = {
        "w1": chance.normal(size=(4, 8)), "b1": chance.normal(size=8),
        "w2": chance.normal(size=(8, 1)), "b2": chance.normal(size=1),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    return _save(path, nodes, TensorProto.FLOAT, {name: w.astype(np.float32) for name, w in weights.items()})


def unloadable(path: Path) -> Path:
    """Well formed, every operator known, and without a kernel for its types: only loading it tells."""
    nodes = [
        helper.make_node("Cast", ["features"], ["whole"], to=TensorProto.INT32),
        helper.make_node("Gemm", ["whole", "w"], ["product"]),
        helper.make_node("Cast", ["product"], ["probability"], to=TensorProto.FLOAT),
    ]
    return _save(path, nodes, TensorProto.FLOAT, {"w": np.ones((4, 1), dtype=np.int32)})


def refusing(path: Path) -> Path:
    """Answers where its first feature is 0, as in the test of the start, and refuses any record whose first feature is not."""
    nodes = [
        helper.make_node("Slice", ["features", "zero", "one", "one"], ["first"]),
        helper.make_node("Ceil", ["first"], ["up"]),
        helper.make_node("Floor", ["first"], ["down"]),
        helper.make_node("Sub", ["up", "down"], ["odd"]),
        helper.make_node("Mul", ["odd", "far"], ["place"]),
        helper.make_node("Cast", ["place"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["found"], axis=0),
        helper.make_node("Reshape", ["found", "column"], ["probability"]),
    ]
    weights: dict[str, npt.NDArray[np.generic]] = {
        "zero": np.array([0], dtype=np.int64), "one": np.array([1], dtype=np.int64),
        "far": np.array([1000], dtype=np.float32), "table": np.array([0.5], dtype=np.float32),
        "column": np.array([-1, 1], dtype=np.int64),
    }  # fmt: skip
    return _save(path, nodes, TensorProto.FLOAT, weights)


def features(ids: npt.NDArray[np.int64]) -> Floats:
    """The features ``[N, 4]`` of records by id: the same wherever they are computed, different for each id."""
    grid = ids[:, None] * np.array([1, 7, 31, 127], dtype=np.int64) % 1009
    return (grid / np.float32(504.5) - np.float32(1)).astype(np.float32)


def answers(model: Path, ids: npt.NDArray[np.int64]) -> Floats:
    """What plain onnxruntime says, ``[N]``."""
    session = InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"features": features(ids)})
    return np.asarray(found, dtype=np.float32).reshape(-1)


def _save(path: Path, nodes: list[onnx.NodeProto], kind: int, weights: dict[str, npt.NDArray[np.generic]]) -> Path:
    graph = helper.make_graph(
        nodes,
        "e2e",
        [helper.make_tensor_value_info("features", kind, ["N", 4])],
        [helper.make_tensor_value_info("probability", kind, ["N", 1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
