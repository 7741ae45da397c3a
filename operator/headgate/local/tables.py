"""What the pipeline's SQL says about its tables: names, WITH options, and which of them are written to.

Called by ``headgate.local.session`` (which jars are needed, where output lies). Pure, and no SQL parser: it finds the
options of CREATE TABLE and the targets of INSERT, and leaves the rest to Flink.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PIECE = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^']|'')*')|(?P<name>`(?:[^`]|``)*`)|(?P<word>\w[\w$]*)|(?P<mark>[^\s\w])",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class TableOptions:
    """One CREATE TABLE: its name, and its options in their order."""

    name: str
    options: tuple[tuple[str, str], ...]

    def get(self, option: str) -> str:
        """The option's value, or an empty text."""
        return dict(self.options).get(option, "")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    def says(self, word: str) -> bool:
        return self.kind in ("word", "mark") and self.text.upper() == word


def tables_of(sql: str) -> tuple[TableOptions, ...]:
    """Every CREATE TABLE of ``sql``; one without WITH (LIKE, AS) has no options of its own."""
    return tuple(table for statement in _statements(sql) if (table := _table(statement)) is not None)


def sinks_of(sql: str) -> tuple[str, ...]:
    """The tables that the INSERT statements of ``sql`` write to, each once, in order."""
    found: dict[str, None] = {}
    for tokens in _statements(sql):
        for at, token in enumerate(tokens[:-2]):
            if token.says("INSERT") and (tokens[at + 1].says("INTO") or tokens[at + 1].says("OVERWRITE")):
                name, _ = _name(tokens, at + 2)
                found.setdefault(name)
    return tuple(found)


def _statements(sql: str) -> Iterator[list[_Token]]:
    tokens: list[_Token] = []
    for match in _PIECE.finditer(sql):
        kind = match.lastgroup or ""
        if kind == "comment":
            continue
        if match.group() == ";":
            if tokens:
                yield tokens
            tokens = []
            continue
        text = match.group()
        if kind == "text":
            text = text[1:-1].replace("''", "'")
        elif kind == "name":
            text = text[1:-1].replace("``", "`")
        tokens.append(_Token(kind, text))
    if tokens:
        yield tokens


def _table(tokens: list[_Token]) -> TableOptions | None:
    if not tokens[0].says("CREATE"):
        return None
    at = 1
    if at < len(tokens) and tokens[at].says("TEMPORARY"):
        at += 1
    if at >= len(tokens) or not tokens[at].says("TABLE"):
        return None
    at += 1
    if [token.text.upper() for token in tokens[at : at + 3]] == ["IF", "NOT", "EXISTS"]:
        at += 3
    name, at = _name(tokens, at)
    return TableOptions(name, tuple(_options(tokens, at)))


def _name(tokens: list[_Token], at: int) -> tuple[str, int]:
    """A dotted name's last part, and the position after it."""
    name = tokens[at].text if at < len(tokens) else ""
    at += 1
    while at + 1 < len(tokens) and tokens[at].says("."):
        name, at = tokens[at + 1].text, at + 2
    return name, at


def _options(tokens: list[_Token], at: int) -> Iterator[tuple[str, str]]:
    """The pairs of ``WITH ( 'key' = 'value', … )`` outside of the column list's parentheses."""
    depth, inside = 0, False
    for position in range(at, len(tokens)):
        token = tokens[position]
        if token.says("("):
            inside = inside or (depth == 0 and tokens[position - 1].says("WITH"))
            depth += 1
        elif token.says(")"):
            depth -= 1
            inside = inside and depth > 0
        elif inside and token.says("=") and tokens[position - 1].kind == "text" and position + 1 < len(tokens):
            yield tokens[position - 1].text, tokens[position + 1].text
