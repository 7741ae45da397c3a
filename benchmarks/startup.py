"""Where the time of a run's start goes, from the process's first moment to the first scored record and the end."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.headgate import Timed, running
from benchmarks.pipeline import headgate_job
from benchmarks.places import print_progress
from benchmarks.report import Options, Report, spread
from benchmarks.throughput import default_setup

NAME = "startup"
ABOUT = "a run's start, stage by stage"

_STEPS = (
    "Python and PyFlink imported",
    "contract read",
    "model verified",
    "model loaded",
    "smoke batch run",
    "Flink's JVM started, pipeline planned",
    "submitted, worker started, first record scored",
    "rest of 1,000 records, job ended",
    "shut down",
)


def measure(options: Options) -> Report:
    """Start a run of 1,000 records ``options.repeat`` times; medians of every part."""
    turns: list[tuple[float, ...]] = []
    for turn in range(1 if options.quick else options.repeat):
        turns.append(_one_start())
        print_progress(f"turn {turn + 1}: {sum(turns[-1]):.1f} s")
    rows = [(step, *_columns([turn[at] for turn in turns])) for at, step in enumerate(_STEPS)]
    rows.append(("all", *_columns([sum(turn) for turn in turns])))
    return Report(
        name=NAME,
        title="a run of 1,000 records on the embedded cluster",
        columns=("part", "seconds", "least", "most"),
        rows=tuple(rows),
        notes=("the runtime reports progress four times a second, so the first scored record is late by up to 0.25 s",),
    )


def _columns(values: list[float]) -> tuple[float, float, float]:
    found = spread(values)
    return round(found.median, 3), round(found.low, 3), round(found.high, 3)


def _one_start() -> tuple[float, ...]:
    with tempfile.TemporaryDirectory(prefix="headgate-startup-") as scratch:
        job = headgate_job(Path(scratch, "job"), 1_000, default_setup())
        with running(job) as run:
            for _ in run.events():
                pass
            ended = run.ended()
    first = run.seen[0].at
    stages = [_stage_seconds(run.seen, stage) for stage in ("contract", "verify", "load", "smoke", "plan")]
    ready = next(t.at for t in run.seen if t.event.get("stage") == "execute")
    scored = next((t.at for t in run.seen if t.event["event"] == "progress" and t.event["scored"]), None)
    summary = next(t.at for t in run.seen if t.event["event"] == "summary")
    scored = summary if scored is None else scored
    return (first, *stages, scored - ready, summary - scored, ended - summary)


def _stage_seconds(seen: list[Timed], stage: str) -> float:
    return sum(
        float(t.event["seconds"])
        for t in seen
        if t.event["event"] == "stage" and t.event["stage"] == stage and t.event["status"] == "done"
    )
