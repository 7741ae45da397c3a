"""Rows per second at parallelism 1, of Headgate's model step and of what one would do without it.

A rate is taken between two run lengths, so that start-up and the first compiled code cancel out, and the ways take turns, so
that a busy moment of the machine does not fall on one of them alone.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.headgate import summary_of
from benchmarks.javac import compiled_rival
from benchmarks.once import check_once
from benchmarks.pipeline import headgate_job
from benchmarks.places import print_progress, runtime_environment, runtime_python
from benchmarks.report import Options, Report, spread
from embedded.jobs import Setup
from headgate.api.model import ExecutionSpec
from headgate.api.quantities import parse_duration
from headgate.errors import RunFailed

NAME = "throughput"
ABOUT = "rows per second against no model, a Python function per row, and a Java function per row"

_INSIDE = Path(__file__).parent / "inside" / "rival.py"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run the pipeline: how many rows its short and its long run have, and seconds for a number of rows."""

    label: str
    short: int
    long: int
    seconds: Callable[[int], float]

    def rate(self, *, quick: bool) -> float:
        """Rows per second between the two lengths; ``quick`` runs are too short to tell and may give one over all."""
        first, second = self.seconds(self.short), self.seconds(self.long)
        if second <= first:
            if quick:
                return self.long / second
            raise RunFailed(
                f"{self.label}: {self.long} rows took no longer than {self.short}; the machine is too busy."
            )
        return (self.long - self.short) / (second - first)


def measure(options: Options) -> Report:
    """Run every way ``options.repeat`` times in turns and compare the medians."""
    with tempfile.TemporaryDirectory(prefix="headgate-throughput-") as scratch:
        ways = _ways(Path(scratch), options.quick)
        rates: dict[str, list[float]] = {way.label: [] for way in ways}
        for turn in range(1 if options.quick else options.repeat):
            for way in ways:
                rates[way.label].append(way.rate(quick=options.quick))
                print_progress(f"turn {turn + 1}: {way.label}: {rates[way.label][-1]:,.0f} rows/s")
        checked = check_once(Path(scratch), rows=2_000 if options.quick else 200_000)
    own = rates[ways[0].label]
    rows = []
    for way in ways:
        ratios = spread([mine / other for mine, other in zip(own, rates[way.label], strict=True)])
        rows.append((way.label, spread(rates[way.label]).median, str(ratios), f"{way.short:,} and {way.long:,}"))
    return Report(
        name=NAME,
        title="parallelism 1, id and 12 FLOAT features, MLP 12-6-6-1, datagen to blackhole",
        columns=("way", "rows/s", "Headgate is … times as fast (least to greatest)", "rows of the two runs"),
        rows=tuple(rows),
        checks=(*checked, "Headgate's step counted exactly as many evaluations as the source made rows, in every run"),
        notes=("the rate between two run lengths; medians over turns; ratios are taken within a turn",),
    )


def _ways(scratch: Path, quick: bool) -> tuple[Way, ...]:
    jar, onnxruntime = compiled_rival(scratch)

    def lengths(short: int, long: int) -> tuple[int, int]:
        return (short // 100, long // 100) if quick else (short, long)

    def rival(kind: str, *jars: Path) -> Callable[[int], float]:
        return lambda rows: _rival_seconds(scratch, kind, rows, jars)

    return (
        Way("Headgate's model step", *lengths(4_000_000, 12_000_000), lambda rows: _headgate_seconds(scratch, rows)),
        Way("no model: the columns are added", *lengths(4_000_000, 16_000_000), rival("sum")),
        Way("no model, between the step's two barriers", *lengths(4_000_000, 16_000_000), rival("barriers")),
        Way("Python function per row", *lengths(100_000, 400_000), rival("row")),
        Way("Java function per row", *lengths(300_000, 1_200_000), rival("jvm", jar, onnxruntime)),
    )


def default_setup() -> Setup:
    """The resource's own defaults for the model step; checkpoints as a deployment has them."""
    execution = ExecutionSpec()
    return Setup(
        batch_rows=execution.max_batch_rows, delay_ms=parse_duration(execution.max_delay), checkpoint_ms=10_000
    )


def _headgate_seconds(scratch: Path, rows: int) -> float:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        summary = summary_of(headgate_job(Path(folder), rows, default_setup()))
    if (summary["scored"], summary["deadLetters"]) != (rows, {}):
        raise RunFailed(
            f"{rows} rows were made, {summary['scored']} evaluated, dead letters: {summary['deadLetters']}."
        )
    return float(summary["seconds"])


def _rival_seconds(scratch: Path, kind: str, rows: int, jars: tuple[Path, ...]) -> float:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        job = headgate_job(Path(folder), rows, default_setup())
        command = [str(runtime_python()), str(_INSIDE), kind, str(job)]
        for jar in jars:
            command += ["--jar", str(jar)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=runtime_environment())
    if done.returncode != 0:
        raise RunFailed(f"The rival {kind!r} failed:\n{done.stderr.strip()[-2000:]}")
    return float(json.loads(done.stdout)["seconds"])
