"""The model step without Flink: bad rows leave alone, the rest of their batch is scored, and counts add up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from embedded import models
from embedded.jobs import Setup
from headgate_runtime.errors import MappingRefused
from headgate_runtime.step import ERROR, PAST_LIMIT, ModelStep, RecordRefused

Bench = Callable[..., Any]


class Counting:
    """An onnxruntime session that remembers how many rows each call had."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self.session = session
        self.calls: list[int] = []

    def run(self, names: Any, feeds: dict[str, np.ndarray]) -> Any:
        """As the session."""
        self.calls.append(max(len(v) for v in feeds.values()))
        return self.session.run(names, feeds)


def counting(b: Any) -> Counting:
    b.scorer.model.session = Counting(b.scorer.model.session)
    return b.scorer.model.session


# ---- a model that refuses certain rows ---------------------------------------------------------------------------------


def test_rows_that_the_model_refuses_leave_and_all_others_are_scored(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.lookup(tmp_path / "m.onnx"), {"i": "BIGINT"}, Setup(batch_rows=16))

    @given(indices=st.lists(st.integers(-6, 6), min_size=1, max_size=40))
    def check(indices: list[int]) -> None:
        scored, dead = b.tally.scored, b.tally.dead.total()
        answers, errors = b.score(np.array(indices, dtype=np.int64))
        fine = [-4 <= i < 4 for i in indices]
        assert [e is None for e in errors] == fine
        got = [a for a, ok in zip(answers["y"], fine, strict=True) if ok]
        assert got == [10.0 + i % 4 for i in indices if -4 <= i < 4]
        assert {(e[0], e[1]) for e in errors if e} <= {("InferenceError", "i")}
        assert (b.tally.scored - scored, b.tally.dead.total() - dead) == (sum(fine), len(fine) - sum(fine))

    check()


def test_one_bad_row_costs_few_calls(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.lookup(tmp_path / "m.onnx"), {"i": "BIGINT"})
    session = counting(b)
    rows = np.zeros(256, dtype=np.int64)
    rows[100] = 99
    _, errors = b.score(rows)
    assert [at for at, e in enumerate(errors) if e] == [100]
    assert len(session.calls) == 2 * 8 + 1
    assert "out of data bounds" in errors[100][2] or "indices" in errors[100][2]


# ---- reasons ----------------------------------------------------------------------------------------------------------


def test_every_reason_leaves_alone_and_says_its_column(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.linear(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "DOUBLE"}, Setup(model={"nan": "DeadLetter"}))
    x = np.array([1, 0, np.nan, 4], np.float32)
    answers, errors = b.score(x, np.ones(4, np.float32), marker=[0, 2, 0, 0])
    assert errors == [
        None,
        ["NullFeature", "b", "the feature is null"],
        ["NanFeature", "a", "the feature is NaN"],
        None,
    ]
    assert (answers["y"][0], answers["y"][3]) == (2.0, 5.0)
    assert b.tally.dead == {"NullFeature": 1, "NanFeature": 1}
    assert b.tally.scored == 2


def test_a_nan_is_scored_where_the_resource_allows_it(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.linear(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "DOUBLE"})
    answers, errors = b.score(np.array([np.nan], np.float32), np.ones(1, np.float32))
    assert errors == [None]
    assert np.isnan(answers["y"][0])


def test_a_number_that_the_tensor_cannot_hold_never_wraps(tmp_path: Path, bench: Bench) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    kinds = onnx.TensorProto
    path = models.save(tmp_path / "m.onnx", [node], {"x": (kinds.UINT8, ["N"])}, {"y": (kinds.UINT8, ["N"])})
    b = bench(path, {"x": "INTEGER"})
    answers, errors = b.score(np.array([0, 255, 256, -1], np.int32))
    assert answers["y"][:2] == [0, 255]
    assert [e and e[0] for e in errors] == [None, None, "OutOfRange", "OutOfRange"]
    assert errors[2][2] == "256 does not fit uint8 (0 to 255)"


def test_on_error_fail_raises_with_the_reason(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.linear(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "DOUBLE"}, Setup(on_error="Fail"))
    with pytest.raises(RecordRefused, match=r"onError is Fail .*: NullFeature in column 'b': the feature is null"):
        b.score(np.ones(2, np.float32), np.ones(2, np.float32), marker=[0, 2])
    assert b.tally.scored == 0


def test_a_batch_of_bad_rows_alone_gives_columns_of_their_types(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.linear(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "DOUBLE"})
    answers, _ = b.scorer.score([np.array([1, 1], np.int16), np.zeros(2, np.float32), np.zeros(2, np.float32)])
    assert (answers["y"].dtype, len(answers["y"])) == (np.float32, 2)


