"""The two corpora: broken resources with every message that they must give, and Flink SQL that must never be refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.api.load import load_modeldeployments
from headgate.api.problems import Problem
from headgate.api.sqltokens import Kind, Token, tokenize
from headgate.api.validation import examine
from headgate.errors import InvalidResource

FOLDER = Path(__file__).parent / "corpus"
BROKEN = sorted((FOLDER / "broken").glob("*.yaml"))
VALID: dict[str, Any] = yaml.safe_load((FOLDER / "valid_sql.yaml").read_text(encoding="utf-8"))
MODEL = {"uri": "model.onnx", "outputs": {"probability": "scores[1]", "label": "flags"}}


def expected(path: Path) -> tuple[str, ...]:
    """The problems that a broken resource names at its end, in lines that begin with ``#! ``."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(line.removeprefix("#! ") for line in lines if line.startswith("#! "))


def resource(tables: str, query: str, key: str, output: str) -> dict[str, Any]:
    """A sound resource around the given SQL."""
    pipeline = {"tables": tables, "input": query, "key": key, "output": output}
    return {"metadata": {"name": "corpus"}, "spec": {"model": MODEL, "pipeline": pipeline}}


def problems_of_input(sql: str, key: str = "id") -> tuple[Problem, ...]:
    """What is said of a query over the corpus' tables."""
    return examine(resource(VALID["tables"], sql, key, "INSERT INTO counts SELECT 'a', 1 FROM scored")).problems


def problems_of_output(sql: str) -> tuple[Problem, ...]:
    """What is said of statements over the corpus' scored rows."""
    return examine(resource(VALID["tables"], VALID["scored"], "id", sql)).problems


def test_the_corpora_are_large_enough() -> None:
    assert len(BROKEN) >= 60
    assert sum(len(VALID[part]) for part in ("inputs", "outputs", "table_statements")) >= 70


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem.replace("-", " "))
def test_a_broken_resource_gives_exactly_its_messages(path: Path) -> None:
    assert expected(path), f"{path.name} expects nothing"
    with pytest.raises(InvalidResource) as caught:
        load_modeldeployments(path.read_text(encoding="utf-8"))
    assert caught.value.problems == expected(path)


@pytest.mark.parametrize("case", VALID["inputs"], ids=lambda case: case["name"])
def test_a_valid_query_is_not_refused(case: dict[str, str]) -> None:
    assert problems_of_input(case["sql"], case["key"]) == ()


@pytest.mark.parametrize("case", VALID["outputs"], ids=lambda case: case["name"])
def test_a_valid_output_is_not_refused(case: dict[str, str]) -> None:
    assert problems_of_output(case["sql"]) == ()


@pytest.mark.parametrize("case", VALID["table_statements"], ids=lambda case: case["name"])
def test_a_valid_declaration_is_not_refused(case: dict[str, str]) -> None:
    tables = f"{VALID['tables']};{case['sql']}"
    output = "INSERT INTO predictions SELECT id, amount, probability FROM scored"
    assert examine(resource(tables, VALID["scored"], "id", output)).problems == ()


def _respelt(tokens: tuple[Token, ...], separators: list[str], swap: bool) -> str:
    """The same statement with other space and comments between its tokens, and keywords in the other case."""
    words = [
        token.text.swapcase() if swap and token.kind is Kind.WORD and token.text.isupper() else token.text
        for token in tokens
    ]
    return "".join(separators[position % len(separators)] + word for position, word in enumerate(words))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=st.sampled_from([case for case in VALID["inputs"] if "unchecked" not in case]),
    separators=st.lists(
        st.sampled_from([" ", "\n", "\t\r\n", " /* ( ' */ ", " -- it's; )\n", "  "]), min_size=1, max_size=5
    ),
    swap=st.booleans(),
)
def test_space_comments_and_case_change_nothing(case: dict[str, str], separators: list[str], swap: bool) -> None:
    tokens, misread = tokenize(case["sql"])
    assert misread == ()
    assert problems_of_input(_respelt(tokens, separators, swap), case["key"]) == ()


@settings(max_examples=40, deadline=None)
@given(case=st.sampled_from(VALID["inputs"]), data=st.data())
def test_a_parenthesis_or_bracket_too_few_is_always_told(case: dict[str, str], data: st.DataObject) -> None:
    tokens, _ = tokenize(case["sql"])
    marks = [token for token in tokens if token.is_mark("(", ")", "[", "]")]
    if not marks:
        return
    gone = data.draw(st.sampled_from(marks))
    told = problems_of_input(case["sql"][: gone.start] + " " + case["sql"][gone.end :], case["key"])
    assert [problem for problem in told if "closes" in problem.message or "closed" in problem.message]


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet="abc'`\"-/*;,()[]{}.:!<>= \n0123eE$#\\ä", max_size=80))
def test_whatever_stands_in_the_sql_the_answer_is_a_list_of_problems(text: str) -> None:
    for part in ("tables", "input", "output"):
        texts = {
            "tables": VALID["tables"],
            "input": VALID["scored"],
            "output": "INSERT INTO counts SELECT 'a', 1 FROM scored",
        }
        texts[part] = text or ";"
        examine(resource(texts["tables"], texts["input"], "id", texts["output"]))
