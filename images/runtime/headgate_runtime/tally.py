"""What a worker counts: Flink metrics per model version and, for local runs, a small file that the caller reads.

The metrics live in the group ``model_version=<version>``: counters ``scored``, ``deadLetters.<reason>`` and, for the chosen
output, ``output.le_<bound>``; distributions ``batchRows`` and ``inferenceMicros``. The file is written only when
``HEADGATE_TALLY`` names a folder.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

FOLDER_VARIABLE = "HEADGATE_TALLY"
SAMPLE_ROWS = 5
_WRITE_EVERY_S = 0.02
_SMALL_BATCH = 1000
_NUMBERS = itertools.count()

HISTOGRAM_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Upper bounds of the output histogram's buckets; one more bucket holds what lies above."""


class Tally:
    """Counts of one task. ``group``: Flink's metric group, or None. ``kept``: whether the caller of a local run reads them."""

    def __init__(self, group: Any | None, version: str, *, histogram: bool = False, kept: bool = True) -> None:
        self.scored = 0
        self.dead: Counter[str] = Counter()
        self.sample: list[dict[str, Any]] = []
        self._group = group.add_group("model_version", version) if group is not None else None
        self._counters: dict[str, Any] = {}
        self._histogram = histogram
        self._batch = self._distribution("batchRows")
        self._micros = self._distribution("inferenceMicros")
        folder = os.environ.get(FOLDER_VARIABLE) if kept else None
        self._path = Path(folder, f"tally-{os.getpid()}-{next(_NUMBERS)}.json") if folder else None
        self._written = 0.0
        self._count("scored", 0)

    @property
    def wants_sample(self) -> bool:
        """Whether first rows are still to be shown; only ever in local runs."""
        return self._path is not None and len(self.sample) < SAMPLE_ROWS

    def batch(self, rows: int, seconds: float) -> None:
        """One ``session.run`` of ``rows`` rows that took ``seconds``."""
        if self._batch is not None and self._micros is not None:
            self._batch.update(rows)
            self._micros.update(int(seconds * 1e6))

    def add(self, scored: int, dead: Counter[str]) -> None:
        """A batch came to its end: so many scored, and dead letters by reason."""
        self.scored += scored
        self._count("scored", scored)
        for reason, count in dead.items():
            self.dead[reason] += count
            self._count(f"deadLetters.{reason}", count)
        small = scored + sum(dead.values()) < _SMALL_BATCH
        if self._path is not None and (small or time.monotonic() - self._written > _WRITE_EVERY_S):
            self.write()

    def observe(self, values: np.ndarray) -> None:
        """Values [n] of the output whose distribution is watched."""
        if not self._histogram:
            return
        counts = np.bincount(
            np.searchsorted(HISTOGRAM_BOUNDS, values, side="left"), minlength=len(HISTOGRAM_BOUNDS) + 1
        )
        for bound, count in zip((*HISTOGRAM_BOUNDS, math.inf), counts.tolist(), strict=True):
            if count:
                self._count(f"output.le_{bound:g}", count)

    def show(self, rows: list[dict[str, Any]]) -> None:
        """Keep first rows for the caller."""
        self.sample.extend(rows[: SAMPLE_ROWS - len(self.sample)])

    def write(self) -> None:
        """Write the file, whole or not at all."""
        if self._path is None:
            return
        self._written = time.monotonic()
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"scored": self.scored, "deadLetters": self.dead, "sample": self.sample}))
        partial.replace(self._path)

    def _count(self, name: str, by: int) -> None:
        if self._group is None:
            return
        if name not in self._counters:
            self._counters[name] = self._group.counter(name)
        if by:
            self._counters[name].inc(by)

    def _distribution(self, name: str) -> Any | None:
        return self._group.distribution(name) if self._group is not None else None


def read_tallies(folder: Path) -> dict[str, Any]:
    """The sum over all workers' files: ``scored``, ``deadLetters`` by reason, ``in`` and ``sample``."""
    scored, dead, sample = 0, Counter[str](), []
    for path in sorted(folder.glob("tally-*.json")):
        raw = json.loads(path.read_text())
        scored += raw["scored"]
        dead.update(raw["deadLetters"])
        sample.extend(raw["sample"])
    return {
        "in": scored + sum(dead.values()),
        "scored": scored,
        "deadLetters": dict(sorted(dead.items())),
        "sample": sample[:SAMPLE_ROWS],
    }
