"""Finds the name that somebody meant. Pure; called wherever a message can end in "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name`` (case and underscores aside), or None when nothing is near."""
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(_fold(candidate), candidate)
    wanted = _fold(name)
    if wanted in folded:
        return folded[wanted]
    matches = get_close_matches(wanted, list(folded), n=1, cutoff=0.65)
    return folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean "x"?`` with the nearest known name, or an empty text."""
    match = nearest(name, known)
    return f'; did you mean "{match}"?' if match is not None else ""


def listing(names: Iterable[str], *, limit: int = 12) -> str:
    """Names in their order, cut with an ellipsis: ``a, b, c, …``."""
    known = list(names)
    return ", ".join(known[:limit]) + (", …" if len(known) > limit else "")


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
