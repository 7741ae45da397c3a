"""Output expressions mean the same to Headgate and to the runtime: both read ``tests/contract/expressions.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headgate.api.expressions import Expression, ExpressionError, Output, parse_expression

CASES = json.loads((Path(__file__).parents[2] / "contract" / "expressions.json").read_text(encoding="utf-8"))


def _tree(expression: Expression) -> list[Any]:
    if isinstance(expression, Output):
        return ["output", expression.name, list(expression.index)]
    return [str(expression.function), _tree(expression.argument), expression.number]


@pytest.mark.parametrize("case", CASES["valid"], ids=lambda c: c["text"])
def test_an_expression_is_read_as_the_runtime_reads_it(case: dict[str, Any]) -> None:
    assert _tree(parse_expression(case["text"])) == case["tree"]


@pytest.mark.parametrize("case", CASES["invalid"], ids=lambda c: c["text"] or "nothing")
def test_an_expression_is_refused_where_the_runtime_refuses_it(case: dict[str, Any]) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(case["text"])
    assert caught.value.column == case["column"]
