"""The goldens gate in the start order: after the plan, before the job; a version with other answers meets no record."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from embedded import models
from embedded.child import finished
from embedded.jobs import Setup, Sql, write_job


def _job(tmp_path: Path, expected: float) -> Path:
    """Features are decimals and nullable integers of a query, as they seldom are in a file."""
    (tmp_path / "rows.csv").write_text("1,1,2\n2,3,4\n")
    sql = Sql(
        f"CREATE TABLE r (id BIGINT, a DECIMAL(9, 2), b INT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'rows.csv'}', "
        "'format' = 'csv'); CREATE TABLE o (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole')",
        "SELECT id, a, b + 1 AS b1 FROM r",
        "INSERT INTO o SELECT id, y FROM scored",
    )
    rows = [{"id": 5, "a": 1.25, "b1": 2, "y": 3.25}, {"a": "0.5", "b1": 0, "y": expected}]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    goldens = {
        "path": "goldens/0.jsonl", "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "tolerance": 1e-6
    }  # fmt: skip
    path = write_job(tmp_path / "job", models.linear(tmp_path / "m.onnx"), sql, Setup(model={"goldens": goldens}))
    (path.parent / "goldens").mkdir()
    (path.parent / "goldens" / "0.jsonl").write_bytes(data)
    return path


@pytest.mark.parametrize("verb", [pytest.param("run", id="a run"), pytest.param("explain", id="an explanation")])
def test_a_version_with_other_answers_meets_no_record(tmp_path: Path, verb: str) -> None:
    child = finished(_job(tmp_path, 0.75), verb=verb, status=1)
    stages = [(e["stage"], e["status"]) for e in child.events if e["event"] == "stage"]
    assert stages[-3:] == [("plan", "done"), ("goldens", "started"), ("goldens", "failed")]
    error = child.only("error")
    assert (error["stage"], error["reason"]) == ("goldens", "GoldensFailed")
    assert "1 of 2 golden rows" in error["message"]
    assert "Line 2: y is 0.5, expected 0.75 (0.25 apart, 1e-06 allowed)." in error["message"]


def test_a_version_with_the_right_answers_runs_and_golden_rows_are_not_counted(tmp_path: Path) -> None:
    child = finished(_job(tmp_path, 0.5))
    stages = [e["stage"] for e in child.events if e["event"] == "stage" and e["status"] == "done"]
    assert stages == ["contract", "verify", "load", "smoke", "plan", "goldens", "ready", "execute"]
    assert child.only("summary")["scored"] == 2
