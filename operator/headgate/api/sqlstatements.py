"""Splits SQL into statements and finds what is broken whatever the statement means: parentheses and commas.

Called by :mod:`headgate.api.sqlschema`. Only what Flink's own parser is sure to refuse is told; in doubt it stays silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headgate.api.sqltokens import Misread, Token, tokenize

_AFTER_LIST = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "HAVING", "UNION", "EXCEPT", "INTERSECT", "LIMIT"})
"""Reserved words that cannot follow a comma."""

_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its tokens without the ``;``, and the text that they come from."""

    tokens: tuple[Token, ...]
    source: str

    @property
    def text(self) -> str:
        """The statement as written, without what stands around it."""
        return self.source[self.tokens[0].start : self.tokens[-1].end]

    @property
    def line(self) -> int:
        """The line that it begins on, from 1."""
        return self.tokens[0].line

    def begins(self, *words: str) -> bool:
        """Whether its first words are these."""
        return tuple(token.upper for token in self.tokens[: len(words)]) == words

    def depths(self) -> Iterator[tuple[int, Token]]:
        """Every token with the number of parentheses around it (an opening one counts as outside of itself)."""
        depth = 0
        for token in self.tokens:
            if token.is_mark(")", "]", "}"):
                depth -= 1
            yield depth, token
            if token.is_mark("(", "[", "{"):
                depth += 1


def split(text: str) -> tuple[tuple[Statement, ...], tuple[Misread, ...]]:
    """The statements of a text, empty ones left out, and everything in it that no SQL has."""
    tokens, misread = tokenize(text)
    statements: list[Statement] = []
    current: list[Token] = []
    for token in tokens:
        if token.is_mark(";"):
            if current:
                statements.append(Statement(tuple(current), text))
            current = []
        else:
            current.append(token)
    if current:
        statements.append(Statement(tuple(current), text))
    return tuple(statements), misread


def structure(statement: Statement) -> Iterator[Misread]:
    """Parentheses that do not match, commas with nothing after them."""
    yield from _parentheses(statement.tokens)
    yield from _commas(statement.tokens)


def _parentheses(tokens: Sequence[Token]) -> Iterator[Misread]:
    opened: list[Token] = []
    for token in tokens:
        if token.is_mark("(", "[", "{"):
            opened.append(token)
        elif token.is_mark(")", "]", "}"):
            if opened and opened[-1].text == _PAIRS[token.text]:
                opened.pop()
                continue
            if opened:
                other = opened[-1]
                message = f'"{token.text}" closes the "{other.text}" of line {other.line}, column {other.column}'
                yield Misread(message, token.line, token.column)
            else:
                yield Misread(f'"{token.text}" closes nothing', token.line, token.column)
            return
    for token in opened[:1]:
        yield Misread(f'"{token.text}" is never closed', token.line, token.column)


def _commas(tokens: Sequence[Token]) -> Iterator[Misread]:
    for position, token in enumerate(tokens):
        if not token.is_mark(","):
            continue
        before = tokens[position - 1] if position else None
        after = tokens[position + 1] if position + 1 < len(tokens) else None
        if after is None:
            yield Misread("a comma with nothing after it", token.line, token.column)
        elif after.is_mark(")", "]", ",") or after.upper in _AFTER_LIST:
            yield Misread(f'a comma with nothing between it and "{after.text}"', token.line, token.column)
        elif before is None or before.is_mark("(", "["):
            yield Misread("a comma with nothing before it", token.line, token.column)
