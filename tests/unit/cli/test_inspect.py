"""``headgate inspect`` and ``headgate convert``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from unit.cli.models import classifier
from unit.local.kit import Said, row_sum, save

Headgate = Callable[..., Said]


def test_a_model_is_shown_as_aligned_text(headgate: Headgate, here: Path) -> None:
    save(row_sum(metadata={"trained": "2026-01-01"}), here / "m.onnx")
    said = headgate("inspect", "m.onnx")
    assert (said.status, said.err) == (0, "")
    digest = hashlib.sha256((here / "m.onnx").read_bytes()).hexdigest()
    assert said.out.splitlines() == [
        "m.onnx",
        f"  digest     sha256:{digest}",
        f"  size       {(here / 'm.onnx').stat().st_size} B in 1 file",
        "  weights    1 element in 1 tensor",
        "  ir         9",
        "  opsets     ai.onnx 17",
        "  operators  ReduceSum 1",
        "",
        "inputs",
        "  name  type     shape",
        "  x     float32  [N, 3]",
        "",
        "outputs",
        "  name   type     shape",
        "  total  float32  [N, 1]",
        "",
        "metadata",
        "  key      value",
        "  trained  2026-01-01",
    ]


def test_a_model_as_json(headgate: Headgate, here: Path) -> None:
    save(classifier(3), here / "m.onnx")
    told = json.loads(headgate("inspect", "m.onnx", "-o", "json").out)
    assert told["inputs"] == [{"name": "x", "dtype": "float32", "shape": [None, 4]}]
    assert told["outputs"][1] == {"name": "probabilities", "dtype": "float32", "shape": [None, 3]}
    assert told["opsets"] == {"ai.onnx": 17}
    assert told["digest"].startswith("sha256:")
    assert told["problems"] == []


def test_a_model_that_can_be_read_and_not_served_is_shown_with_all_reasons(headgate: Headgate, here: Path) -> None:
    made = row_sum()
    made.graph.node[0].op_type = "NoSuchOperator"
    save(made, here / "m.onnx")
    said = headgate("inspect", "m.onnx")
    assert said.status == 1
    assert "NoSuchOperator 1" in said.out
    assert "UnknownOperator: " in said.err
    assert said.err.splitlines()[-1] == "error: The model cannot be served, for 1 reason."
    assert json.loads(headgate("inspect", "m.onnx", "-o", "json").out)["problems"][0]["reason"] == "UnknownOperator"


def test_a_model_above_the_limit_is_refused(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "m.onnx")
    assert "the limit is 10." in headgate("inspect", "m.onnx", "--size-limit", "10").err


@pytest.mark.parametrize(
    "target", [pytest.param(None, id="beside the model"), pytest.param("new.onnx", id="elsewhere")]
)
def test_a_model_is_converted_and_compared(headgate: Headgate, here: Path, target: str | None) -> None:
    save(classifier(3), here / "m.onnx")
    said = headgate("convert", "m.onnx", "--opset", "18", *(["-o", target] if target else []))
    written = here / (target or "m.converted.onnx")
    assert said.status == 0
    assert said.out.startswith(f"Wrote {written.name}: opset 17 → 18")
    assert onnx.load(written).opset_import[0].version == 18


def test_a_conversion_never_overwrites_unasked(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "m.onnx")
    (here / "m.converted.onnx").write_text("mine")
    said = headgate("convert", "m.onnx")
    assert (said.status, (here / "m.converted.onnx").read_text()) == (1, "mine")
    assert "m.converted.onnx exists." in said.err


def test_an_opset_that_nothing_implements_is_a_sentence(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "m.onnx")
    said = headgate("convert", "m.onnx", "--opset", "99")
    assert said.status == 1
    assert "error: Opset 99 is not one that onnxruntime implements" in said.err
