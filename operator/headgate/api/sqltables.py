"""Reads ``CREATE TABLE``, ``CREATE VIEW`` and ``CREATE FUNCTION``: what is declared, with which columns and options.

Called by :mod:`headgate.api.sqlschema`. It reads what it needs and leaves the rest to Flink; where it cannot tell the columns, they
are None and nothing is concluded from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from headgate.api.names import did_you_mean
from headgate.api.reserved import RESERVED
from headgate.api.sqlstatements import Statement
from headgate.api.sqltokens import Kind, Misread, Token


class Declares(StrEnum):
    """What a statement of ``tables`` makes."""

    TABLE = "TABLE"
    VIEW = "VIEW"
    FUNCTION = "FUNCTION"


class Origin(StrEnum):
    """Where a column's values come from."""

    PHYSICAL = "physical"
    METADATA = "metadata"
    VIRTUAL = "virtual"
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """One column; ``virtual`` and ``computed`` ones are read and never written."""

    name: str
    origin: Origin

    @property
    def written(self) -> bool:
        """Whether an INSERT must give it."""
        return self.origin in (Origin.PHYSICAL, Origin.METADATA)


@dataclass(frozen=True, slots=True)
class Declared:
    """One table, view or function. ``query`` are the tokens of a view's query; ``like`` the table that it is made after."""

    declares: Declares
    path: tuple[str, ...]
    at: Token
    columns: tuple[DeclaredColumn, ...] | None
    options: tuple[tuple[Token, Token], ...] | None = None
    like: Token | None = None
    query: tuple[Token, ...] = ()
    names: tuple[str, ...] = ()
    guarded: bool = False
    """Whether it is said to be temporary, to replace, or to be left alone where it is there already."""

    @property
    def name(self) -> str:
        """Its name without catalog and database."""
        return self.path[-1]


_TYPES = frozenset({
    "CHAR", "CHARACTER", "VARCHAR", "STRING", "BOOLEAN", "BINARY", "VARBINARY", "BYTES", "DECIMAL", "DEC", "NUMERIC",
    "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ",
    "ARRAY", "MULTISET", "MAP", "ROW", "RAW", "VARIANT", "BITMAP", "STRUCTURED",
})  # fmt: skip
_ELSEWHERE = {
    "TEXT": "STRING", "NVARCHAR": "STRING", "UUID": "STRING", "JSON": "STRING", "CLOB": "STRING", "OBJECT": "STRING",
    "LONG": "BIGINT", "INT64": "BIGINT", "INT32": "INT", "INT16": "SMALLINT", "SHORT": "SMALLINT", "INT8": "TINYINT",
    "BYTE": "TINYINT", "BOOL": "BOOLEAN", "FLOAT64": "DOUBLE", "FLOAT32": "FLOAT", "REAL": "FLOAT", "NUMBER": "DECIMAL",
    "BLOB": "BYTES", "DATETIME": "TIMESTAMP(3)", "TIMESTAMPTZ": "TIMESTAMP_LTZ(3)", "TIMESTAMP_TZ": "TIMESTAMP_LTZ(3)",
}  # fmt: skip
_NO_COLUMN = frozenset({"WATERMARK", "PRIMARY", "UNIQUE", "CONSTRAINT"})
_GENERIC = frozenset({"ROW", "ARRAY", "MAP", "MULTISET", "RAW"})


def declared_kind(statement: Statement) -> tuple[str, int]:
    """The word that says what a CREATE makes (``TABLE``, ``MODEL``, …) and its position; empty where none follows."""
    at = 1
    while at < len(statement.tokens) and statement.tokens[at].upper in (
        "OR",
        "REPLACE",
        "ALTER",
        "TEMPORARY",
        "SYSTEM",
    ):
        at += 1
    return (statement.tokens[at].text, at) if at < len(statement.tokens) else ("", at)


def read_declaration(statement: Statement) -> Declared | None:
    """What a CREATE TABLE, VIEW or FUNCTION declares; None when it is none of them or has no readable name."""
    word, at = declared_kind(statement)
    if word.upper() not in Declares.__members__:
        return None
    at += 1
    tokens = statement.tokens
    if [token.upper for token in tokens[at : at + 3]] == ["IF", "NOT", "EXISTS"]:
        at += 3
    path, end = read_path(tokens, at)
    if not path:
        return None
    declares, name = Declares[word.upper()], tokens[at]
    read = {Declares.VIEW: _view, Declares.TABLE: _table, Declares.FUNCTION: _function}[declares]
    guarded = any(token.upper in ("REPLACE", "TEMPORARY", "EXISTS") for token in tokens[:end])
    return replace(read(tokens, end, path, name), guarded=guarded)


def read_path(tokens: Sequence[Token], at: int) -> tuple[tuple[str, ...], int]:
    """A name such as ``catalog.database.table`` and the position after it; an empty path where no name stands."""
    if at >= len(tokens) or not tokens[at].is_name():
        return (), at
    path = [tokens[at].name]
    at += 1
    while at + 1 < len(tokens) and tokens[at].is_mark(".") and tokens[at + 1].is_name():
        path.append(tokens[at + 1].name)
        at += 2
    return tuple(path), at


def closing(tokens: Sequence[Token], at: int) -> int:
    """The position of the parenthesis that closes the one at ``at``; the end when none does."""
    depth = 0
    for position in range(at, len(tokens)):
        depth += tokens[position].is_mark("(", "[", "{") - tokens[position].is_mark(")", "]", "}")
        if depth == 0:
            return position
    return len(tokens)


