"""The small readers: names, paths, places, secrets, options, and tokens of SQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.names import did_you_mean, listing, nearest
from headgate.api.options import owner_of
from headgate.api.places import place_problem
from headgate.api.problems import Problem, format_path
from headgate.api.reserved import RESERVED, identifier
from headgate.api.secrets import SecretRef, placeholders, secret_refs
from headgate.api.sqlspelling import misspelt
from headgate.api.sqlstatements import split
from headgate.api.sqltokens import Kind, Misread, tokenize


@pytest.mark.parametrize(
    ("name", "known", "answer"),
    [
        ("input", ["inputs", "outputs"], "inputs"),
        ("max_delay", ["maxDelay"], "maxDelay"),
        ("ID", ["id", "age"], "id"),
        ("urn", ["uri", "version"], "uri"),
        ("colour", ["parallelism"], None),
        ("", ["a"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name(name: str, known: list[str], answer: str | None) -> None:
    assert nearest(name, known) == answer
    assert did_you_mean(name, known) == (f'; did you mean "{answer}"?' if answer else "")


def test_a_long_list_is_cut() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing([str(number) for number in range(20)], limit=3) == "0, 1, 2, …"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "rollout", "steps", 0, "setWeight"), "spec.rollout.steps[0].setWeight"),
        (("spec", "flink", "config", "a.b"), 'spec.flink.config["a.b"]'),
        (("spec", "model", "inputs", "dense-1", 2), "spec.model.inputs.dense-1[2]"),
    ],
)
def test_a_path_is_written(path: tuple[str | int, ...], text: str) -> None:
    assert format_path(path) == text
    assert str(Problem(path, "is wrong")) == (f"{text}: is wrong" if text else "is wrong")


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("model.onnx", None),
        ("../models/model.onnx", None),
        ("s3://bucket/model.onnx", None),
        ("S3://bucket/model.onnx", None),
        ("file:model.onnx", None),
        ("file:", "names no file"),
        ("file:///", "names no file"),
        ("s3:/bucket/x", "must begin with s3://"),
        ("s3://", "names no bucket"),
        ("https://example.com/", "names no file in that place"),
        ("pvc:///x", "names no claim"),
        ("htps://example.com/x", 'cannot read from "htps:"; did you mean "https"?'),
        ("hf://models/x", 'cannot read from "hf:"; known are'),
        (" model.onnx", "has spaces around it or a line break in it"),
        ("model\n.onnx", "has spaces around it or a line break in it"),
    ],
)
def test_a_place_can_be_read_from(uri: str, problem: str | None) -> None:
    found = place_problem(uri)
    assert found is None if problem is None else problem in str(found)


def test_secrets_are_found_once_and_in_order() -> None:
    text = "'a' = '${secret:kafka/user}', 'b' = 'x ${secret:db.main/pass_word} ${secret:kafka/user}', 'c' = '$ {x} ${'"
    assert secret_refs(text) == (SecretRef("db.main", "pass_word"), SecretRef("kafka", "user"))
    assert str(SecretRef("kafka", "user")) == "${secret:kafka/user}"


@given(st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?\Z"), st.from_regex(r"\A[-._A-Za-z0-9]{1,30}\Z"))
def test_a_written_secret_reads_back(name: str, key: str) -> None:
    (found,) = placeholders(f"before {SecretRef(name, key)} after")
    assert (found.ref, found.start, found.problem) == (SecretRef(name, key), 7, "")


@pytest.mark.parametrize(
    ("key", "owned"),
    [
        ("rest.port", True),
        ("rest.portal", False),
        ("high-availability", True),
        ("high-availability.type", True),
        ("high-availability-x", False),
        ("execution.checkpointing.interval", True),
        ("execution.checkpointing.interval-during-backlog", False),
        ("execution.checkpointing.timeout", False),
        ("$internal.x", True),
        ("table.exec.state.ttl", False),
    ],
)
def test_which_options_are_headgates_own(key: str, owned: bool) -> None:
    assert (owner_of(key) is not None) is owned


def test_tokens_know_their_kind_and_place() -> None:
    tokens, misread = tokenize("SELECT `a b`, 'it''s', E'\\'', 1.5e-3 -- x'\n  FROM t // y\n")
    assert misread == ()
    assert [(token.kind, token.text, token.line, token.column) for token in tokens] == [
        (Kind.WORD, "SELECT", 1, 1),
        (Kind.NAME, "`a b`", 1, 8),
        (Kind.MARK, ",", 1, 13),
        (Kind.STRING, "'it''s'", 1, 15),
        (Kind.MARK, ",", 1, 22),
        (Kind.STRING, "E'\\''", 1, 24),
        (Kind.MARK, ",", 1, 29),
        (Kind.NUMBER, "1.5e-3", 1, 31),
        (Kind.WORD, "FROM", 2, 3),
        (Kind.WORD, "t", 2, 8),
    ]
    assert (tokens[1].name, tokens[3].value) == ("a b", "it's")


@pytest.mark.parametrize(
    ("text", "misread"),
    [
        ("SELECT 'a", Misread("a text opens with ' here and never closes", 1, 8)),
        ("SELECT\n `a", Misread("a name opens with ` here and never closes", 2, 2)),
        ("SELECT 1 /* a", Misread("a comment opens with /* here and never closes", 1, 10)),
        ("a != b", Misread("Flink SQL has no !=; write <>", 1, 3)),
    ],
)
def test_what_no_sql_has(text: str, misread: Misread) -> None:
    assert tokenize(text)[1] == (misread,)


def test_statements_are_split_outside_of_texts_names_and_comments() -> None:
    statements, _ = split("; A 'b;c' `d;e` -- f;g\n ; /* h;i */ J; ;")
    assert [(one.text, one.line) for one in statements] == [("A 'b;c' `d;e`", 1), ("J", 2)]


def test_a_misspelt_word_is_told_unless_it_is_the_name_of_something() -> None:
    (statement,), _ = split("SELECT id FORM customers")
    assert misspelt(statement, frozenset()) == Misread('"FORM" is no word of SQL; did you mean FROM?', 1, 11)
    assert misspelt(statement, frozenset({"FORM"})) is None


def test_names_that_need_backticks_get_them() -> None:
    assert identifier("value") == "`value`"
    assert identifier("amount") == "amount"
    assert "call" in RESERVED
