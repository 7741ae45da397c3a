"""Shows a run while it goes on: a line that moves on a terminal, plain lines elsewhere. All of it on stderr.

Called by ``run`` and ``explain`` with every event of the runtime.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from headgate.cli.console import plural, tell
from headgate.local.protocol import Counts, Event, ProgressEvent, StageEvent
from headgate.local.runner import Listener

_SECONDS_BETWEEN_LINES = 5.0
_STAGES = {
    "contract": "reading the job",
    "verify": "checking the model's digest",
    "load": "loading the model",
    "smoke": "scoring a first batch",
    "plan": "planning",
    "goldens": "checking rows with known answers",
    "ready": "ready",
    "wait": "waiting",
    "execute": "running",
}


def interruption(count: int) -> str:
    """What is said at the ``count``-th Ctrl-C."""
    if count == 1:
        return "Stopping with a savepoint; press Ctrl-C again to cancel."
    return "Cancelling; press Ctrl-C again to kill." if count == 2 else "Killing the run."


def counted(counts: Counts) -> str:
    """``1,200 of 1,203 scored, 3 dead letters, 4,000/s``."""
    dead = f", {plural(counts.dead, 'dead letter')}" if counts.dead else ""
    rate = f", {counts.rate:,.0f}/s" if counts.rate >= 1 else ""
    return f"{counts.scored:,} of {counts.records_in:,} scored{dead}{rate}"


class PlainLines:
    """One line a stage, and counts every few seconds."""

    def __init__(self) -> None:
        self._said_at = -_SECONDS_BETWEEN_LINES
        self._unsaid: Counts | None = None

    def saw(self, event: Event) -> None:
        """One event came."""
        match event:
            case StageEvent(stage=stage, status="done", seconds=seconds) if stage != "execute":
                took = f" ({seconds:.1f} s)" if seconds is not None and seconds >= 0.05 else ""
                tell(f"{_STAGES.get(stage, stage)}: done{took}")
            case StageEvent(stage="execute", status="started"):
                tell("running …")
            case ProgressEvent(counts=counts) if counts.records_in:
                self._unsaid = counts
                if counts.seconds - self._said_at >= _SECONDS_BETWEEN_LINES:
                    self.quiet()
            case _:
                pass

    def interrupted(self, count: int) -> None:
        """A person pressed Ctrl-C for the ``count``-th time."""
        tell(interruption(count))

    def quiet(self) -> None:
        """Nothing more comes for now: counts that were held back are said."""
        if self._unsaid is not None:
            self._said_at = self._unsaid.seconds
            tell(counted(self._unsaid))
            self._unsaid = None


class Bar:
    """A spinner with the stage and the counts; a bar where the end is known."""

    def __init__(self, progress: Progress, task: TaskID, rows: int | None) -> None:
        self._progress = progress
        self._task = task
        self._rows = rows

    def saw(self, event: Event) -> None:
        """One event came."""
        match event:
            case StageEvent(stage=stage, status="started"):
                self._progress.update(self._task, description=_STAGES.get(stage, stage))
            case ProgressEvent(counts=counts):
                seen = min(counts.records_in, self._rows) if self._rows is not None else None
                self._progress.update(self._task, completed=seen, counts=counted(counts))
            case _:
                pass

    def interrupted(self, count: int) -> None:
        """A person pressed Ctrl-C for the ``count``-th time."""
        self._progress.console.print(interruption(count))

    def quiet(self) -> None:
        """The line shows everything already."""


@contextmanager
def watching(rows: int | None) -> Iterator[Listener]:
    """A watcher that fits what stderr is; ``rows``: how many records are wanted, where that is known."""
    console = Console(file=sys.stderr, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainLines()
        return
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[counts]}")]
    if rows is None:
        del columns[2]
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, progress.add_task("starting", total=rows, counts=""), rows)