def split_list(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """What stands between the commas of a list, those inside of parentheses and type arguments aside."""
    items: list[tuple[Token, ...]] = []
    current: list[Token] = []
    depth = angle = 0
    for position, token in enumerate(tokens):
        depth += token.is_mark("(", "[", "{") - token.is_mark(")", "]", "}")
        if token.is_mark("<") and position and tokens[position - 1].upper in _GENERIC:
            angle += 1
        elif token.is_mark(">") and angle:
            angle -= 1
        if token.is_mark(",") and depth == 0 and angle == 0:
            items.append(tuple(current))
            current = []
        else:
            current.append(token)
    return [*items, tuple(current)] if current else items


def _function(_tokens: Sequence[Token], _at: int, path: tuple[str, ...], name: Token) -> Declared:
    return Declared(Declares.FUNCTION, path, name, None)


def _table(tokens: Sequence[Token], at: int, path: tuple[str, ...], name: Token) -> Declared:
    columns: tuple[DeclaredColumn, ...] | None = None
    if at < len(tokens) and tokens[at].is_mark("("):
        end = closing(tokens, at)
        columns = tuple(_columns(split_list(tokens[at + 1 : end])))
        at = end + 1
    options: tuple[tuple[Token, Token], ...] | None = None
    like: Token | None = None
    query: tuple[Token, ...] = ()
    while at < len(tokens):
        token = tokens[at]
        if token.is_mark("("):
            at = closing(tokens, at)
        elif token.upper == "WITH" and at + 1 < len(tokens) and tokens[at + 1].is_mark("("):
            end = closing(tokens, at + 1)
            options = tuple(_options(split_list(tokens[at + 2 : end])))
            at = end
        elif token.upper == "LIKE" and at + 1 < len(tokens):
            like = tokens[at + 1]
        elif token.upper == "AS":
            query = tuple(tokens[at + 1 :])
            break
        at += 1
    return Declared(Declares.TABLE, path, name, None if like or query else columns, options, like, query)


def _columns(items: Sequence[Sequence[Token]]) -> Iterator[DeclaredColumn]:
    for item in items:
        if not item or not item[0].is_name() or item[0].upper in _NO_COLUMN:
            continue
        words = [token.upper for token in item]
        if len(item) > 1 and words[1] == "AS":
            yield DeclaredColumn(item[0].name, Origin.COMPUTED)
        elif "METADATA" in words[1:]:
            yield DeclaredColumn(item[0].name, Origin.VIRTUAL if "VIRTUAL" in words else Origin.METADATA)
        else:
            yield DeclaredColumn(item[0].name, Origin.PHYSICAL)


def _options(items: Sequence[Sequence[Token]]) -> Iterator[tuple[Token, Token]]:
    for item in items:
        if len(item) == 3 and item[1].is_mark("=") and item[0].kind is item[2].kind is Kind.STRING:
            yield item[0], item[2]


def _view(tokens: Sequence[Token], at: int, path: tuple[str, ...], name: Token) -> Declared:
    names: tuple[str, ...] = ()
    if at < len(tokens) and tokens[at].is_mark("("):
        end = closing(tokens, at)
        names = tuple(item[0].name for item in split_list(tokens[at + 1 : end]) if item)
        at = end + 1
    while at < len(tokens) and tokens[at].upper != "AS":
        at += 1
    return Declared(Declares.VIEW, path, name, None, query=tuple(tokens[at + 1 :]), names=names)


def column_problems(statement: Statement) -> Iterator[Misread]:
    """Column names that need backticks, columns declared twice, and types that Flink does not have."""
    opening = next((position for position, token in enumerate(statement.tokens) if token.is_mark("(")), None)
    declared = read_declaration(statement)
    if opening is None or declared is None or declared.declares is not Declares.TABLE:
        return
    if any(token.upper in ("WITH", "AS", "LIKE") for token in statement.tokens[:opening]):
        return
    seen: set[str] = set()
    for item in split_list(statement.tokens[opening + 1 : closing(statement.tokens, opening)]):
        yield from _key_problem(item)
        if not item or not item[0].is_name() or item[0].upper in _NO_COLUMN:
            continue
        column = item[0]
        if column.kind is Kind.WORD and column.text.lower() in RESERVED:
            message = f'"{column.text}" is a word of SQL; as a column it is written `{column.text}`'
            yield Misread(message, column.line, column.column)
        if column.name in seen:
            yield Misread(f'the column "{column.name}" is declared twice', column.line, column.column)
        seen.add(column.name)
        yield from _type_problem(item)


def _key_problem(item: Sequence[Token]) -> Iterator[Misread]:
    words = [token.upper for token in item]
    for at, token in enumerate(item):
        if words[at : at + 2] == ["PRIMARY", "KEY"] and words[-2:] != ["NOT", "ENFORCED"] and "COMMENT" not in words:
            yield Misread("write PRIMARY KEY … NOT ENFORCED: Flink does not check keys", token.line, token.column)


def _type_problem(item: Sequence[Token]) -> Iterator[Misread]:
    if len(item) == 1:
        yield Misread(f'the column "{item[0].name}" has no type', item[0].line, item[0].column)
        return
    token = item[1]
    meant = {"FOR": "WATERMARK", "KEY": "PRIMARY"}.get(token.upper)
    if meant is not None:
        yield Misread(f'"{item[0].text} {token.text}": did you mean {meant}?', item[0].line, item[0].column)
    elif token.kind is Kind.WORD and token.upper not in _TYPES | {"AS", "METADATA"}:
        known = _ELSEWHERE.get(token.upper)
        hint = f"; write {known}" if known else did_you_mean(token.upper, _TYPES)
        yield Misread(f'Flink has no type "{token.text}"{hint}', token.line, token.column)
