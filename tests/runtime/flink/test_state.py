"""A recurrent model: the state of every key is carried from record to record and over a savepoint into the next version.

Files that arrive hold interleaved records of several keys; a plain onnxruntime loop over each key's records gives the
answers that are wanted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from embedded import models
from embedded.child import Child, json_rows, started
from embedded.jobs import Setup, Sql, write_job

WIDTH = 3
STATE = [{"input": "h", "output": "hn", "shape": [1, WIDTH], "init": 0.5}]
SQL = """
    CREATE TABLE frames (caller STRING, seq INT, x ARRAY<FLOAT>, at_ TIMESTAMP(3), cost DECIMAL(10, 2))
      WITH ('connector' = 'filesystem', 'path' = '{folder}/in', 'format' = 'json');
    CREATE TABLE answers (caller STRING, seq INT, total FLOAT, vector ARRAY<FLOAT>, at_ TIMESTAMP(3), cost DECIMAL(10, 2),
      model_version STRING) WITH ('connector' = 'filesystem', 'path' = '{folder}/out', 'format' = 'json');
    CREATE TABLE rejected (reason STRING, column_name STRING, record STRING)
      WITH ('connector' = 'filesystem', 'path' = '{folder}/rejected', 'format' = 'json')
"""
KEYS = ("anna", "ben", "cleo")


@dataclass(slots=True)
class Calls:
    """Writes frames of several calls in turns, and remembers them."""

    folder: Path
    frames: list[dict[str, Any]]
    files: int = 0

    def arrive(self, turns: int) -> None:
        """One file: in each turn a frame of every call, two of the first one in a row."""
        rng = np.random.default_rng(self.files)
        new: list[dict[str, Any]] = []
        for _ in range(turns):
            for call in (*KEYS, KEYS[0], KEYS[0]):
                seq = sum(1 for f in (*self.frames, *new) if f["caller"] == call)
                x = rng.standard_normal(WIDTH, dtype=np.float32).tolist()
                new.append(
                    {"caller": call, "seq": seq, "x": x, "at_": f"2026-01-01 00:00:{seq % 60:02d}", "cost": seq / 4}
                )
        bad = [
            new[0] | {"caller": None},
            new[0] | {"caller": "anna", "x": [1.0]},
            new[0] | {"caller": "ben", "x": None},
        ]
        self.frames += new
        self.files += 1
        partial = self.folder / f"{self.files}.partial"
        partial.write_text("".join(json.dumps(f) + "\n" for f in [*new[:5], *bad, *new[5:]]))
        partial.rename(self.folder / "in" / f"{self.files}.json")


@dataclass(frozen=True, slots=True)
class Story:
    folder: Path
    calls: Calls
    handed_over_at: int
    second: Child

    def rows(self, sink: str) -> list[dict[str, Any]]:
        return json_rows(self.folder / sink)


def _job(folder: Path, version: str, scale: float) -> Path:
    model = models.accumulator(folder / f"v{version}.onnx", width=WIDTH, scale=scale)
    sql = Sql(
        SQL.format(folder=folder),
        "SELECT caller, seq, x, at_, cost FROM frames",
        "INSERT INTO answers SELECT caller, seq, total, vector, at_, cost, model_version FROM scored;"
        "INSERT INTO rejected SELECT reason, column_name, record FROM dead_letters",
        key="caller",
    )
    fields = {"state": STATE, "outputs": {"total": "total", "vector": "seen"}}
    return write_job(folder / f"job-{version}", model, sql, Setup(version=version, model=fields, checkpoint_ms=500))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("state")
    (folder / "in").mkdir()
    calls = Calls(folder, [])
    calls.arrive(12)
    with started(_job(folder, "1", 1.0), "--watch", "200", "--savepoint-dir", str(folder / "savepoints")) as first:
        first.scored(len(calls.frames))
        first.interrupt()
        assert first.ended() == 0, first.tail()
    handed_over_at = len(calls.frames)
    calls.arrive(8)
    savepoint = first.only("summary")["savepoint"]
    with started(_job(folder, "2", 10.0), "--watch", "200", "--from-savepoint", savepoint) as second:
        second.scored(len(calls.frames) - handed_over_at)
        second.interrupt()
        assert second.ended() == 0, second.tail()
    return Story(folder, calls, handed_over_at, second)


def _wanted(story: Story) -> Iterator[tuple[tuple[str, int], np.ndarray, float, str]]:
    """What a loop over each key's frames gives, with the version that was there at the time."""
    sessions = {v: ort.InferenceSession(story.folder / f"v{v}.onnx") for v in ("1", "2")}
    state: dict[str, np.ndarray] = defaultdict(lambda: np.full((1, WIDTH), 0.5, np.float32))
    for at, frame in enumerate(story.calls.frames):
        version = "1" if at < story.handed_over_at else "2"
        x = np.array([frame["x"]], np.float32)
        total, hn, seen = sessions[version].run(["total", "hn", "seen"], {"x": x, "h": state[frame["caller"]]})
        state[frame["caller"]] = hn
        yield (frame["caller"], frame["seq"]), seen[0], float(total[0, 0]), version


def test_every_answer_equals_a_plain_loop_over_its_key(story: Story) -> None:
    rows = {(row["caller"], row["seq"]): row for row in story.rows("out")}
    assert len(rows) == len(story.rows("out")) == len(story.calls.frames)
    for key, seen, total, version in _wanted(story):
        assert np.float32(rows[key]["total"]) == np.float32(total)
        assert np.array_equal(np.array(rows[key]["vector"], np.float32), seen)
        assert rows[key]["model_version"] == version


def test_all_other_columns_pass_as_they_were(story: Story) -> None:
    for row in story.rows("out"):
        assert (row["at_"], row["cost"]) == (f"2026-01-01 00:00:{row['seq'] % 60:02d}", row["seq"] / 4)


def test_the_records_of_a_key_leave_in_their_order(story: Story) -> None:
    seen: dict[str, int] = defaultdict(int)
    for row in story.rows("out"):
        assert row["seq"] == seen[row["caller"]]
        seen[row["caller"]] += 1


def test_bad_records_leave_without_touching_the_state(story: Story) -> None:
    rejected = sorted((row["reason"], row["column_name"]) for row in story.rows("rejected"))
    each = [("NullFeature", "caller"), ("NullFeature", "x"), ("WrongShape", "x")]
    assert rejected == sorted(each * story.calls.files)
    assert {json.loads(row["record"])["caller"] for row in story.rows("rejected")} == {None, "anna", "ben"}
