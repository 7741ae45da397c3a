"""Finds the columns that a query yields, as far as that can be told from the text.

Called by the checks of the SQL. Where a name cannot be told (a star over something that the text does not declare), the answer is
None, and nobody concludes anything from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.api.reserved import RESERVED
from headgate.api.sqlsources import (
    ENDS_FROM,
    SETS,
    TableName,
    Tokens,
    is_distinct_from,
    names_given,
    own_name,
    tables_read,
)
from headgate.api.sqltables import closing, read_path, split_list
from headgate.api.sqltokens import Kind, Token

Columns = tuple[str, ...] | None
"""The columns of a table or query; None when unknown."""

_WINDOWS = frozenset({"TUMBLE", "HOP", "CUMULATE", "SESSION"})
_WINDOW_COLUMNS = ("window_start", "window_end", "window_time")
_INFIX = frozenset({
    "AND", "OR", "NOT", "IS", "IN", "LIKE", "ILIKE", "RLIKE", "TO", "ESCAPE", "BETWEEN", "SYMMETRIC", "ASYMMETRIC", "OF",
    "FROM", "JSON", "UNIQUE", "OVER", "OVERLAPS", "CONTAINS", "PRECEDES", "SUCCEEDS", "EQUALS", "DIV", "MULTISET",
    "EXCEPT", "INTERSECT", "DISTINCT", "ALL", "AT", "WITH", "WITHIN", "FILTER", "RESPECT", "IGNORE",
})  # fmt: skip
"""Words between or before two operands: what follows them is no alias."""


@dataclass(frozen=True, slots=True)
class PlainColumn:
    """A selected column that is nothing but a name, from a query that reads one single table."""

    table: TableName
    name: str
    at: Token


def columns_yielded(tokens: Tokens, known: Mapping[str, Columns]) -> Columns:
    """The columns of a query, in order; None when a star hides them. A column without a name is called as Flink does.

    ``known`` gives the columns of the tables and views that there are, by their own names.
    """
    tokens = _unwrapped(tokens)
    scope: dict[str, Columns] = dict(known)
    if tokens and tokens[0].upper == "WITH":
        for position in names_given(tokens, 0):
            scope[tokens[position].name] = _common_columns(tokens, position, scope)
        tokens = _after_common(tokens)
        return columns_yielded(tokens, scope) if tokens else None
    tokens = _first_of_sets(tokens)
    if tokens and tokens[0].is_mark("("):
        return columns_yielded(tokens, scope) if closing(tokens, 0) == len(tokens) - 1 else None
    found = _select(tokens)
    if found is None:
        return None
    items, source = found
    columns: list[str] = []
    for item in items:
        if _has_star(item):
            inner = _star(item, source, scope)
            if inner is None:
                return None
            columns += inner
        else:
            columns.append(_item_name(item) or f"EXPR${len(columns)}")
    return tuple(columns)


def column_count(tokens: Tokens, known: Mapping[str, Columns]) -> int | None:
    """How many columns a query yields, named or not; None when a star hides them or the query is not a SELECT."""
    tokens = _unwrapped(tokens)
    if tokens and tokens[0].upper == "WITH":
        tokens = _after_common(tokens)
    tokens = _first_of_sets(_unwrapped(tokens))
    found = _select(tokens)
    if found is None:
        return None
    items, source = found
    if not any(map(_has_star, items)):
        return len(items)
    return None if source is None or len(items) != 1 else _known_count(source, known)


def _known_count(source: Tokens, known: Mapping[str, Columns]) -> int | None:
    path, end = read_path(source, 0)
    columns = known.get(own_name(path) or "") if path and end == len(source) else None
    return len(columns) if columns is not None else None


def plain_columns(tokens: Tokens) -> tuple[PlainColumn, ...]:
    """The selected columns that are plain names, where the query reads one table and nothing else."""
    tokens = _unwrapped(tokens)
    if not tokens or tokens[0].upper != "SELECT" or len(_first_of_sets(tokens)) != len(tokens):
        return ()
    found = _select(tokens)
    items, source = found if found is not None else ([], None)
    if source is None:
        return ()
    path, end = read_path(source, 0)
    rest = [token for token in source[end:] if token.upper != "AS"]
    if not path or len(rest) > 1 or (rest and not rest[0].is_name()):
        return ()
    table, alias = TableName(path, source[0]), rest[0].name if rest else path[-1]
    return tuple(column for item in items if (column := _plain_column(item, table, alias)) is not None)


def reserved_aliases(tokens: Tokens) -> tuple[Token, ...]:
    """Names given with AS to the columns of a query that are words of SQL and stand without backticks."""
    tokens = _unwrapped(tokens)
    if tokens and tokens[0].upper == "WITH":
        tokens = _after_common(tokens)
    items, _ = _select(_first_of_sets(tokens)) or ([], None)
    aliases = [item[-1] for item in items if len(item) > 2 and item[-2].upper == "AS"]
    return tuple(alias for alias in aliases if alias.kind is Kind.WORD and alias.text.lower() in RESERVED)


def _plain_column(item: Tokens, table: TableName, alias: str) -> PlainColumn | None:
    bare = item[:-2] if len(item) > 2 and item[-2].upper == "AS" else item
    path, end = read_path(bare, 0)
    if not path or end != len(bare) or (bare[0].kind is Kind.WORD and bare[0].text.lower() in RESERVED):
        return None
    if len(path) == 1:
        return PlainColumn(table, path[0], bare[0])
    return PlainColumn(table, path[1], bare[2]) if path[0] == alias else None


def _unwrapped(tokens: Tokens) -> Tokens:
    while tokens and tokens[0].is_mark("(") and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _after_common(tokens: Tokens) -> Tokens:
    last = list(names_given(tokens, 0))
    if not last:
        return ()
    at = last[-1] + 1
    while at < len(tokens) and tokens[at].upper != "AS":
        at = closing(tokens, at) + 1 if tokens[at].is_mark("(") else at + 1
    return tokens[closing(tokens, at + 1) + 1 :]


def _common_columns(tokens: Tokens, name: int, scope: Mapping[str, Columns]) -> Columns:
    at = name + 1
    if tokens[at].is_mark("("):
        end = closing(tokens, at)
        return tuple(item[0].name for item in split_list(tokens[at + 1 : end]) if item)
    return columns_yielded(tokens[at + 2 : closing(tokens, at + 1)], scope)


def _first_of_sets(tokens: Tokens) -> Tokens:
    depth = 0
    for position, token in enumerate(tokens):
        depth += token.is_mark("(", "[", "{") - token.is_mark(")", "]", "}")
        if depth == 0 and token.upper in SETS:
            return tokens[:position]
    return tokens


def _select(tokens: Tokens) -> tuple[list[tuple[Token, ...]], Tokens | None] | None:
    """The items of a SELECT and the tokens of its FROM clause (None without one); None when it is no SELECT."""
    if not tokens or tokens[0].upper != "SELECT":
        return None
    start = 2 if len(tokens) > 1 and tokens[1].upper in ("DISTINCT", "ALL") else 1
    depth, begin = 0, None
    for position in range(start, len(tokens)):
        token = tokens[position]
        if depth == 0 and token.upper == "FROM" and begin is None and not is_distinct_from(tokens, position):
            begin = position
        elif depth == 0 and begin is not None and token.upper in ENDS_FROM:
            return split_list(tokens[start:begin]), tokens[begin + 1 : position]
        elif depth == 0 and begin is None and token.upper in ("WHERE", "ORDER", "LIMIT"):
            return split_list(tokens[start:position]), None
        depth += token.is_mark("(", "[", "{") - token.is_mark(")", "]", "}")
    if begin is None:
        return split_list(tokens[start:]), None
    return split_list(tokens[start:begin]), tokens[begin + 1 :]


def _has_star(item: Tokens) -> bool:
    """``*``, ``alias.*``, and whatever may follow a star."""
    return any(token.is_mark("*") and (at == 0 or item[at - 1].is_mark(".")) for at, token in enumerate(item))


def _item_name(item: Tokens) -> str | None:
    if not item or not item[-1].is_name():
        return None
    if len(item) == 1 or item[-2].upper == "AS" or item[-2].is_mark("."):
        return item[-1].name
    before = item[-2]
    operand = before.is_mark(")", "]") if before.kind is Kind.MARK else before.upper not in _INFIX
    quoted = item[-1].kind is Kind.NAME
    return item[-1].name if operand and (quoted or item[-1].text.lower() not in RESERVED) else None


def _star(item: Tokens, source: Tokens | None, scope: Mapping[str, Columns]) -> Columns:
    """The columns of ``*`` or ``alias.*`` where the FROM clause holds one single thing that is known."""
    if source is None or not source or not item[-1].is_mark("*"):
        return None
    base, rest = _source_columns(source, scope)
    names = [token for token in rest if token.upper != "AS"]
    if len(names) > 1 or (names and not names[0].is_name()):
        return None
    return base


def _source_columns(source: Tokens, scope: Mapping[str, Columns]) -> tuple[Columns, Tokens]:
    """The columns of the first thing in a FROM clause, and what follows it."""
    if source[0].is_mark("("):
        end = closing(source, 0)
        return columns_yielded(source[1:end], scope), source[end + 1 :]
    if source[0].upper == "TABLE" and len(source) > 1 and source[1].is_mark("("):
        end = closing(source, 1)
        return _window_columns(source[2:end], scope), source[end + 1 :]
    if source[0].upper in _WINDOWS and len(source) > 1 and source[1].is_mark("("):
        end = closing(source, 1)
        return _window_columns(source[: end + 1], scope), source[end + 1 :]
    path, end = read_path(source, 0)
    return (scope.get(own_name(path) or "") if path else None), source[end:]


def _window_columns(call: Tokens, scope: Mapping[str, Columns]) -> Columns:
    if not call or call[0].upper not in _WINDOWS:
        return None
    tables = tables_read(call)
    columns = scope.get(own_name(tables[0].path) or "") if len(tables) == 1 else None
    return (*columns, *_WINDOW_COLUMNS) if columns is not None else None
