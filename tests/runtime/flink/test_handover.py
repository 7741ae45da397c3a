"""From version 1 to version 2 of a model by savepoint: every record once, whichever version scored it.

The source is a folder that is watched while files arrive, the sink writes exactly once, and the query calls a function of
the user's module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from embedded import models
from embedded.child import Child, json_rows, started
from embedded.jobs import Setup, Sql, write_job

SQL = Sql(
    tables="""
        CREATE TABLE arrivals (id BIGINT, a FLOAT, b FLOAT)
          WITH ('connector' = 'filesystem', 'path' = '{folder}/in', 'format' = 'csv');
        CREATE TABLE answers (id BIGINT, y FLOAT, half FLOAT, model_version STRING)
          WITH ('connector' = 'filesystem', 'path' = '{folder}/out', 'format' = 'json');
    """,
    input="SELECT id, a, halved(b) AS b FROM arrivals WHERE b >= 0",
    output="INSERT INTO answers SELECT id, y, b, model_version FROM scored",
)
MODULE = """
import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import udf

@udf(result_type=DataTypes.FLOAT(), func_type="pandas")
def halved(values: pd.Series) -> pd.Series:
    return values / 2
"""


@dataclass(slots=True)
class Pipeline:
    """A folder that files arrive in, and the jobs that read it."""

    folder: Path
    files: int = 0
    sent: int = 0

    def job(self, version: str, scale: float) -> Path:
        module = self.folder / "halves.py"
        module.write_text(MODULE)
        model = models.linear(self.folder / f"v{version}.onnx", scale=scale)
        sql = replace(SQL, tables=SQL.tables.format(folder=self.folder))
        return write_job(
            self.folder / f"job-{version}", model, sql, Setup(version=version, module=module, checkpoint_ms=500)
        )

    def arrive(self, rows: int) -> None:
        """One more file of so many records, of which every tenth is filtered out."""
        text = "".join(f"{at},1,{-1 if at % 10 == 9 else 2 * at}\n" for at in range(self.sent, self.sent + rows))
        self.sent += rows
        self.files += 1
        whole = self.folder / f"{self.files}.csv.partial"
        whole.write_text(text)
        whole.rename(self.folder / "in" / f"{self.files}.csv")

    def scored_by_now(self) -> int:
        return sum(1 for at in range(self.sent) if at % 10 != 9)


@dataclass(frozen=True, slots=True)
class Story:
    first: Child
    second: Child
    rows: list[dict[str, Any]]
    pipeline: Pipeline


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Version 1 reads two files, stops; a file arrives meanwhile; version 2 reads that one and another."""
    folder = tmp_path_factory.mktemp("handover")
    (folder / "in").mkdir()
    pipeline = Pipeline(folder)
    savepoints = folder / "savepoints"
    pipeline.arrive(300)
    with started(pipeline.job("1", 1.0), "--watch", "200", "--savepoint-dir", str(savepoints)) as first:
        first.scored(pipeline.scored_by_now())
        pipeline.arrive(300)
        before = pipeline.scored_by_now()
        first.scored(before)
        first.interrupt()
        assert first.ended() == 0, first.tail()
    savepoint = first.only("summary")["savepoint"]
    pipeline.arrive(200)
    # Without a folder for a savepoint the stop drains, and the sink closes the file that both versions wrote to.
    with started(pipeline.job("2", 100.0), "--watch", "200", "--from-savepoint", savepoint) as second:
        second.scored(pipeline.scored_by_now() - before)
        pipeline.arrive(200)
        second.scored(pipeline.scored_by_now() - before)
        second.interrupt()
        assert second.ended() == 0, second.tail()
    return Story(first, second, json_rows(folder / "out"), pipeline)


def test_every_id_is_scored_exactly_once(story: Story) -> None:
    wanted = [at for at in range(story.pipeline.sent) if at % 10 != 9]
    assert sorted(row["id"] for row in story.rows) == wanted


def test_each_version_scored_what_it_says(story: Story) -> None:
    for row in story.rows:
        version = "1" if row["id"] < 600 else "2"
        assert row["model_version"] == version
        assert row["half"] == row["id"]
        assert row["y"] == (1 + row["id"]) * (1 if version == "1" else 100)


def test_the_counts_of_both_runs_are_the_rows(story: Story) -> None:
    counted = [child.only("summary")["scored"] for child in (story.first, story.second)]
    assert sum(counted) == len(story.rows)


def test_a_stop_leaves_a_savepoint_and_ends_well(story: Story) -> None:
    first, second = (child.only("summary") for child in (story.first, story.second))
    assert (first["state"], second["state"]) == ("FINISHED", "FINISHED")
    assert Path(first["savepoint"].removeprefix("file:")).is_dir()
    assert second["savepoint"] is None
