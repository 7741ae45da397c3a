"""Finds the misspelt keyword of a statement that does not parse: the one word whose correction makes it parse.

Called by :mod:`headgate.api.sqlschema`. The second opinion comes from sqlglot with a small Flink dialect. sqlglot does not know all of
Flink's SQL, so that it fails means nothing by itself: only a correction that makes it succeed is told.
"""

from __future__ import annotations

import logging
from typing import ClassVar

from sqlglot import ErrorLevel, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from headgate.api.names import nearest
from headgate.api.reserved import RESERVED
from headgate.api.sqlstatements import Statement
from headgate.api.sqltokens import Kind, Misread

_KEYWORDS = (
    "SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "UNION", "JOIN", "LEFT", "INNER", "OUTER", "CROSS", "BETWEEN",
    "DISTINCT", "WITH", "INSERT", "INTO", "VALUES", "LIMIT", "CASE", "WHEN", "THEN", "ELSE", "CREATE", "TABLE", "VIEW",
    "PARTITION", "INTERVAL",
)  # fmt: skip
_MOST_TRIES = 6


class _FlinkDialect(Dialect):
    """As much of Flink's lexical rules as tells names from texts."""

    class Tokenizer(tokens.Tokenizer):
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`"]
        QUOTES: ClassVar[list[str | tuple[str, str]]] = ["'"]
        COMMENTS: ClassVar[list[str | tuple[str, str]]] = ["--", "//", ("/*", "*/")]


def misspelt(statement: Statement, names: frozenset[str]) -> Misread | None:
    """The word that must be a keyword for the statement to parse, or None; never one of ``names``, which are declared."""
    if _parses(statement.text):
        return None
    offset = statement.tokens[0].start
    tries = 0
    for token in statement.tokens:
        if token.kind is not Kind.WORD or token.text.lower() in RESERVED or token.text in names or len(token.text) < 3:
            continue
        keyword = nearest(token.upper, _KEYWORDS)
        if keyword is None or keyword == token.upper or tries == _MOST_TRIES:
            continue
        tries += 1
        corrected = statement.text[: token.start - offset] + keyword + statement.text[token.end - offset :]
        if _parses(corrected):
            return Misread(f'"{token.text}" is no word of SQL; did you mean {keyword}?', token.line, token.column)
    return None


def _parses(text: str) -> bool:
    quiet = logging.getLogger("sqlglot")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)
    try:
        _FlinkDialect().parse(text, error_level=ErrorLevel.IMMEDIATE)
    except (SqlglotError, RecursionError):
        return False
    finally:
        quiet.setLevel(level)
    return True
