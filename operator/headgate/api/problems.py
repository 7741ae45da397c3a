"""What validation finds: a problem at a path. Pure values; made by every check, rendered by whoever shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Where in a resource: wire names and list positions, such as ``("spec", "rollout", "steps", 0)``."""

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or, as a warning, odd) and where."""

    path: Path
    message: str
    line: int | None = None
    """Within a field that holds SQL: the line of its text, from 1. ``message`` says it as well."""

    def __str__(self) -> str:
        """``spec.rollout.steps[0]: the message``."""
        return f"{format_path(self.path)}: {self.message}" if self.path else self.message


def format_path(path: Path) -> str:
    """``spec.model.inputs.dense[3]``; a key that is no plain name is quoted: ``spec.model.inputs["a.b/c"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.match(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def unique(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems in order, each once."""
    return tuple(dict.fromkeys(problems))
