"""Checks, on a real run, that each row is scored exactly once whatever the outputs are, and none that ``input`` filtered out."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from benchmarks.headgate import summary_of
from benchmarks.pipeline import NAMES, mlp, source
from embedded.jobs import Setup, Sql, write_job
from headgate.errors import RunFailed


def check_once(scratch: Path, rows: int) -> tuple[str, ...]:
    """Score every third of ``rows`` ids into three outputs; gives what held, raises ``RunFailed`` where it does not."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        sink = Path(folder, "out")
        sql = Sql(
            tables=f"""{source(rows, sequence=True)};
                CREATE TABLE ids (id BIGINT, score FLOAT) WITH ('connector' = 'filesystem', 'path' = '{sink.as_uri()}', 'format' = 'csv');
                CREATE TABLE stamps (v STRING, f0 FLOAT) WITH ('connector' = 'blackhole');
                CREATE TABLE dead (reason STRING, record STRING) WITH ('connector' = 'blackhole')""",
            input=f"SELECT id, {NAMES} FROM records WHERE MOD(id, 3) = 0",
            output="""INSERT INTO ids SELECT id, score FROM scored;
                INSERT INTO stamps SELECT model_version, f0 FROM scored WHERE score > 0.5;
                INSERT INTO dead SELECT reason, record FROM dead_letters""",
        )
        job = write_job(Path(folder, "job"), mlp(Path(folder, "mlp.onnx")), sql, Setup(batch_rows=1000))
        summary = summary_of(job)
        ids = []
        for part in sink.glob("*"):
            with part.open(newline="") as handle:
                ids += [int(record[0]) for record in csv.reader(handle)]
    expected = list(range(3, rows + 1, 3))
    if summary["scored"] != len(expected):
        raise RunFailed(f"{len(expected)} rows passed the filter, {summary['scored']} were evaluated.")
    if sorted(ids) != expected:
        raise RunFailed(
            f"{len(expected)} rows passed the filter, {len(ids)} came out, {len(set(ids))} of them different."
        )
    return (
        f"three outputs over {rows:,} rows of which a filter lets {len(expected):,} pass: {summary['scored']:,} evaluations, "
        f"every id once",
    )
