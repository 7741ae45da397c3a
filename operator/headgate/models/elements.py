"""Element types and value types of ONNX, named as numpy names them.

Called by the reader. ``describe`` turns a ``ValueInfoProto`` into a :class:`~headgate.models.signature.TensorInfo`.
The numbers are those of ``TensorProto.DataType`` in onnx.proto.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto

from headgate.models.signature import Dimension, TensorInfo

UNSTATED = "unknown(0)"
"""The dtype of a value whose type the model does not state."""

_NUMPY_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}

SERVABLE = frozenset(
    {"float16", "float32", "float64", "bool", "string"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""Element types that columns can be made into and from."""

_BITS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64, "bool": 8, "complex64": 64, "complex128": 128}


def dtype_name(elem_type: int) -> str:
    """``float32`` for 1 and so on; ``unknown(99)`` for a number that the installed onnx does not know."""
    try:
        name: str = TensorProto.DataType.Name(elem_type)
    except ValueError:
        return f"unknown({elem_type})"
    return _NUMPY_NAMES.get(name, name.lower())


def bits_of(dtype: str) -> int | None:
    """Bits that one element takes in raw data, ``None`` where it has no fixed size (``string``, unknown types)."""
    if dtype in _BITS:
        return _BITS[dtype]
    for prefix in ("uint", "int", "float"):
        if dtype.startswith(prefix) and (digits := dtype.removeprefix(prefix)[:2].rstrip("e")).isdigit():
            return int(digits)
    return None


def describe(value: onnx.ValueInfoProto) -> TensorInfo:
    """Name, dtype and shape of an input or output. Dense tensors have dimensions; anything else is described by its
    dtype."""
    if value.type.WhichOneof("value") == "tensor_type":
        tensor = value.type.tensor_type
        shape = tuple(_dimension(dim) for dim in tensor.shape.dim)
        return TensorInfo(value.name, dtype_name(tensor.elem_type), shape, tensor.HasField("shape"))
    return TensorInfo(value.name, _describe_type(value.type), (), ranked=False)


def _dimension(dim: onnx.TensorShapeProto.Dimension) -> Dimension:
    """onnxruntime takes a negative length as a free one, and so do old exporters; it has no name."""
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    return dim.dim_param or None


def _describe_type(kind: onnx.TypeProto) -> str:
    which = kind.WhichOneof("value")
    if which == "tensor_type":
        return dtype_name(kind.tensor_type.elem_type)
    if which == "sequence_type":
        return f"sequence({_describe_type(kind.sequence_type.elem_type)})"
    if which == "map_type":
        return f"map({dtype_name(kind.map_type.key_type)}, {_describe_type(kind.map_type.value_type)})"
    if which == "optional_type":
        return f"optional({_describe_type(kind.optional_type.elem_type)})"
    if which == "sparse_tensor_type":
        return f"sparse({dtype_name(kind.sparse_tensor_type.elem_type)})"
    return UNSTATED
