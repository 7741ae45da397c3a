"""How long the steps of the end-to-end tests took, printed at the end of the test run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stopwatch:
    """Seconds by step, in the order in which they ended."""

    taken: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures the block."""
        began = time.monotonic()
        yield
        self.add(name, time.monotonic() - began)

    def add(self, name: str, seconds: float) -> None:
        """Notes what was measured otherwise."""
        self.taken.append((name, seconds))

    def lines(self) -> Iterator[str]:
        """One a step."""
        for name, seconds in self.taken:
            yield f"{seconds:8.1f} s  {name}"


STOPWATCH = Stopwatch()
"""Of this test run."""
