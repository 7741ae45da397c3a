"""Counts: what a worker writes, what the caller reads, and what Flink's metrics get."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headgate_runtime.tally import FOLDER_VARIABLE, Tally, read_tallies


class Metric:
    """A counter or distribution that keeps what it was told."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def inc(self, by: int) -> None:
        """Of a counter."""
        assert by > 0
        self.values.append(by)

    def update(self, value: int) -> None:
        """Of a distribution."""
        self.values.append(value)


class Group:
    """Flink's metric group, which takes a name once."""

    def __init__(self, path: str = "") -> None:
        self.path, self.metrics, self.groups = path, dict[str, Metric](), list[Group]()

    def add_group(self, key: str, value: str) -> Group:
        """A group below."""
        self.groups.append(Group(f"{self.path}/{key}={value}"))
        return self.groups[-1]

    def counter(self, name: str) -> Metric:
        """A new metric."""
        assert name not in self.metrics, f"{name} is there already"
        return self.metrics.setdefault(name, Metric())

    distribution = counter


def _totals(group: Group) -> dict[str, int]:
    return {name: sum(m.values) for name, m in group.metrics.items()}


def test_metrics_are_counted_per_model_version() -> None:
    group = Group()
    tally = Tally(group, "3", histogram=True)
    tally.batch(10, 0.0005)
    tally.add(8, Counter({"NullFeature": 2}))
    tally.add(1, Counter({"NullFeature": 1, "NanFeature": 1}))
    tally.observe(np.array([0.1, 0.11, 0.95, 1.0, 7.0]))
    assert tally.dead == {"NullFeature": 3, "NanFeature": 1}
    (versioned,) = group.groups
    assert versioned.path == "/model_version=3"
    assert _totals(versioned) == {
        "scored": 9, "deadLetters.NullFeature": 3, "deadLetters.NanFeature": 1, "batchRows": 10, "inferenceMicros": 500,
        "output.le_0.1": 1, "output.le_0.2": 1, "output.le_1": 2, "output.le_inf": 1,
    }  # fmt: skip


def test_a_histogram_that_nobody_asked_for_is_not_made() -> None:
    group = Group()
    Tally(group, "3").observe(np.array([0.5]))
    assert set(group.groups[0].metrics) == {"scored", "batchRows", "inferenceMicros"}


def test_the_files_of_all_workers_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    first, second = Tally(None, "1"), Tally(None, "1")
    assert first.wants_sample
    first.show([{"id": n} for n in range(7)])
    assert not first.wants_sample
    first.add(3, Counter({"NanFeature": 1}))
    second.add(4, Counter({"NanFeature": 1, "InferenceError": 2}))
    assert read_tallies(tmp_path) == {
        "in": 11, "scored": 7, "deadLetters": {"InferenceError": 2, "NanFeature": 2},
        "sample": [{"id": n} for n in range(5)],
    }  # fmt: skip
    assert [p.suffix for p in tmp_path.iterdir()] == [".json", ".json"]


def test_large_batches_are_written_at_the_end_at_the_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    tally = Tally(None, "1")
    for _ in range(50):
        tally.add(5000, Counter())
    tally.write()
    assert read_tallies(tmp_path)["scored"] == 250_000


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    tally: Any = Tally(None, "1")
    tally.add(1, Counter())
    tally.write()
    assert not tally.wants_sample
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_counts_nothing(tmp_path: Path) -> None:
    assert read_tallies(tmp_path) == {"in": 0, "scored": 0, "deadLetters": {}, "sample": []}
