"""Resident memory of the Python worker, with a model of 100 MB and with a tiny one, and of a model held twice.

Flink's embedded cluster runs Python inside the client's process; ``_python_worker_execution_mode=process`` is PyFlink's own
switch for a worker of its own, which is what a cluster has.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import helper

from benchmarks.headgate import Running, running
from benchmarks.pipeline import COLUMNS, NAMES, mlp, with_clause
from benchmarks.places import runtime_environment, runtime_python
from benchmarks.report import Options, Report
from benchmarks.throughput import default_setup
from embedded.jobs import Sql, write_job
from embedded.models import FLOAT, save
from headgate.errors import RunFailed

NAME = "memory"
ABOUT = "memory of the Python worker for a model of 100 MB"

_INSIDE = Path(__file__).parent / "inside" / "held.py"
_MIB = 2**20


def big_model(path: Path, megabytes: int) -> Path:
    """``score [N, 1]`` of ``x [N, 12]``, with random weights of so many megabytes in one dense layer."""
    width = int((megabytes * 1e6 / 4) ** 0.5)
    random = np.random.default_rng(0)
    weights = {
        "w0": random.normal(size=(12, width)).astype(np.float32),
        "w1": random.normal(size=(width, width)).astype(np.float32),
        "w2": random.normal(size=(width, 1)).astype(np.float32),
    }
    names = ["x", "a", "b", "score"]
    nodes = [helper.make_node("MatMul", [names[at], f"w{at}"], [names[at + 1]]) for at in range(3)]
    return save(path, nodes, {"x": (FLOAT, ["N", 12])}, {"score": (FLOAT, ["N", 1])}, weights)


def measure(options: Options) -> Report:
    """Run a slow stream with each model and read the processes' resident memory from /proc."""
    with tempfile.TemporaryDirectory(prefix="headgate-memory-") as scratch:
        folder = Path(scratch)
        small = mlp(folder / "small.onnx")
        big = big_model(folder / "big.onnx", 10 if options.quick else 100)
        size = big.stat().st_size / _MIB
        rows = []
        for label, model, parallelism in (
            ("worker, tiny model", small, 1),
            ("worker, big model", big, 1),
            ("worker, big model, two tasks", big, 2),
        ):
            rows.append((label, *_worker_memory(folder / label.replace(" ", "-"), model, parallelism)))
        for label, kind in (
            ("session alone: before", "none"),
            ("session alone: held once", "once"),
            ("session alone: asked for twice, shared", "pooled"),
            ("session alone: loaded twice", "twice"),
        ):
            rows.append((label, *_held(kind, write_job(folder / kind, big, _sql(), default_setup()))))
    plain, loaded, parallel = (row[1] for row in rows[:3])
    return Report(
        name=NAME,
        title=f"a model file of {size:.0f} MiB",
        columns=("what", "resident MiB", "at most MiB"),
        rows=tuple(rows),
        notes=(
            f"the model adds {(loaded - plain) / size:.2f} times its file to the worker; two tasks add {(parallel - loaded):.0f} MiB",
        ),
    )


def _sql() -> Sql:
    options = {"connector": "datagen", "rows-per-second": "200"}
    return Sql(
        tables=f"CREATE TABLE records ({COLUMNS}) WITH ({with_clause(options)});"
        "CREATE TABLE answers (id BIGINT, score FLOAT) WITH ('connector' = 'blackhole')",
        input=f"SELECT id, {NAMES} FROM records",
        output="INSERT INTO answers SELECT id, score FROM scored",
    )


def _worker_memory(folder: Path, model: Path, parallelism: int) -> tuple[float, float]:
    job = write_job(folder, model, _sql(), replace(default_setup(), parallelism=parallelism))
    with running(job, _python_worker_execution_mode="process") as run:
        run.until(lambda e: e["event"] == "progress" and e["scored"] >= 1_000)
        found = [_resident(pid) for pid in _workers(run)]
        if not found:
            raise RunFailed("No Python worker was found below the runtime's process.")
        run.stop()
        for _ in run.events():
            pass
    return round(sum(now for now, _ in found), 1), round(sum(most for _, most in found), 1)


def _workers(run: Running) -> list[int]:
    """Processes below the runtime whose command line names PyFlink's worker, without the shells that start them."""
    below = _descendants(run.process.pid)
    return [
        pid for pid in below if "pyflink.fn_execution.beam.beam_boot" in _command(pid) and "python" in _command(pid)[0]
    ]


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _resident(pid: int) -> tuple[float, float]:
    """Resident memory now and at its highest, in MiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, most = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def _held(kind: str, job: Path) -> tuple[float, float]:
    done = subprocess.run(
        [str(runtime_python()), str(_INSIDE), kind, str(job)],
        capture_output=True, text=True, check=False, env=runtime_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise RunFailed(f"Holding the model ({kind}) failed:\n{done.stderr.strip()[-1000:]}")
    now, most = json.loads(done.stdout)
    return round(now, 1), round(most, 1)