# ---- batches ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 11])
def test_a_fixed_batch_is_split_and_padded(tmp_path: Path, bench: Bench, rows: int) -> None:
    b = bench(models.linear(tmp_path / "m.onnx", batch=4), {"a": "FLOAT", "b": "DOUBLE"})
    session = counting(b)
    answers, errors = b.score(np.arange(rows, dtype=np.float32), np.ones(rows, np.float32))
    assert answers["y"] == [at + 1.0 for at in range(rows)]
    assert errors == [None] * rows
    assert session.calls == [4] * -(-rows // 4)


def test_no_batch_is_larger_than_the_resource_says(tmp_path: Path, bench: Bench) -> None:
    b = bench(models.linear(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "DOUBLE"}, Setup(batch_rows=10))
    session = counting(b)
    answers, _ = b.score(np.arange(25, dtype=np.float32), np.ones(25, np.float32))
    assert session.calls == [10, 10, 5]
    assert answers["y"] == [at + 1.0 for at in range(25)]


def test_arrays_of_different_lengths_are_scored_by_length_and_none_is_lost(tmp_path: Path, bench: Bench) -> None:
    node = helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=1)
    weights = {"axis": np.asarray([1], np.int64)}
    path = models.save(tmp_path / "m.onnx", [node], {"x": (1, ["N", "T"])}, {"y": (1, ["N", 1])}, weights)
    b = bench(path, {"x": "ARRAY of FLOAT"})
    session = counting(b)
    cells = [[1, 2], [1, 2, 3], [4, 5], None, [7], [1, 1, 1]]
    column = pd.Series([None if c is None else np.array(c, np.float32) for c in cells], dtype=object)
    answers, errors = b.score(column, marker=[0, 0, 0, 1, 0, 0])
    assert [a for a, e in zip(answers["y"], errors, strict=True) if e is None] == [3, 6, 9, 7, 3]
    assert [e and e[0] for e in errors] == [None, None, None, "NullFeature", None, None]
    assert session.calls == [2, 2, 1]
    # Where nothing is wrong the rows come back in their order as well.
    answers, errors = b.score(column[[0, 1, 2, 5]].reset_index(drop=True))
    assert (answers["y"], errors) == ([3, 6, 9, 3], [None] * 4)


def test_an_answer_of_another_shape_than_planned_is_a_dead_letter(tmp_path: Path, bench: Bench) -> None:
    weights = {"start": np.array([7]), "end": np.array([99]), "axis": np.array([1])}
    node = helper.make_node("Slice", ["x", "start", "end", "axis"], ["y"])
    b = bench(
        models.save(tmp_path / "m.onnx", [node], {"x": (1, ["N", "T"])}, {"y": (1, ["N", "U"])}, weights),
        {"x": "ARRAY of FLOAT"},
    )
    assert b.plan.answers[0].sql_type == "FLOAT"
    answers, errors = b.score(pd.Series([np.arange(size, dtype=np.float32) for size in (8, 9, 8)]))
    assert [answers["y"][0], answers["y"][2]] == [7.0, 7.0]
    assert errors == [None, ["InferenceError", "x", "output 'y' gave [2] numbers a row instead of one"], None]


def test_an_answer_that_loses_a_dimension_is_a_dead_letter(tmp_path: Path, bench: Bench) -> None:
    node = helper.make_node("Squeeze", ["x"], ["y"])
    path = models.save(tmp_path / "m.onnx", [node], {"x": (1, ["N", "T"])}, {"y": (1, ["N", "U"])})
    b = bench(path, {"x": "ARRAY of FLOAT"})
    cells = [np.ones(size, np.float32) for size in (3, 1, 3, 1)]
    answers, errors = b.score(pd.Series(cells))
    assert [list(answers["y"][at]) for at in (0, 2)] == [[1, 1, 1], [1, 1, 1]]
    assert [e and e[0] for e in errors] == [None, "InferenceError", None, "InferenceError"]
    assert errors[1][2].startswith("column 'y' is ARRAY<FLOAT>, this batch gave it the shape [1]")


def test_several_inputs_of_different_kinds_go_in_and_every_kind_of_answer_comes_out(
    tmp_path: Path, bench: Bench
) -> None:
    columns = {
        "v": "ARRAY of FLOAT", "m": "ARRAY of FLOAT", "n": "INTEGER", "s": "VARCHAR", "b": "BOOLEAN",
    }  # fmt: skip
    b = bench(models.wide_inputs(tmp_path / "m.onnx"), columns)
    v, m = np.arange(3, dtype=np.float32), np.arange(4, dtype=np.float32)
    arrays = [pd.Series([x, x, x]) for x in (v, m)]
    answers, errors = b.score(
        *arrays, np.array([1, 300, -7], np.int32), np.array(["ä", "b", ""], object), np.array([True, False, True])
    )
    assert [e and e[:2] for e in errors] == [None, ["OutOfRange", "n"], None]
    assert {f.name: f.sql_type for a in b.plan.answers for f in a.fields} == {
        "sum": "FLOAT", "twice": "ARRAY<FLOAT>", "flat": "ARRAY<ARRAY<FLOAT>>", "text": "STRING", "small": "TINYINT",
        "yes": "BOOLEAN",
    }  # fmt: skip
    assert (answers["sum"][0], answers["text"][0], answers["small"][2], answers["yes"][2]) == (3.0, "ä", -7, False)
    assert list(answers["twice"][0]) == [0, 2, 4]
    assert np.asarray(answers["flat"][2]).tolist() == [[0, 1], [2, 3]]


