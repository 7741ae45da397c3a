"""Shapes of outputs that the exporter left out, found by onnx's shape inference.

Called by the reader, and only where an output says nothing of its type or its shape. It never fails: what cannot be
inferred, or would take a copy of a very large model, stays unknown.
"""

from __future__ import annotations

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import shape_inference

from headgate.models.elements import UNSTATED, describe
from headgate.models.signature import ModelSignature, TensorInfo

_LARGEST = 256 << 20
"""Bytes of the largest model that is copied for inference."""


def with_inferred_outputs(model: onnx.ModelProto, signature: ModelSignature) -> ModelSignature:
    """``signature`` with the missing shapes and types of outputs filled in where they follow from the graph."""
    if not any(_unstated(tensor) for tensor in signature.outputs):
        return signature
    inferred = _infer(model)
    return ModelSignature(
        signature.inputs, tuple(_better(tensor, inferred.get(tensor.name)) for tensor in signature.outputs)
    )


def _unstated(tensor: TensorInfo) -> bool:
    return not tensor.ranked and (tensor.is_tensor or tensor.dtype == UNSTATED)


def _better(stated: TensorInfo, found: TensorInfo | None) -> TensorInfo:
    return found if found is not None and _unstated(stated) and found.dtype != UNSTATED else stated


def _infer(model: onnx.ModelProto) -> dict[str, TensorInfo]:
    if model.ByteSize() > _LARGEST:
        return {}
    try:
        inferred = shape_inference.infer_shapes(model)
    except (shape_inference.InferenceError, DecodeError, EncodeError, RuntimeError, ValueError):
        return {}
    return {value.name: describe(value) for value in inferred.graph.output}
