"""How ONNX element types, numpy dtypes and SQL types correspond.

Source: the ONNX ``TensorProto.DataType`` names as onnxruntime spells them (``tensor(float)``), Flink SQL's types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ORT_TO_NUMPY: dict[str, npt.DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}

_OUTPUT_SQL: dict[str, str] = {
    "float16": "FLOAT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "uint8": "SMALLINT",
    "uint16": "INT",
    "uint32": "BIGINT",
    "uint64": "BIGINT",
    "bool": "BOOLEAN",
    "object": "STRING",
}

_CARRIER: dict[str, type] = {
    "float16": np.float32,
    "uint8": np.int16,
    "uint16": np.int32,
    "uint32": np.int64,
    "uint64": np.int64,
}

_INTEGER_RANK = {"TINYINT": 1, "SMALLINT": 2, "INTEGER": 4, "BIGINT": 8}
_NUMERIC = {*_INTEGER_RANK, "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class Feed:
    """How one scalar SQL value becomes one element of a tensor: the SQL cast, and whether numpy must check the range."""

    sql_type: str
    zero: str
    check_range: bool


def output_sql_type(dtype: np.dtype) -> str:
    """The SQL type of one output element; unsigned integers widen, float16 becomes FLOAT."""
    return _OUTPUT_SQL[dtype.name if dtype.kind not in "OSUT" else "object"]


def to_output_carrier(values: np.ndarray) -> np.ndarray:
    """Output values in a dtype that Arrow and Flink both carry, same shape."""
    target = _CARRIER.get(values.dtype.name)
    return values.astype(target) if target is not None else values


def plan_feed(dtype: np.dtype, root: str) -> Feed | None:
    """How a column of the SQL type root ``root`` feeds a tensor of ``dtype``; None where it would lose meaning.

    Any number or boolean feeds a float tensor; only integers and booleans feed an integer tensor; strings feed string
    tensors; booleans feed boolean tensors. What does not fit an integer or a float16 becomes a dead letter, nothing wraps.
    """
    if dtype.kind == "O":
        return Feed("STRING", "''", False) if root in {"CHAR", "VARCHAR"} else None
    if dtype.kind == "b":
        return Feed("BOOLEAN", "FALSE", False) if root == "BOOLEAN" else None
    if dtype.kind == "f":
        if root not in _NUMERIC:
            return None
        return Feed("DOUBLE" if dtype.itemsize == 8 else "FLOAT", "0", dtype.itemsize == 2)
    if root == "BOOLEAN":
        return Feed("TINYINT", "0", False)
    if root not in _INTEGER_RANK:
        return None
    fits = _INTEGER_RANK[root] < dtype.itemsize or (_INTEGER_RANK[root] == dtype.itemsize and dtype.kind == "i")
    return Feed("INT" if root == "INTEGER" else root, "0", not fits or dtype.kind == "u")
