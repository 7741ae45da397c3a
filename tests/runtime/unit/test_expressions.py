"""Output expressions: read as Headgate reads them, evaluated as plain numpy would, refused where they mean nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from headgate_runtime.errors import MappingRefused
from headgate_runtime.expressions import Expression, Output, TopK, evaluate, flattened, outputs_of, parse

CASES = json.loads((Path(__file__).parents[2] / "contract" / "expressions.json").read_text(encoding="utf-8"))
LABELS = ("cat", "dog", "bird")
SCORES = np.array([[0.1, 0.7, 0.2], [5.0, -5.0, 0.0]], dtype=np.float32)


def _tree(expression: Expression) -> list[Any]:
    if isinstance(expression, Output):
        return ["output", expression.name, list(expression.index)]
    return [expression.function, _tree(expression.argument), expression.parameter]


@pytest.mark.parametrize("case", CASES["valid"], ids=lambda c: c["text"])
def test_an_expression_is_read_as_headgate_reads_it(case: dict[str, Any]) -> None:
    assert _tree(parse(case["text"])) == case["tree"]


@pytest.mark.parametrize("case", CASES["invalid"], ids=lambda c: c["text"] or "nothing")
def test_an_expression_is_refused_where_headgate_refuses_it(case: dict[str, Any]) -> None:
    with pytest.raises(MappingRefused) as caught:
        parse(case["text"])
    assert re.search(rf"at column {case['column']}\.$", caught.value.message)


@given(st.text(alphabet='ab_[](),"1.5-+ argmaxtopk', max_size=24))
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    try:
        expression = parse(text)
    except MappingRefused:
        return
    assert len(outputs_of(expression)) == 1


def _value(text: str, outputs: dict[str, np.ndarray] | None = None, labels: tuple[str, ...] = LABELS) -> np.ndarray:
    value = evaluate(parse(text), outputs or {"scores": SCORES}, labels)
    assert isinstance(value, np.ndarray)
    return value


@pytest.mark.parametrize(
    ("text", "wanted", "dtype"),
    [
        pytest.param("scores[1]", [0.7, -5.0], np.float32, id="an index takes one number a row"),
        pytest.param("scores[-1]", [0.2, 0.0], np.float32, id="a negative index counts from the end"),
        pytest.param("argmax(scores)", [1, 0], np.int64, id="argmax gives the class"),
        pytest.param("max(scores)", [0.7, 5.0], np.float32, id="max gives the score"),
        pytest.param("threshold(scores[1], 0.7)", [True, False], np.bool_, id="a threshold includes its number"),
        pytest.param("label(argmax(scores))", ["dog", "cat"], np.object_, id="a label for the best class"),
        pytest.param("label(threshold(scores[1], 0))", ["dog", "cat"], np.object_, id="a label for yes and no"),
    ],
)
def test_an_expression_gives_what_it_says(text: str, wanted: list[Any], dtype: type) -> None:
    value = _value(text)
    assert value.dtype == dtype
    assert value.tolist() == np.asarray(wanted, dtype=dtype).tolist()


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=st.floats(-1e4, 1e4, width=32))
)
def test_softmax_and_sigmoid_keep_the_dtype_and_never_overflow(scores: np.ndarray) -> None:
    soft, sigmoid = _value("softmax(x)", {"x": scores}), _value("sigmoid(x)", {"x": scores})
    assert (soft.dtype, sigmoid.dtype) == (np.float32, np.float32)
    wide = scores.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    np.testing.assert_allclose(soft, powers / powers.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sigmoid, np.exp(-np.logaddexp(0, -wide)), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "dtype", "wanted"),
    [
        pytest.param("sigmoid(x)", np.int64, 0.5, id="a sigmoid of whole numbers is no whole number"),
        pytest.param("max(softmax(x))", np.int32, 0.5, id="a softmax of whole numbers"),
        pytest.param("max(softmax(threshold(x, 1)))", np.float32, 0.5, id="a softmax of yes and no"),
        pytest.param("sigmoid(x)", np.float16, 0.5, id="a sigmoid of half precision"),
    ],
)
def test_numbers_of_every_kind_can_be_squashed(text: str, dtype: type, wanted: float) -> None:
    assert np.unique(_value(text, {"x": np.zeros((1, 2), dtype=dtype)})).tolist() == [wanted]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint8, np.uint64, np.bool_])
def test_topk_gives_the_best_in_order_for_every_dtype(dtype: type) -> None:
    scores = np.array([[0, 1, 0, 1], [1, 0, 0, 0]], dtype=dtype)
    value = evaluate(parse("topk(x, 3)"), {"x": scores}, ())
    assert isinstance(value, TopK)
    assert value.indices.tolist() == [[1, 3, 0], [0, 1, 2]]
    assert value.scores.tolist() == np.array([[1, 1, 0], [1, 0, 0]], dtype=dtype).tolist()


def test_topk_of_more_than_there_are_gives_all_and_puts_nan_last() -> None:
    value = evaluate(parse("topk(x, 9)"), {"x": np.array([[0.5, np.nan, 0.75]], dtype=np.float32)}, LABELS)
    assert isinstance(value, TopK)
    assert value.indices.tolist() == [[2, 0, 1]]


def test_an_output_planned_as_one_number_a_row_is_read_so_and_never_otherwise() -> None:
    flat = flattened(parse("sigmoid(y)"), {"y"})
    value = evaluate(flat, {"y": np.zeros((3, 1))}, ())
    assert isinstance(value, np.ndarray)
    assert value.shape == (3,)
    assert _value("y", {"y": np.zeros((3, 1))}).shape == (3, 1)
    with pytest.raises(ValueError, match=r"output 'y' gave \[2\] numbers a row instead of one"):
        evaluate(flat, {"y": np.zeros((3, 2))}, ())
    assert flattened(parse("y[0]"), {"y"}) == parse("y[0]")


@pytest.mark.parametrize(
    ("text", "x", "labels", "sentence"),
    [
        pytest.param("argmax(x)", np.zeros(2), LABELS, "needs a vector per row", id="argmax of a number"),
        pytest.param("topk(x, 2)", np.zeros(2), LABELS, "needs a vector per row", id="topk of a number"),
        pytest.param("topk(x, 2)", np.zeros((2, 3, 4)), LABELS, "one vector per row", id="topk of a matrix"),
        pytest.param("label(argmax(x))", np.zeros((2, 3)), (), "needs spec.model.labels", id="no label file"),
        pytest.param(
            "label(x)", np.array([0, 3]), LABELS, "got class 3, the label file has 3 lines", id="too few labels"
        ),
        pytest.param("label(x)", np.array([0, -1]), LABELS, "got class -1", id="a negative class"),
        pytest.param("label(x)", np.array([0.5]), LABELS, "holds fractions", id="a label of a probability"),
        pytest.param("label(x)", np.array([np.nan]), LABELS, "holds fractions", id="a label of NaN"),
        pytest.param("max(x)", np.array([["a", "b"]], dtype=object), LABELS, "holds text", id="max of text"),
        pytest.param("sigmoid(x)", np.array(["a"]), LABELS, "holds text", id="sigmoid of text"),
    ],
)
def test_what_does_not_fit_the_output_is_refused(
    text: str, x: np.ndarray, labels: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(MappingRefused, match=sentence):
        evaluate(parse(text), {"x": x}, labels)
