"""Small ONNX models made node by node, each for one thing that a test wants to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
    weights: Mapping[str, np.ndarray[Any, Any]] | None = None,
) -> Path:
    """Write a checked model of these nodes; a dimension with a name, or None, is free."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(n, t, list(s)) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, list(s)) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(v, n) for n, v in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def linear(path: Path, *, width: int = 2, scale: float = 1.0, batch: int | str = "N") -> Path:
    """``y [N, 1] = scale * sum(x [N, width])``."""
    weights = {"w": np.full((width, 1), scale, dtype=np.float32)}
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return save(path, [node], {"x": (FLOAT, [batch, width])}, {"y": (FLOAT, [batch, 1])}, weights)


def lookup(path: Path, *, table: Sequence[float] = (10.0, 11.0, 12.0, 13.0)) -> Path:
    """``y [N] = table[i [N]]``; onnxruntime refuses a batch that holds an index outside of the table."""
    node = helper.make_node("Gather", ["table", "i"], ["y"], axis=0)
    weights = {"table": np.asarray(table, dtype=np.float32)}
    return save(path, [node], {"i": (INT64, ["N"])}, {"y": (FLOAT, ["N"])}, weights)


def classifier(path: Path, *, width: int = 3) -> Path:
    """``scores [N, width] = softmax(x [N, width])``."""
    node = helper.make_node("Softmax", ["x"], ["scores"], axis=-1)
    return save(path, [node], {"x": (FLOAT, ["N", width])}, {"scores": (FLOAT, ["N", width])})


def accumulator(path: Path, *, width: int = 2, scale: float = 1.0) -> Path:
    """Recurrent, one record at a time: ``hn [1, width] = 0.5 h + scale x``, ``total [1, 1] = sum(hn)``, ``seen = hn``."""
    nodes = [
        helper.make_node("Mul", ["h", "half"], ["kept"]),
        helper.make_node("Mul", ["x", "scale"], ["added"]),
        helper.make_node("Add", ["kept", "added"], ["hn"]),
        helper.make_node("ReduceSum", ["hn", "axis"], ["total"], keepdims=1),
        helper.make_node("Identity", ["hn"], ["seen"]),
    ]
    weights: dict[str, Any] = {
        "half": np.asarray(0.5, np.float32),
        "scale": np.asarray(scale, np.float32),
        "axis": np.asarray([1], np.int64),
    }
    return save(
        path,
        nodes,
        {"x": (FLOAT, [1, width]), "h": (FLOAT, [1, width])},
        {"total": (FLOAT, [1, 1]), "hn": (FLOAT, [1, width]), "seen": (FLOAT, [1, width])},
        weights,
    )


def wide_inputs(path: Path) -> Path:
    """Many inputs by name: a vector, bytes, a string and a matrix; outputs of every kind of column.

    ``v [N, 3]`` float, ``m [N, 2, 2]`` float, ``n [N, 1]`` int8, ``s [N, 1]`` string, ``b [N, 1]`` bool. Outputs: ``sum
    [N, 1]``, ``twice [N, 3]``, ``flat [N, 2, 2]``, ``text [N, 1]``, ``small [N, 1]``, ``yes [N, 1]``.
    """
    nodes = [
        helper.make_node("ReduceSum", ["v", "axis"], ["sum"], keepdims=1),
        helper.make_node("Add", ["v", "v"], ["twice"]),
        helper.make_node("Identity", ["m"], ["flat"]),
        helper.make_node("Identity", ["s"], ["text"]),
        helper.make_node("Identity", ["n"], ["small"]),
        helper.make_node("Not", ["b"], ["yes"]),
    ]
    kinds = TensorProto
    return save(
        path,
        nodes,
        {
            "v": (FLOAT, ["N", 3]),
            "m": (FLOAT, ["N", 2, 2]),
            "n": (kinds.INT8, ["N", 1]),
            "s": (kinds.STRING, ["N", 1]),
            "b": (kinds.BOOL, ["N", 1]),
        },
        {
            "sum": (FLOAT, ["N", 1]),
            "twice": (FLOAT, ["N", 3]),
            "flat": (FLOAT, ["N", 2, 2]),
            "text": (kinds.STRING, ["N", 1]),
            "small": (kinds.INT8, ["N", 1]),
            "yes": (kinds.BOOL, ["N", 1]),
        },
        {"axis": np.asarray([1], np.int64)},
    )


def picky(path: Path) -> Path:
    """One row can be wrong in every way: ``y [N] = table[i [N]] + n [N] + sum(v [N, 3])``, ``twice [N, 3] = 2 v``.

    ``i``: int64, from -4 to 3, everything else onnxruntime refuses; ``n``: int8; ``v``: float. ``table``: 100, 200, 300, 400.
    """
    kinds = TensorProto
    nodes = [
        helper.make_node("Gather", ["table", "i"], ["found"], axis=0),
        helper.make_node("Cast", ["n"], ["small"], to=kinds.FLOAT),
        helper.make_node("ReduceSum", ["v", "axis"], ["total"], keepdims=0),
        helper.make_node("Sum", ["found", "small", "total"], ["y"]),
        helper.make_node("Add", ["v", "v"], ["twice"]),
    ]
    weights: dict[str, Any] = {"table": np.asarray([100, 200, 300, 400], np.float32), "axis": np.asarray([1], np.int64)}
    return save(
        path,
        nodes,
        {"i": (INT64, ["N"]), "n": (kinds.INT8, ["N"]), "v": (FLOAT, ["N", 3])},
        {"y": (FLOAT, ["N"]), "twice": (FLOAT, ["N", 3])},
        weights,
    )
