"""Runs a job folder through the runtime, as ``headgate run`` does, and keeps every event with the time of its arrival."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.places import runtime_environment, runtime_python
from headgate.errors import RunFailed

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timed:
    """An event and when it arrived, in seconds after the process was started."""

    at: float
    event: Event


@dataclass(slots=True)
class Running:
    """A runtime process whose events are read as they come."""

    process: subprocess.Popen[str]
    started: float
    log: Path
    seen: list[Timed] = field(default_factory=list)

    def events(self) -> Iterator[Timed]:
        """The events that are still to come, each kept in ``seen``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            timed = Timed(time.monotonic() - self.started, json.loads(line))
            self.seen.append(timed)
            if timed.event["event"] == "error":
                raise RunFailed(f"{timed.event['stage']}: {timed.event['message']}")
            yield timed

    def until(self, wanted: Callable[[Event], bool]) -> Timed:
        """The next event that is ``wanted``; ``RunFailed`` when the process ends before."""
        for timed in self.events():
            if wanted(timed.event):
                return timed
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        raise RunFailed(f"The runtime ended before it got there. Its log ends with:\n{tail}")

    def ended(self) -> float:
        """Wait for the process; seconds after its start."""
        self.process.wait()
        return time.monotonic() - self.started

    def stop(self) -> None:
        """Ask for a clean end, as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)


@contextmanager
def running(job: Path, *, jars: Sequence[Path] = (), **environment: str) -> Iterator[Running]:
    """The runtime on ``job``; whatever happens, the process is gone when the block is left."""
    command = [str(runtime_python()), "-m", "headgate_runtime", "run", "--local", "--job", str(job)]
    if jars:
        command += ["--jars", ":".join(map(str, jars))]
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as scratch:
        log = Path(scratch, "log")
        with log.open("w") as stderr:
            started = time.monotonic()
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=job.parent,
                env=runtime_environment(**environment),
            )
            try:
                yield Running(process, started, log)
            finally:
                _end(process)


def summary_of(job: Path, *, jars: Sequence[Path] = (), **environment: str) -> Event:
    """Run a bounded job to its end and give its summary event."""
    with running(job, jars=jars, **environment) as run:
        event = run.until(lambda e: e["event"] == "summary").event
        for _ in run.events():
            pass
        return event


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
