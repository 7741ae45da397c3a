"""Finds ``${secret:name/key}`` in the options of tables. Pure; called by validation and by whoever mounts the Secrets.

The value of a Secret never passes through here: only its name and key do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANY = re.compile(r"\$\{([^}'\n]*)(\}?)")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class SecretRef:
    """One key of one Secret of the resource's namespace."""

    name: str
    key: str

    def __str__(self) -> str:
        return f"${{secret:{self.name}/{self.key}}}"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One ``${…}`` in a text: what it means, or why it means nothing. ``start`` counts characters from 0."""

    start: int
    text: str
    ref: SecretRef | None
    problem: str = ""


def placeholders(text: str) -> tuple[Placeholder, ...]:
    """Every ``${…}`` of a text, in order."""
    return tuple(_read(found) for found in _ANY.finditer(text))


def secret_refs(text: str) -> tuple[SecretRef, ...]:
    """The Secrets that a text asks for, each once, sorted."""
    return tuple(sorted({one.ref for one in placeholders(text) if one.ref is not None}))


def _read(found: re.Match[str]) -> Placeholder:
    inside, closed = found[1], bool(found[2])
    scheme, colon, rest = inside.partition(":")
    name, slash, key = rest.partition("/")
    form = "a secret is written ${secret:name/key}"
    if not closed:
        problem = f"{found[0]} is never closed; {form}"
    elif scheme != "secret" or not colon:
        problem = f"{found[0]} is not known; {form}"
    elif not slash:
        problem = f"{found[0]} names no key; {form}"
    elif not _NAME.fullmatch(name):
        problem = f'{found[0]}: "{name}" is not the name of a Secret; {form}'
    elif not _KEY.fullmatch(key):
        problem = f'{found[0]}: "{key}" is not a key of a Secret; {form}'
    else:
        return Placeholder(found.start(), found[0], SecretRef(name, key))
    return Placeholder(found.start(), found[0], None, problem)
