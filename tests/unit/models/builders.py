"""Small ONNX models for the tests of ``headgate.models``, built in memory; nothing here is written to the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LIMIT = 64 << 20


def value(name: str, shape: list[int | str | None] | None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: dict[str, np.ndarray] | None = None,
    *,
    opsets: dict[str, int] | None = None,
    ir: int = 8,
) -> onnx.ModelProto:
    stored = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, stored)
    imports = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 17}).items()]
    return helper.make_model(graph, producer_name="tests", producer_version="1", opset_imports=imports, ir_version=ir)


def linear(*, width: int = 3, classes: int = 2, opset: int = 17, ir: int = 8) -> onnx.ModelProto:
    """``features [N, width] -> scores [N, classes]`` by one Gemm and a Softmax."""
    rng = np.random.default_rng(0)
    model = model_of(
        [
            helper.make_node("Gemm", ["features", "W", "b"], ["logits"], name="gemm"),
            helper.make_node("Softmax", ["logits"], ["scores"], name="softmax", axis=1),
        ],
        [value("features", ["N", width])],
        [value("scores", ["N", classes])],
        {
            "W": rng.normal(size=(width, classes)).astype(np.float32),
            "b": np.zeros(classes, np.float32),
        },
        opsets={"": opset},
        ir=ir,
    )
    model.metadata_props.add(key="trained", value="2026-11-01")
    return model


def unary(
    op: str, *, opset: int = 17, ir: int = 8, domain: str = "", extra: dict[str, int] | None = None
) -> onnx.ModelProto:
    """One operator from ``x [N, 3]`` to ``y [N, 3]``."""
    return model_of(
        [helper.make_node(op, ["x"], ["y"], name="only", domain=domain)],
        [value("x", ["N", 3])],
        [value("y", ["N", 3])],
        opsets={"": opset} | (extra or {}),
        ir=ir,
    )


def branching() -> onnx.ModelProto:
    """An If whose branches hold a weight each and read the outer ``x``."""

    def branch(name: str, factor: float) -> onnx.GraphProto:
        weight = numpy_helper.from_array(np.full(3, factor, np.float32), f"{name}_factor")
        node = helper.make_node("Mul", ["x", f"{name}_factor"], [f"{name}_out"])
        return helper.make_graph([node], name, [], [value(f"{name}_out", ["N", 3])], [weight])

    return model_of(
        [helper.make_node("If", ["flag"], ["y"], then_branch=branch("yes", 2.0), else_branch=branch("no", 3.0))],
        [value("x", ["N", 3]), value("flag", [], TensorProto.BOOL)],
        [value("y", ["N", 3])],
    )


def externalize(tensor: onnx.TensorProto, folder: Path, location: str, **entries: str) -> None:
    """Move a tensor's bytes into ``folder/location`` (written unless it leads out), ``entries`` replacing offset and length."""
    raw = numpy_helper.to_array(tensor).tobytes()
    target = folder / location
    if folder in target.resolve().parents and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)
    for field in ("raw_data", "float_data", "int64_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in ({"location": location, "offset": "0", "length": str(len(raw))} | entries).items():
        tensor.external_data.add(key=key, value=text)


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path
