"""Prepares jobs in this process: everything up to *ready*, and nothing is run."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded import models
from embedded.jobs import Setup, Sql, write_job
from headgate_runtime.application import Ready, prepare
from headgate_runtime.environment import LocalPlace, job_options, local_options
from headgate_runtime.errors import RuntimeFailure
from headgate_runtime.events import Events
from headgate_runtime.tables import Place

ROWS = "CREATE TABLE r (id BIGINT, a FLOAT, b DOUBLE, `at` TIMESTAMP(3)) WITH ('connector' = 'datagen')"
SINK = "CREATE TABLE o (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole')"
DEAD = "CREATE TABLE d (reason STRING, record STRING) WITH ('connector' = 'blackhole')"
SQL = Sql(f"{ROWS};\n{SINK};\n{DEAD};", "SELECT id, a, b FROM r", "INSERT INTO o SELECT id, y FROM scored")


@dataclass(slots=True)
class Planner:
    """Prepares jobs in a folder of its own and keeps what was said."""

    folder: Path
    said: io.StringIO
    count: int = 0

    def __call__(
        self, sql: Sql = SQL, setup: Setup | None = None, make: Callable[[Path], Path] = models.linear, **place: Any
    ) -> Ready:
        self.count += 1
        folder = self.folder / str(self.count)
        job = write_job(folder / "job", make(folder / "m.onnx"), sql, setup)
        local = LocalPlace(folder)
        return prepare(
            job,
            Events(self.said),
            Place(folder, **place),
            lambda j: local_options(j, local) | job_options(j),
            explain=True,
        )

    def refusal(self, sql: Sql = SQL, setup: Setup | None = None, **rest: Any) -> RuntimeFailure:
        """The failure of a job that must not be planned."""
        with pytest.raises(RuntimeFailure) as caught:
            self(sql, setup, **rest)
        return caught.value
