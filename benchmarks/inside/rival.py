"""Runs a pipeline that is not Headgate's, with the very options that Headgate gives a job, and prints its seconds.

A program of the runtime's environment: ``rival.py KIND JOB [--jar FILE]...`` reads tables, input and model from a job folder
and drops what it computes. Kinds: ``sum`` (no model: the columns are added), ``barriers`` (the same between the two
barriers of the model step), ``row`` (a Python function that is called once per row), ``jvm`` (a Java function, likewise).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink.table.udf import FunctionContext, ScalarFunction, udf

from headgate_runtime.bridge import barrier
from headgate_runtime.contract import read_job
from headgate_runtime.environment import LocalPlace, create_environment, job_options, local_options
from headgate_runtime.statements import split_statements

FEATURES = tuple(f"f{at}" for at in range(12))


class RowStep(ScalarFunction):
    """The model on one row at a time, as a plain Python function of Flink does it."""

    def __init__(self, model: str) -> None:
        self.model = model

    def open(self, function_context: FunctionContext) -> None:  # noqa: ARG002  # Flink's signature
        """Load the model."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(self.model, options)

    def eval(self, *features: float) -> float:
        """Score one row."""
        return float(self.session.run(None, {"x": np.asarray([features], dtype=np.float32)})[0][0, 0])


def main() -> None:
    """Plan, run, and print ``{"seconds": …}``: what Flink says the job took, without planning and submission."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("sum", "barriers", "row", "jvm"))
    parser.add_argument("job", type=Path)
    parser.add_argument("--jar", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="headgate-rival-") as scratch:
        os.environ["FLINK_LOG_DIR"] = scratch
        seconds = run(arguments.kind, arguments.job, tuple(arguments.jar), Path(scratch))
    print(json.dumps({"seconds": seconds}), file=answers, flush=True)


def run(kind: str, path: Path, jars: tuple[Path, ...], work: Path) -> float:
    """Seconds of the finished job."""
    job = read_job(path)
    (work / "tmp").mkdir()
    options = local_options(job, LocalPlace(work, jars)) | job_options(job)
    options["pipeline.global-job-parameters"] = f"model:{job.model.path}"
    _, t_env = create_environment(options)
    for statement in split_statements(job.pipeline.tables):
        t_env.execute_sql(statement)
    t_env.execute_sql("CREATE TABLE nothing (id BIGINT, answer FLOAT) WITH ('connector' = 'blackhole')")
    query = _query(t_env, kind, job.pipeline.input, str(job.model.path))
    result = t_env.execute_sql(f"INSERT INTO nothing {query}")
    client = result.get_job_client()
    assert client is not None
    return float(client.get_job_execution_result().result().get_net_runtime()) / 1000


def _query(t_env: StreamTableEnvironment, kind: str, text: str, model: str) -> str:
    columns = ", ".join(FEATURES)
    if kind == "sum":
        return f"SELECT id, {' + '.join(FEATURES)} FROM ({text})"
    if kind == "barriers":
        t_env.create_temporary_view("rows_in", barrier(t_env, t_env.sql_query(text), name="input"))
        summed: Any = t_env.sql_query(f"SELECT id, {columns}, {' + '.join(FEATURES)} AS answer FROM rows_in")
        t_env.create_temporary_view("rows_out", barrier(t_env, summed, name="step"))
        return "SELECT id, answer FROM rows_out"
    if kind == "row":
        t_env.create_temporary_function("score", udf(RowStep(model), result_type=DataTypes.FLOAT()))
    else:
        t_env.execute_sql("CREATE TEMPORARY FUNCTION score AS 'OnnxPerRecord' LANGUAGE JAVA")
    return f"SELECT id, score({columns}) FROM ({text})"


if __name__ == "__main__":
    main()
