"""Small ONNX files, with their weights inside or beside them."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper


def tiny_model(external: str = "", length: int = 4000) -> bytes:
    """An ONNX file with one weight, kept in the file ``external`` where that is given."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [length // 4], bytes(length), raw=True)
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in (("location", external), ("offset", "0"), ("length", str(length))):
            weight.external_data.add(key=key, value=value)
    shape = [length // 4]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
