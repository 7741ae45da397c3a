"""Splits SQL text into statements: on ``;`` outside of strings, quoted names and comments. Pure."""

from __future__ import annotations

import re

_PIECE = re.compile(r"'(?:[^']|'')*'|`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|;|[^'`\"\-/;]+|.", re.DOTALL)


def split_statements(text: str) -> tuple[str, ...]:
    """The statements of ``text`` without their ``;``, comments kept, empty ones left out."""
    statements, current = [], []
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece == ";":
            statements.append("".join(current))
            current = []
        else:
            current.append(piece)
    statements.append("".join(current))
    return tuple(s.strip() for s in statements if _says_something(s))


def _says_something(statement: str) -> bool:
    return any(not p.startswith(("--", "/*")) and p.strip() for p in _PIECE.findall(statement))
