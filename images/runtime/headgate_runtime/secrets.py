"""Values of Kubernetes Secrets in table options: read from files, and hidden in everything that is told.

``tables.py`` reads them; ``bridge.py`` hides them in what Flink says, since its messages quote options.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

REFERENCE = re.compile(r"\$\{secret:([a-z0-9][-a-z0-9.]*)/([-._A-Za-z0-9]+)\}")
_SHORTEST = 3
"""A shorter value would blank out half of every message, and is no secret."""


@dataclass(slots=True)
class Hidden:
    """The secrets that this process has read."""

    values: set[str] = field(default_factory=set)

    def hide(self, text: str) -> str:
        """``text`` with every known secret as ``***``."""
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def resolve(self, text: str, folder: Path, missing: Callable[[str, str], Exception]) -> str:
        """``text`` with the secrets that it refers to, read from ``folder/name/key``; raises ``missing(name, key)``."""

        def read(match: re.Match[str]) -> str:
            name, key = match.groups()
            try:
                value = (folder / name / key).read_text(encoding="utf-8").rstrip("\n")
            except OSError as error:
                raise missing(name, key) from error
            # Flink quotes SQL with doubled quotes, and one line of many at a time.
            self.values |= {
                part for part in (value, value.replace("'", "''"), *value.splitlines()) if len(part) >= _SHORTEST
            }
            return value

        return REFERENCE.sub(read, text)


HIDDEN = Hidden()
"""The secrets of this process."""
