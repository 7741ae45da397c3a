"""Local runs: exactly the rows that were asked for, a job that fails with its reason, and a bad model that never starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from parity_case import load

from embedded import models
from embedded.child import finished, json_rows
from embedded.jobs import Setup, Sql, write_job

BAD_LINES = 50
ROWS = 37


def test_so_many_rows_are_scored_and_their_answers_are_onnxruntimes(parity_models: Path, tmp_path: Path) -> None:
    """A watched folder never ends by itself; lines that do not parse come first and are none of the rows asked for."""
    case = load(parity_models / "mixed_inputs")
    folder = tmp_path / "in"
    folder.mkdir()
    rows = (case.folder / "rows.json").read_text()
    (folder / "rows.json").write_text("no record\n" * BAD_LINES + rows)
    table = {"connector": "filesystem", "path": str(folder), "format": "json", "headgate.parse-errors": "dead-letter"}
    sink = (
        "CREATE TABLE answers (id BIGINT, label BIGINT, probabilities ARRAY<FLOAT>) WITH ('connector' = 'filesystem', "
    )
    sql = Sql(
        f"{case.ddl('records', table)}; {sink} 'path' = '{tmp_path / 'out'}', 'format' = 'json')",
        "SELECT * FROM records",
        "INSERT INTO answers SELECT id, label, probabilities FROM scored",
    )
    setup = Setup(model={"outputs": dict(case.outputs)}, batch_rows=16)
    child = finished(write_job(tmp_path / "job", case.path, sql, setup), "--watch", "200", "--rows", str(ROWS))
    summary = child.only("summary")
    assert (summary["scored"], summary["deadLetters"]) == (ROWS, {"UnparsableRecord": BAD_LINES})
    got = json_rows(tmp_path / "out")
    assert [row["id"] for row in got] == [row["id"] for row in case.rows[:ROWS]]
    assert [row["label"] for row in got] == case.expected["label"][:ROWS].tolist()
    np.testing.assert_allclose([row["probabilities"] for row in got], case.expected["probabilities"][:ROWS], atol=1e-6)


def test_on_error_fail_fails_the_run_with_the_records_reason(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,1,2\n2,,4\n3,5,6\n")
    sql = Sql(
        f"CREATE TABLE r (id BIGINT, a FLOAT, b FLOAT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'rows.csv'}', "
        "'format' = 'csv', 'csv.null-literal' = ''); CREATE TABLE o (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole')",
        "SELECT id, a, b FROM r",
        "INSERT INTO o SELECT id, y FROM scored",
    )
    model = models.linear(tmp_path / "m.onnx")
    child = finished(write_job(tmp_path / "job", model, sql, Setup(on_error="Fail")), status=1)
    error = child.only("error")
    assert (error["stage"], error["reason"]) == ("execute", "JobFailed")
    assert error["message"].startswith(
        "spec.pipeline.onError is Fail and a record cannot be scored: NullFeature in column"
    )
    assert "'a': the feature is null" in error["message"]
    assert "Traceback" not in error["message"]
    assert child.only("summary")["state"] == "FAILED"


def test_a_model_that_is_not_the_one_that_was_checked_never_starts(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", models.linear(tmp_path / "m.onnx"), Sql("", "", ""))
    model = job.parent / "models" / "0" / "m.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    child = finished(job, status=1)
    stages = [(e["stage"], e["status"]) for e in child.events if e["event"] == "stage"]
    assert stages[-2:] == [("verify", "started"), ("verify", "failed")]
    error = child.only("error")
    assert (error["stage"], error["reason"]) == ("verify", "ModelUnusable")
    assert "the file is not the one that was checked. Build again." in error["message"]


def test_a_contract_of_a_later_version_never_starts(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"version": 2}))
    child = finished(path, verb="explain", status=1)
    assert child.only("error")["stage"] == "contract"
    assert "this runtime knows 1" in child.only("error")["message"]