# ---- answers ----------------------------------------------------------------------------------------------------------


def test_labels_and_topk_travel_as_columns_of_their_own(tmp_path: Path, bench: Bench) -> None:
    outputs = {"best": "label(argmax(scores))", "top": "topk(scores, 2)", "sure": "threshold(max(scores), 0.5)"}
    setup = Setup(model={"outputs": outputs, "labels": ["cat", "dog", "bird"]})
    b = bench(models.classifier(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "FLOAT", "c": "FLOAT"}, setup)
    answers, _ = b.score(*(np.array(v, np.float32) for v in ([0, 9], [5, 0], [1, 0])))
    assert answers["best"] == ["dog", "cat"]
    assert [list(w) for w in answers["top__which"]] == [["dog", "bird"], ["cat", "dog"]]
    assert [len(s) for s in answers["top__score"]] == [2, 2]
    assert answers["sure"] == [True, True]
    top = next(a for a in b.plan.answers if a.name == "top")
    assert top.sql_type == "ARRAY<ROW<`label` STRING, `score` FLOAT>>"
    assert top.sql("r") == (
        "CAST(ARRAY[ROW(r.`top__which`[1], r.`top__score`[1]), ROW(r.`top__which`[2], r.`top__score`[2])] AS "
        "ARRAY<ROW<`label` STRING, `score` FLOAT>>)"
    )


def test_topk_without_labels_gives_indices(tmp_path: Path, bench: Bench) -> None:
    b = bench(
        models.classifier(tmp_path / "m.onnx"),
        {"a": "FLOAT", "b": "FLOAT", "c": "FLOAT"},
        Setup(model={"outputs": {"top": "topk(scores, 1)"}}),
    )
    answers, _ = b.score(*(np.array([v], np.float32) for v in (1, 3, 2)))
    assert [list(w) for w in answers["top__which"]] == [[1]]
    assert b.plan.answers[0].sql_type == "ARRAY<ROW<`index` BIGINT, `score` FLOAT>>"


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        pytest.param(
            {"outputs": {"p": "score"}},
            "outputs.p: the model has no output 'score'. There are: scores. Did you mean 'scores'?",
            id="no such output",
        ),
        pytest.param(
            {"outputs": {"p": "scores[7]"}},
            "outputs.p: scores[7] does not fit the outputs (scores [2, 3])",
            id="an index beyond",
        ),
        pytest.param(
            {"outputs": {"p": "label(argmax(scores))"}},
            "outputs.p: output expression: label(...) needs spec.model.labels",
            id="no labels",
        ),
        pytest.param(
            {"outputs": {"a": "scores[0]"}},
            "outputs.a: 'scored' has a column 'a' already (from spec.pipeline.input)",
            id="the name of a column",
        ),
        pytest.param(
            {"outputs": {"revision": "scores[0]"}},
            "outputs.revision: 'scored' has a column 'revision' already (a stamp)",
            id="the name of a stamp",
        ),
        pytest.param(
            {"histogram": "best"},
            "spec.model.histogram: 'best' is no numeric output column",
            id="a histogram of nothing",
        ),
        pytest.param({"inputs": {"x": ["a", "b", "z"]}}, "column 'z' is not among the columns", id="no such column"),
        pytest.param(
            {"inputs": {"X": ["a", "b", "c"]}},
            "names 'X', which is no input of the model. There are: x.",
            id="no such input",
        ),
    ],
)  # fmt: skip
def test_a_resource_that_does_not_fit_the_model_is_refused(
    tmp_path: Path, bench: Bench, model: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(MappingRefused) as caught:
        bench(models.classifier(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "FLOAT", "c": "FLOAT"}, Setup(model=model))
    assert sentence in caught.value.message


# ---- the function that Flink calls --------------------------------------------------------------------------------------


class Context:
    """What Flink gives to ``open``: here, no metrics."""

    def get_metric_group(self) -> None:
        """None: nothing is counted for Flink."""


def test_rows_past_the_limit_are_neither_scored_nor_dead_letters(tmp_path: Path, bench: Bench) -> None:
    plan = bench(models.linear(tmp_path / "m.onnx"), {"a": "FLOAT", "b": "DOUBLE"}, limit=5).plan
    step = ModelStep(plan)
    step.open(Context())  # type: ignore[arg-type]  # PyFlink's context needs a running worker
    frames = []
    for _ in range(3):
        series = pd.Series(np.arange(3, dtype=np.float32))
        frames.append(step.eval(pd.Series(np.array([0, 1, 0], np.int16)), series, series))
    step.close()
    frame = pd.concat(frames, ignore_index=True)
    past = [e == PAST_LIMIT for e in frame[ERROR]]
    assert past == [False] * 5 + [True] * 4
    assert [e.split("\x1f")[0] for e in frame[ERROR][:5] if isinstance(e, str)] == ["NullFeature", "NullFeature"]
    assert frame["y"][[0, 2, 3]].tolist() == [0, 4, 0]
    assert list(frame.columns) == ["y", ERROR]
