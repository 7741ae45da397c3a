"""``headgate validate``: all problems of all files at once, and the model beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.local.kit import RESOURCE, Said, workspace

Headgate = Callable[..., Said]
KEEPING = RESOURCE.replace(
    "    output: INSERT INTO answers SELECT id, total FROM scored\n",
    "    output: |\n      INSERT INTO answers SELECT id, total FROM scored;\n"
    "      INSERT INTO lost SELECT reason FROM dead_letters\n",
).replace("    input:", "      CREATE TABLE lost (reason STRING) WITH ('connector' = 'print')\n    input:")


def test_a_valid_file_is_said_to_be(headgate: Headgate, here: Path) -> None:
    workspace(here, KEEPING)
    assert headgate("validate", "sums.yaml") == Said(0, "sums.yaml: sums is valid\n", "")


def test_a_warning_does_not_fail(headgate: Headgate, here: Path) -> None:
    workspace(here)
    said = headgate("validate", "sums.yaml")
    assert said.status == 0
    assert "sums.yaml: warning: line 19: spec.pipeline.output: never reads dead_letters" in said.out
    assert said.out.endswith("sums.yaml: sums is valid\n")


def test_every_problem_of_every_file_is_told_at_once(headgate: Headgate, here: Path) -> None:
    workspace(here, KEEPING)
    (here / "b.yaml").write_text(KEEPING.replace("key: id", "key: idd").replace("parallelism", "p") + "  flonk: {}\n")
    (here / "c.yaml").write_text("a: [")
    (here / "d.yaml").write_bytes(b"\xff\xfe\x00")
    said = headgate("validate", "sums.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml")
    assert said.status == 1
    lines = said.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["b.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "sums.yaml"]
    assert 'spec has no field "flonk"' in said.out or "flonk" in lines[0] + lines[1]
    assert lines[3] == "d.yaml: is not UTF-8 text. A resource is a YAML file; a model is named in it."
    assert lines[4] == "e.yaml: does not exist."
    assert said.err == "error: 5 problems in 4 of 5 files.\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(("uri: model.onnx", "uri: no.onnx"), "no.onnx does not exist.", id="no model"),
        pytest.param(("[a, b, c]", "[a, b]"), "spec.model.inputs.x", id="too few columns for the model"),
        pytest.param(("uri: model.onnx", "uri: in.csv"), "is not an ONNX model", id="another file"),
        pytest.param(
            ('version: "1"', 'version: "1"\n    labels: no.txt'), "spec.model.labels: ", id="no file of labels"
        ),
    ],
)
def test_the_model_and_what_lies_beside_it_are_looked_at(
    headgate: Headgate, here: Path, change: tuple[str, str], told: str
) -> None:
    workspace(here, KEEPING.replace(*change))
    (here / "in.csv").write_text("1,2,3,4\n")
    said = headgate("validate", "sums.yaml")
    assert said.status == 1
    assert told in said.out


def test_a_model_that_is_elsewhere_is_not_fetched(headgate: Headgate, here: Path) -> None:
    workspace(here, KEEPING.replace("uri: model.onnx", "uri: s3://models/sums/1/model.onnx"))
    assert headgate("validate", "sums.yaml").status == 0


def test_findings_as_json(headgate: Headgate, here: Path) -> None:
    workspace(here, KEEPING.replace("key: id", "key: idd"))
    said = headgate("validate", "sums.yaml", "-o", "json")
    told = json.loads(said.out)
    assert (said.status, told["valid"], told["resources"]) == (1, False, [{"file": "sums.yaml", "name": "sums"}])
    (finding,) = told["findings"]
    assert (finding["severity"], finding["reason"], finding["name"]) == ("error", "InvalidSpec", "sums")
    assert "spec.pipeline.key" in finding["message"]


def test_stdin_is_a_file_too(headgate: Headgate, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace(here, KEEPING).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert headgate("validate", "-") == Said(0, "stdin: sums is valid\n", "")
