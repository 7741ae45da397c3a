"""Texts: SQL is split at its semicolons alone, secrets are hidden, events are lines of JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_runtime.columns import literal, nearest, quote
from headgate_runtime.errors import PlanRefused, Stage
from headgate_runtime.events import Events
from headgate_runtime.secrets import Hidden
from headgate_runtime.statements import split_statements

# ---- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param(" ;; \n;", (), id="semicolons alone"),
        pytest.param("a; b ;c", ("a", "b", "c"), id="three"),
        pytest.param("SELECT ';' ; b", ("SELECT ';'", "b"), id="one in a string"),
        pytest.param("SELECT 'it''s; so'; b", ("SELECT 'it''s; so'", "b"), id="one behind a doubled quote"),
        pytest.param("SELECT `a;b`; c", ("SELECT `a;b`", "c"), id="one in a quoted name"),
        pytest.param('SELECT "a;b"; c', ('SELECT "a;b"', "c"), id="one in double quotes"),
        pytest.param("a -- x; y\n; b", ("a -- x; y", "b"), id="one in a comment"),
        pytest.param("a /* x; \n y; */; b", ("a /* x; \n y; */", "b"), id="one in a long comment"),
        pytest.param("a - b / c; d", ("a - b / c", "d"), id="signs that begin no comment"),
        pytest.param("-- only words; here\n/* and; here */", (), id="comments alone"),
        pytest.param("-- about a\na; -- about nothing", ("-- about a\na",), id="a comment stays with its statement"),
        pytest.param("a 'open; b", ("a 'open", "b"), id="a string that never ends"),
    ],
)
def test_sql_is_split_where_a_statement_ends(text: str, statements: tuple[str, ...]) -> None:
    assert split_statements(text) == statements


@given(st.lists(st.text(st.characters(exclude_characters=";", codec="utf-8"), max_size=12)))
def test_quoted_texts_are_never_split(texts: list[str]) -> None:
    statements = [f"SELECT {literal(text + ';')}, {quote(text + ';')}" for text in texts]
    assert split_statements(";\n".join(statements)) == tuple(s.strip() for s in statements)


def test_what_is_unknown_is_told_with_what_is_near() -> None:
    assert nearest("scroes", ("scores", "label")) == "There are: scores, label. Did you mean 'scores'?"
    assert nearest("x", ()) == "There are: none."


# ---- secrets ----------------------------------------------------------------------------------------------------------


def _missing(name: str, key: str) -> PlanRefused:
    return PlanRefused(f"no {key} of {name}")


def test_secrets_are_read_from_files_and_hidden_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "password").write_text("it's\nsecret\n")
    (tmp_path / "db" / "user").write_text("me")
    hidden = Hidden()
    assert hidden.resolve("u=${secret:db/user} p=${secret:db/password}", tmp_path, _missing) == "u=me p=it's\nsecret"
    assert hidden.hide("me: 'it''s\nsecret' and secret") == "me: '***' and ***"
    assert hidden.hide("nothing of it") == "nothing of it"


@pytest.mark.parametrize("text", ["${secret:../db/password}", "${secret:db}", "${secret:DB/x}", "$ {secret:db/x}"])
def test_what_is_no_reference_stays_as_it_is(tmp_path: Path, text: str) -> None:
    assert Hidden().resolve(text, tmp_path, _missing) == text


@pytest.mark.parametrize("key", ["gone", "..", "."])
def test_a_secret_that_is_not_there_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "db").mkdir()
    with pytest.raises(PlanRefused, match="of db"):
        Hidden().resolve(f"${{secret:db/{key}}}", tmp_path, _missing)


# ---- events -----------------------------------------------------------------------------------------------------------


def test_a_stage_tells_its_start_and_its_end() -> None:
    stream = io.StringIO()
    with Events(stream).stage(Stage.LOAD, "version 3"):
        pass
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(t["event"], t["stage"], t["status"], t["message"]) for t in told] == [
        ("stage", "load", "started", "version 3"),
        ("stage", "load", "done", "version 3"),
    ]
    assert told[1]["seconds"] >= 0


def test_a_stage_that_fails_tells_why_and_lets_the_failure_through() -> None:
    stream = io.StringIO()
    with pytest.raises(PlanRefused), Events(stream).stage(Stage.PLAN):
        raise PlanRefused("no such table")
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert (last["status"], last["message"]) == ("failed", "no such table")
