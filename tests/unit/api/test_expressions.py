"""Output expressions: what they mean, where they are wrong, and that each writes itself as it can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.expressions import (
    Call,
    Expression,
    ExpressionError,
    Function,
    Output,
    functions,
    gives_number,
    output_names,
    parse_expression,
)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("scores", Output("scores")),
        ("scores[1]", Output("scores", (1,))),
        ("scores[ 0 , -2 ]", Output("scores", (0, -2))),
        ("StatefulPartitionedCall:0", Output("StatefulPartitionedCall:0")),
        ("dense_1/Softmax:0[3]", Output("dense_1/Softmax:0", (3,))),
        ('"a b-c"[1]', Output("a b-c", (1,))),
        ("argmax", Output("argmax")),
        ("argmax(argmax)", Call(Function.ARGMAX, Output("argmax"))),
        ("threshold(p[1], -1.5e-3)", Call(Function.THRESHOLD, Output("p", (1,)), -0.0015)),
        ("topk( scores , 3 )", Call(Function.TOPK, Output("scores"), 3.0)),
        (
            "label(argmax(softmax(x)))",
            Call(Function.LABEL, Call(Function.ARGMAX, Call(Function.SOFTMAX, Output("x")))),
        ),
        ("label(threshold(p, 0.5))", Call(Function.LABEL, Call(Function.THRESHOLD, Output("p"), 0.5))),
    ],
)
def test_an_expression_means(text: str, meaning: Expression) -> None:
    assert parse_expression(text) == meaning


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "expected an output or a function, not the end"),
        ("   ", 1, "expected an output or a function, not the end"),
        ("1", 1, 'expected an output or a function, not "1"'),
        ("a b", 3, '"b" is not expected here'),
        ("a-b", 2, '"-" has no meaning here; a name with other characters'),
        ("a-1", 2, "a name with a - in it needs double quotes"),
        ('x"', 2, "a double quote opens a name that never ends"),
        ("x[", 3, "expected a whole number, not the end"),
        ("x[1.5]", 3, 'expected a whole number, not "1.5"'),
        ("x[1", 4, 'expected "]", not the end'),
        ("x[1][2]", 5, '"[" is not expected here'),
        ("argmax(x", 9, 'expected ")", not the end'),
        ("Argmax(x)", 1, 'there is no function "Argmax"; did you mean "argmax"?'),
        ("mean(x)", 1, 'there is no function "mean"; there are argmax, max, '),
        ("max(x, 1)", 6, "max takes one argument"),
        ("threshold(x)", 12, "threshold takes two arguments; the second is a number to compare with"),
        ("topk(x, 1.5)", 9, 'expected k, a whole number from 1, not "1.5"'),
        ("topk(x, 0)", 9, 'expected k, a whole number from 1, not "0"'),
        ("softmax(x)[1]", 11, "an index follows an output's name, not a function"),
        ("label(softmax(x))", 1, "label needs the number of a class"),
        ("max(argmax(x))", 1, "max needs several numbers a row; argmax gives one"),
        ("softmax(topk(x, 3))", 1, "topk comes last: softmax cannot take its result"),
        ("label(label(argmax(x)))", 1, "label comes last"),
        ("max(" * 20 + "x" + ")" * 20, 69, "more than 16 functions inside one another"),
    ],
)
def test_an_expression_is_refused_at_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert caught.value.column == column
    assert message in str(caught.value)


OUTPUTS = st.builds(
    Output,
    st.text(alphabet=st.characters(blacklist_characters='"', blacklist_categories=("Cs",)), min_size=1, max_size=12),
    st.lists(st.integers(-5, 100), max_size=3).map(tuple),
)


@st.composite
def sensible(draw: st.DrawFn) -> Expression:
    """An expression that some model could make meaningful."""
    inner: Expression = draw(OUTPUTS)
    if draw(st.booleans()):
        inner = Call(draw(st.sampled_from([Function.SOFTMAX, Function.SIGMOID])), inner)
    last = draw(st.sampled_from([None, Function.ARGMAX, Function.MAX, Function.THRESHOLD, Function.TOPK]))
    if last is Function.THRESHOLD:
        return Call(last, inner, draw(st.floats(allow_nan=False, allow_infinity=False)))
    if last is Function.TOPK:
        return Call(last, inner, float(draw(st.integers(1, 1000))))
    outer: Expression = inner if last is None else Call(last, inner)
    return Call(Function.LABEL, outer) if last is Function.ARGMAX and draw(st.booleans()) else outer


@given(sensible())
def test_a_written_expression_reads_back(expression: Expression) -> None:
    assert parse_expression(str(expression)) == expression


def refusal(text: str) -> ExpressionError | None:
    """Why a text is no expression, or None."""
    try:
        parse_expression(text)
    except ExpressionError as error:
        return error
    return None


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_column_inside_of_it(text: str) -> None:
    error = refusal(text)
    assert error is None or 1 <= error.column <= len(text) + 1


def test_what_an_expression_reads_and_applies() -> None:
    expression = parse_expression("label(argmax(logits))")
    assert output_names(expression) == ("logits",)
    assert functions(expression) == (Function.LABEL, Function.ARGMAX)


@pytest.mark.parametrize(
    ("text", "number"),
    [("p[1]", True), ("argmax(x)", True), ("threshold(x, 0.5)", True), ("softmax(x)", False), ("topk(x, 2)", False)],
)
def test_whether_it_can_be_a_number(text: str, number: bool) -> None:
    assert gives_number(parse_expression(text)) is number
