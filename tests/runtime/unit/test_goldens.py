"""Rows with known answers: what passes, what fails, and that the message names line, output, expected and got."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from embedded import models
from embedded.jobs import Setup, Sql, write_job
from headgate_runtime.columns import Column
from headgate_runtime.contract import read_job
from headgate_runtime.errors import GoldensFailed, Stage
from headgate_runtime.goldens import check_goldens
from headgate_runtime.model import load_model
from headgate_runtime.planner import plan_step

SQL = Sql("", "SELECT * FROM t", "INSERT INTO o SELECT * FROM scored")
ID = Column("id", "BIGINT", "BIGINT")
Check = Callable[..., int]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """``check(model, columns, rows, **model fields)``: rows as objects, or as the lines of a file."""

    def run(
        model: Path, columns: Sequence[Column], rows: Sequence[Any], *, tolerance: float = 1e-5, **fields: Any
    ) -> int:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        data = "\n".join(lines).encode()
        goldens = {
            "path": "goldens/0.jsonl",
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            "tolerance": tolerance,
        }
        digest = fields.pop("digest", None)
        goldens |= {"digest": digest} if digest else {}
        path = write_job(tmp_path / "job", model, SQL, Setup(on_error="Fail", model={"goldens": goldens, **fields}))
        (path.parent / "goldens").mkdir()
        (path.parent / "goldens" / "0.jsonl").write_bytes(data)
        job = read_job(path)
        loaded = load_model(job.model)
        described = (ID, *columns)
        return check_goldens(plan_step(job, loaded, described, row_limit=1), loaded, described, "id")

    return run


def floats(*names: str, root: str = "FLOAT") -> tuple[Column, ...]:
    return tuple(Column(name, root, root) for name in names)


def failure(check: Check, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(GoldensFailed) as caught:
        check(*arguments, **fields)
    assert caught.value.stage == Stage.GOLDENS
    return caught.value.message


def test_rows_that_get_their_answers_pass(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx", scale=0.1)
    rows = [{"a": 1, "b": 2, "y": 0.3}, "", {"id": 7, "a": "4", "b": 0.0, "y": 0.4}]
    assert check(model, floats("a", "b"), rows) == 2


def test_another_answer_is_told_with_line_output_expected_and_got(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx")
    rows = [{"a": 1, "b": 2, "y": 3}, "", {"a": 2, "b": 2, "y": 5}]
    assert failure(check, model, floats("a", "b"), rows) == (
        "1 of 2 golden rows do not get their answer: Line 3: y is 4.0, expected 5 (1 apart, 1e-05 allowed). "
        "If the new answers are right, write them into spec.model.goldens."
    )


@pytest.mark.parametrize(
    ("expected", "tolerance", "passes"),
    [
        pytest.param(3.0009, 1e-3, True, id="within the tolerance"),
        pytest.param(3.0011, 1e-3, False, id="beyond the tolerance"),
        pytest.param(3, 0, True, id="equal without any tolerance"),
        pytest.param(True, 1e-3, False, id="a truth value is no number"),
        pytest.param("3.0", 1e-3, False, id="a text is no number"),
        pytest.param(None, 1e-3, False, id="null is no number"),
        pytest.param([3.0], 1e-3, False, id="a list is no number"),
        pytest.param(math.nan, 1e-3, False, id="NaN is no number"),
    ],
)
def test_an_answer_is_compared(tmp_path: Path, check: Check, expected: Any, tolerance: float, passes: bool) -> None:
    model = models.linear(tmp_path / "m.onnx")
    rows = [{"a": 1, "b": 2, "y": expected}]
    if passes:
        assert check(model, floats("a", "b"), rows, tolerance=tolerance) == 1
    else:
        assert "Line 1: y is 3.0, expected" in failure(check, model, floats("a", "b"), rows, tolerance=tolerance)


def test_a_truth_value_is_not_the_number_one(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx")
    assert "y is 1.0, expected true." in failure(check, model, floats("a", "b"), [{"a": 1, "b": 0, "y": True}])


def test_a_number_of_text_means_the_float_that_the_column_holds(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx")
    assert check(model, floats("a", "b"), [{"a": 16777217.0, "b": 0, "y": 16777217.0}], tolerance=0) == 1


def test_nan_and_null_are_both_no_number(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx")
    rows = ['{"a": NaN, "b": 1, "y": null}', '{"a": NaN, "b": 1, "y": NaN}']
    assert check(model, floats("a", "b"), rows) == 2


def test_every_kind_of_column_is_converted_as_live_records_are(tmp_path: Path, check: Check) -> None:
    columns = (
        Column("v", "ARRAY", "ARRAY<FLOAT>", element=Column("", "FLOAT", "FLOAT")),
        Column("m", "ARRAY", "ARRAY<ARRAY<FLOAT>>",
               element=Column("", "ARRAY", "ARRAY<FLOAT>", element=Column("", "FLOAT", "FLOAT"))),
        Column("n", "INTEGER", "INT"),
        Column("s", "VARCHAR", "STRING"),
        Column("b", "BOOLEAN", "BOOLEAN"),
    )  # fmt: skip
    row = {
        "v": [1, 2, 3], "m": [[1, 2], [3, 4]], "n": -7, "s": "é", "b": False,
        "sum": 6, "twice": [2, 4, 6], "flat": [[1, 2], [3, 4]], "text": "é", "small": -7, "yes": True,
    }  # fmt: skip
    model = models.wide_inputs(tmp_path / "m.onnx")
    assert check(model, columns, [row, row]) == 2
    message = failure(lambda *a: check_again(check, *a), model, columns, [row | {"twice": [2, 4, 7], "text": "e"}])
    assert "twice is [2.0, 4.0, 6.0], expected [2, 4, 7]" in message
    assert 'text is "é", expected "e"' in message


def check_again(check: Check, model: Path, columns: Sequence[Column], rows: Sequence[Any]) -> int:
    """In a folder of its own."""
    other = model.rename(model.with_name("other.onnx"))
    (other.parent / "job").rename(other.parent / "job-before")
    return check(other, columns, rows)


def test_fields_of_a_row_feed_in_their_order(tmp_path: Path, check: Check) -> None:
    row = Column("r", "ROW", "ROW<a FLOAT, b FLOAT>", fields=floats("a", "b"))
    model = models.linear(tmp_path / "m.onnx")
    assert check(model, (row,), [{"r": {"a": 1, "b": 2}, "y": 3}]) == 1


def test_a_row_that_cannot_be_scored_fails_with_its_reason(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx")
    rows = [{"a": None, "b": 2, "y": 3}, {"a": 1, "b": 2, "y": 3}]
    message = failure(check, model, floats("a", "b"), rows)
    assert "1 of 2 golden rows" in message
    assert "Line 1 is not scored (NullFeature in column 'a': the feature is null)." in message


def test_a_top_k_is_compared_by_name_and_score(tmp_path: Path, check: Check) -> None:
    model = models.classifier(tmp_path / "m.onnx")
    fields: dict[str, Any] = {"outputs": {"best": "topk(scores, 2)"}, "labels": ["no", "yes", "maybe"]}
    best = [{"label": "yes", "score": 0.88}, ["maybe", 0.1192]]
    columns = floats("a", "b", "c")
    assert check(model, columns, [{"a": -99, "b": 2, "c": 0, "best": best}], tolerance=1e-2, **fields) == 1


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        pytest.param([], "spec.model.goldens holds no row", id="an empty file"),
        pytest.param(["{"], "line 1 is not JSON", id="a line that is not JSON"),
        pytest.param(["[1]"], "line 1 is no object", id="a line that is a list"),
        pytest.param([{"a": 1, "b": 2, "Y": 3}], "'Y' is neither a column of spec.pipeline.input nor", id="a misspelt output"),
        pytest.param([{"a": 1, "y": 3}], "line 1: the feature 'b' is missing", id="a feature is missing"),
        pytest.param([{"a": 1, "b": 2}], "line 1 expects nothing: give it one of y", id="no expected answer"),
        pytest.param([{"a": "x", "b": 2, "y": 1}], "line 1: 'a' is \"x\", which is not FLOAT", id="a feature of another type"),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_of_the_model_is_refused(
    tmp_path: Path, check: Check, rows: list[Any], sentence: str
) -> None:
    model = models.linear(tmp_path / "m.onnx")
    assert sentence in failure(check, model, floats("a", "b"), rows)


def test_a_file_that_is_not_the_one_that_was_built_in_is_refused(tmp_path: Path, check: Check) -> None:
    model = models.linear(tmp_path / "m.onnx")
    message = failure(check, model, floats("a", "b"), [{"a": 1, "b": 2, "y": 3}], digest="sha256:00")
    assert "job.json says sha256:00. Build again." in message


def test_rows_of_one_key_are_a_sequence_of_a_model_with_state(tmp_path: Path, check: Check) -> None:
    model = models.accumulator(tmp_path / "m.onnx")
    state = [{"input": "h", "output": "hn", "shape": [1, 2], "init": 0}]
    rows = [
        {"id": 1, "a": 4, "b": 4, "total": 8, "seen": [4, 4]},
        {"id": 2, "a": 1, "b": 0, "total": 1},
        {"id": 1, "a": 0, "b": 0, "total": 4},
        {"a": 1, "b": 1, "total": 2},
        {"a": 1, "b": 1, "total": 2},
    ]
    fields: dict[str, Any] = {"state": state, "outputs": {"total": "total", "seen": "seen"}}
    assert check(model, floats("a", "b"), rows, **fields) == 5


def test_a_wrong_answer_in_a_sequence_is_told(tmp_path: Path, check: Check) -> None:
    model = models.accumulator(tmp_path / "m.onnx")
    state = [{"input": "h", "output": "hn", "shape": [1, 2], "init": 0}]
    rows = [
        {"id": 1, "a": 4, "b": 4, "total": 8},
        {"id": 1, "a": 0, "b": None, "total": 4},
        {"id": 1, "a": 0, "b": 0, "total": 9},
    ]
    message = failure(check, model, floats("a", "b"), rows, state=state, outputs={"total": "total"})
    assert "2 of 3 golden rows" in message
    assert "Line 2 is not scored (NullFeature in column 'b'" in message
    assert "Line 3: total is 4.0, expected 9 (5 apart" in message
