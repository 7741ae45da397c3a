"""Finds the tables that a query reads, subqueries included.

Called by the checks of the SQL and by :mod:`headgate.api.sqlquery`. It follows Flink's grammar only so far as names go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headgate.api.sqltables import closing, read_path
from headgate.api.sqltokens import Token

Tokens = Sequence[Token]

ENDS_FROM = frozenset({"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "QUALIFY"})
"""Words that end a FROM clause."""

SETS = frozenset({"UNION", "EXCEPT", "INTERSECT", "MINUS"})
"""Words between two queries."""

QUERY = ("SELECT", "WITH", "VALUES")
"""Words that begin a query."""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a query names it, and where."""

    path: tuple[str, ...]
    at: Token

    @property
    def name(self) -> str:
        """Its name without catalog and database."""
        return self.path[-1]


@dataclass(slots=True)
class _Level:
    """Where the scan is between two parentheses."""

    select: bool = False
    within_from: bool = False
    table_next: bool = False


def tables_read(tokens: Tokens) -> tuple[TableName, ...]:
    """Every table that a query or statement reads, subqueries included, common table expressions left out."""
    common = {
        tokens[name].name
        for at, token in enumerate(tokens)
        if token.upper == "WITH"
        for name in names_given(tokens, at)
    }
    return tuple(table for table in _scan(tokens) if not (len(table.path) == 1 and table.name in common))


def own_name(path: tuple[str, ...]) -> str | None:
    """The name of a table of the default database; None for one of another catalog or database."""
    return path[-1] if path[:-1] in ((), ("default_database",), ("default_catalog", "default_database")) else None


def names_given(tokens: Tokens, at: int) -> Iterator[int]:
    """The positions of the names that the WITH at ``at`` gives to queries."""
    at += 1
    while at + 1 < len(tokens) and tokens[at].is_name():
        name, at = at, at + 1
        if tokens[at].is_mark("("):
            at = closing(tokens, at) + 1
        if at + 1 >= len(tokens) or tokens[at].upper != "AS" or not tokens[at + 1].is_mark("("):
            return
        yield name
        at = closing(tokens, at + 1) + 1
        if at >= len(tokens) or not tokens[at].is_mark(","):
            return
        at += 1


def _scan(tokens: Tokens) -> Iterator[TableName]:
    levels = [_Level()]
    at = 0
    while at < len(tokens):
        token, word, level = tokens[at], tokens[at].upper, levels[-1]
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if word == "MATCH_RECOGNIZE" and following is not None and following.is_mark("("):
            at = closing(tokens, at + 1)
        elif token.is_mark("("):
            nested = level.table_next and following is not None and following.upper not in QUERY
            level.table_next = False
            levels.append(_Level(nested, nested, nested))
        elif token.is_mark(")"):
            levels = levels[:-1] or [_Level()]
        elif word == "SELECT":
            levels[-1] = _Level(select=True)
        elif word == "FROM" and level.select and not is_distinct_from(tokens, at):
            level.within_from = level.table_next = True
        elif word == "JOIN" or (token.is_mark(",") and level.within_from):
            level.table_next = True
        elif word in ENDS_FROM or word in SETS:
            level.within_from = level.table_next = False
        elif (word == "TABLE" and following is not None and following.is_name()) or (
            level.table_next and token.is_name() and word != "LATERAL"
        ):
            start = at + 1 if word == "TABLE" and following is not None and following.is_name() else at
            path, end = read_path(tokens, start)
            if not (end < len(tokens) and tokens[end].is_mark("(")):
                yield TableName(path, tokens[start])
            at, level.table_next = end - 1, False
        at += 1


def is_distinct_from(tokens: Tokens, at: int) -> bool:
    """``IS [NOT] DISTINCT FROM``, which begins no FROM clause."""
    return at >= 2 and tokens[at - 1].upper == "DISTINCT" and tokens[at - 2].upper in ("IS", "NOT")
