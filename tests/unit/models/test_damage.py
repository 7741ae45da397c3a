"""Whatever happens to a model's bytes, the reader describes it or refuses it; no other error comes out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.models.reader import inspect_model
from headgate.models.refusals import Refusal
from unit.models.builders import LIMIT, branching, externalize, linear, unary


def without_shapes() -> onnx.ModelProto:
    """Reaches shape inference as well."""
    model = linear()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def with_external_data() -> onnx.ModelProto:
    model = linear()
    with tempfile.TemporaryDirectory() as folder:
        externalize(model.graph.initializer[0], Path(folder), "weights.bin")
    return model


MODELS = {
    "a plain model": linear(),
    "a model with branches": branching(),
    "a model of an old format": unary("Relu", opset=7, ir=3),
    "a model without output shapes": without_shapes(),
    "a model with external data": with_external_data(),
}
BYTES = {name: model.SerializeToString() for name, model in MODELS.items()}


def verdict(folder: Path, data: bytes) -> str:
    """``"ok"`` or the reason of the refusal."""
    path = folder / "model.onnx"
    path.write_bytes(data)
    (folder / "weights.bin").write_bytes(bytes(24))
    try:
        _, problems = inspect_model(path, size_limit=LIMIT)
    except Refusal as refusal:
        return refusal.reason if str(refusal).startswith(str(path)) else f"not about the file: {refusal}"
    return problems[0].reason if problems else "ok"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_cut_at_any_byte_is_refused_or_whole(name: str, tmp_path: Path) -> None:
    data = BYTES[name]
    verdicts = {verdict(tmp_path, data[:length]) for length in range(len(data))}
    assert verdicts <= {"ok", "ModelEmpty", "ModelTruncated", "NotOnnx", "OpsetMissing"}
    assert verdict(tmp_path, data) == "ok"


def test_a_cut_inside_the_graph_always_says_that_the_file_is_cut(tmp_path: Path) -> None:
    data = BYTES["a plain model"]
    graph = data.index(b"gemm")
    assert {verdict(tmp_path, data[:length]) for length in range(graph, graph + 100)} == {"ModelTruncated"}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_model_with_wrong_bytes_is_refused_or_described(
    name: str, edits: list[tuple[int, int]], tmp_path: Path
) -> None:
    data = bytearray(BYTES[name])
    for position, byte in edits:
        data[position % len(data)] = byte
    verdict(tmp_path, bytes(data))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_or_described(data: bytes, tmp_path: Path) -> None:
    verdict(tmp_path, data)
