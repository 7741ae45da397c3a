"""``scorer``: a model, the columns that feed it and the step that scores with it, without Flink."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedded.jobs import Setup, Sql, write_job
from headgate_runtime.columns import Column
from headgate_runtime.contract import read_job
from headgate_runtime.model import load_model
from headgate_runtime.planner import plan_step
from headgate_runtime.step import Scorer, StepPlan
from headgate_runtime.tally import Tally

SQL = Sql("", "SELECT * FROM t", "INSERT INTO o SELECT * FROM scored")


@dataclass(slots=True)
class Bench:
    """A scorer and a way to ask it; every column of a case is nullable, so a marker comes first."""

    plan: StepPlan
    scorer: Scorer
    tally: Tally

    def score(self, *values: Any, marker: Sequence[int] | None = None) -> tuple[dict[str, list[Any]], list[Any]]:
        """Answers and errors of one batch as plain lists."""
        rows = len(values[0])
        answers, errors = self.scorer.score([np.asarray(marker or [0] * rows, dtype=np.int16), *values])
        return (
            {name: column.tolist() for name, column in answers.items()},
            [e.split("\x1f") if isinstance(e, str) else None for e in errors],
        )


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    """``bench(model, columns, setup)``: columns as (name, root of its SQL type)."""

    def make(model: Path, columns: Mapping[str, str], setup: Setup | None = None, limit: int | None = None) -> Bench:
        job = read_job(write_job(tmp_path / "job", model, SQL, setup))
        loaded = load_model(job.model)
        described = [Column("id", "BIGINT", "BIGINT")]
        for name, root in columns.items():
            kind, _, of = root.partition(" of ")
            described.append(Column(name, kind, root, True, Column("", of, of) if of else None))
        plan = plan_step(job, loaded, tuple(described), row_limit=limit)
        tally = Tally(None, job.model.version)
        return Bench(plan, Scorer(plan, loaded, tally), tally)

    return make
