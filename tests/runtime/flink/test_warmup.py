"""The job by which a waiting run warms up: it goes through the real step with every pipeline, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import models
from embedded.jobs import Setup, Sql
from embedded.planner import SQL, Planner
from headgate_runtime.environment import LocalPlace, job_options, local_options
from headgate_runtime.tally import FOLDER_VARIABLE, read_tallies
from headgate_runtime.warmup import ROWS, plan_warm_up

_EVERY_TYPE = """
    SELECT id, a, b, CAST(id AS STRING) AS s, id > 3 AS t, CAST(id AS DECIMAL(9, 2)) AS d, `at`, ARRAY[a, a] AS l,
      ROW(a, id) AS r, MAP['k', a] AS m, X'00' AS x FROM r"""
_ALL = "INSERT INTO d SELECT reason, record FROM dead_letters"
_STATE = {"inputs": {"x": ["a", "b"]}, "state": [{"input": "h", "output": "hn", "shape": [1, 2], "init": 0.0}]}
_TOTALS = "INSERT INTO o SELECT id, total FROM scored"
PIPELINES: dict[str, tuple[Sql, Setup, Callable[[Path], Path]]] = {
    "columns of every type": (
        replace(SQL, input=_EVERY_TYPE, output=_ALL),
        Setup(model={"inputs": {"x": ["a", "b"]}}),
        models.linear,
    ),
    "a model with state": (replace(SQL, output=_TOTALS), Setup(model=_STATE), models.accumulator),
}


@pytest.mark.parametrize(("sql", "setup", "make"), PIPELINES.values(), ids=PIPELINES)
def test_made_up_rows_are_scored_and_nothing_is_kept(
    plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql, setup: Setup, make: Callable[[Path], Path]
) -> None:
    ready = plan(sql, setup, make)
    tallies = tmp_path / "tallies"
    tallies.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tallies))
    options = local_options(ready.job, LocalPlace(tmp_path)) | job_options(ready.job)

    plan_warm_up(ready.job, ready.planned, options).execute("warm-up")

    assert read_tallies(tallies)["scored"] == ROWS
    assert not list(tmp_path.glob("checkpoints/**/_metadata"))
