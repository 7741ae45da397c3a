"""Reads Flink SQL as tokens: where strings, names and comments end, so that nothing inside of them is taken for SQL.

Called by :mod:`headgate.api.sqlstatements` and whoever must look at SQL without understanding all of it. The rules are those
of Flink 2.3's own parser (backticks for names, ``--``, ``//`` and ``/* */`` for comments, a doubled quote inside quotes,
backslashes in ``E'…'`` only), found by trying. It never decides whether a statement makes sense.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    NAME = "name"
    STRING = "string"
    NUMBER = "number"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``start`` and ``end`` count characters of the text from 0, ``line`` and ``column`` from 1."""

    kind: Kind
    text: str
    start: int
    end: int
    line: int
    column: int

    @property
    def upper(self) -> str:
        """The keyword that a word is, if it is one; empty for everything else."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    @property
    def name(self) -> str:
        """What a word or a quoted name is called."""
        return self.text[1:-1].replace("``", "`") if self.kind is Kind.NAME else self.text

    @property
    def value(self) -> str:
        """What a plain string says."""
        return self.text[1:-1].replace("''", "'") if self.text.startswith("'") else self.text

    def is_mark(self, *marks: str) -> bool:
        """Whether it is one of these punctuation marks."""
        return self.kind is Kind.MARK and self.text in marks

    def is_name(self) -> bool:
        """Whether it can name a table or column."""
        return self.kind in (Kind.WORD, Kind.NAME)


@dataclass(frozen=True, slots=True)
class Misread:
    """Why a text is no SQL at all, and where."""

    message: str
    line: int
    column: int


_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\r\n]*|//[^\r\n]*|/\*.*?\*/)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'|(?:[uU]&|[nNxX]|_[A-Za-z0-9]+)?'(?:[^']|'')*')
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)
    | (?P<word>[^\W\d][\w$]*|\$[\w$]+)
    | (?P<mark><>|<=|>=|\|\||=>|::|!=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NEVER_ENDS = (
    ("'", "a text opens with ' here and never closes"),
    ("`", "a name opens with ` here and never closes"),
    ("/*", "a comment opens with /* here and never closes"),
)
_FOREIGN = {
    '"': "double quotes mean nothing in Flink SQL: write 'text' for a text and `name` for a name",
    "!=": "Flink SQL has no !=; write <>",
    "::": "Flink SQL has no ::; write CAST(value AS type)",
    "#": "# means nothing in Flink SQL; a comment begins with --",
    "@": "@ means nothing in Flink SQL",
    "\\": "a backslash means nothing in Flink SQL outside of a text",
}


def tokenize(text: str) -> tuple[tuple[Token, ...], tuple[Misread, ...]]:
    """The tokens of a text without spaces and comments, and what Flink's lexer would not take.

    A text, name or comment that never ends is the last thing looked at.
    """
    lines = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]
    tokens: list[Token] = []
    misread: list[Misread] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        line = bisect_right(lines, at)
        column = at - lines[line - 1] + 1
        endless = next((message for opening, message in _NEVER_ENDS if text.startswith(opening, at)), None)
        if found is None or (found.lastgroup == "mark" and endless is not None):
            misread.append(Misread(endless or "cannot be read", line, column))
            break
        if found.lastgroup != "space":
            token = Token(Kind(str(found.lastgroup)), found[0], at, found.end(), line, column)
            tokens.append(token)
            if token.kind is Kind.MARK and token.text in _FOREIGN:
                misread.append(Misread(_FOREIGN[token.text], line, column))
        at = found.end()
    return tuple(tokens), tuple(dict.fromkeys(misread))
