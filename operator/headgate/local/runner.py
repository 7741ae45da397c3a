"""Run the runtime as a child process, read its events, and leave nothing behind.

Called by ``headgate.local.session``. The child has a session of its own, so that a Ctrl-C on the terminal reaches this
process alone: the first is passed on as SIGINT (stop with a savepoint), a second as another SIGINT (cancel), and a
third, or a deadline, kills the whole group. Its stderr goes to a log file. When ``run_child`` returns or raises, no process of
the group is alive.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from headgate.errors import RunFailed, ToolMissing
from headgate.local.processes import INTERRUPT, bell, end_group, kill_group
from headgate.local.protocol import Counts, ErrorEvent, Event, PlanEvent, ProgressEvent, SummaryEvent, parse_event

_CHUNK = 65_536
_LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how long the child may take for each way of ending before the next harder one, and for silence."""

    stop: float = 90.0
    """After the first interrupt: a savepoint takes a while."""
    cancel: float = 20.0
    """After the second."""
    leave: float = 5.0
    """For stragglers of the group, between SIGTERM and SIGKILL."""
    quiet: float = 3.0
    """Without a word, until the listener is told so."""


@dataclass(frozen=True, slots=True)
class Child:
    """What to start."""

    command: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    """The working directory: relative paths in table options count from here."""
    log: Path
    """Gets stderr, and whatever on stdout is no event."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the child ended."""

    status: int
    """Exit status; negative: killed by that signal."""
    summary: SummaryEvent | None
    plan: PlanEvent | None
    error: ErrorEvent | None
    interrupts: int
    """How many times a person asked it to stop."""
    first: Counts | None = None
    """The first progress that had a scored record."""
    last: Counts | None = None
    """The last progress."""

    @property
    def rate(self) -> float:
        """Scored records a second, the start of the job left out where the run was long enough to tell (a second)."""
        if self.first is not None and self.last is not None and self.last.seconds - self.first.seconds >= 1.0:
            return (self.last.scored - self.first.scored) / (self.last.seconds - self.first.seconds)
        return self.summary.counts.rate if self.summary is not None else 0.0


class Listener(Protocol):
    """Hears what goes on during a run."""

    def saw(self, event: Event) -> None:
        """One event came."""

    def interrupted(self, count: int) -> None:
        """A person pressed Ctrl-C for the ``count``-th time."""

    def quiet(self) -> None:
        """Nothing has come for a few seconds."""


def run_child(child: Child, listener: Listener, patience: Patience | None = None) -> Outcome:
    """Run ``child`` to its end.

    Main thread only (signals). Raises ``ToolMissing`` when the program cannot be started.
    """
    patience = patience or Patience()
    child.log.parent.mkdir(parents=True, exist_ok=True)
    # The bell is there before the child is, so that its end is never missed.
    with child.log.open("ab") as log, bell() as signals:
        process = _start(child, log)
        try:
            conversation = _Conversation(process, log, listener, patience)
            conversation.hold(signals)
            return conversation.outcome()
        finally:
            end_group(process, patience.leave)
            if process.stdout is not None:
                process.stdout.close()


def _start(child: Child, log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(child.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=child.folder,
            env=dict(child.environ),
            start_new_session=True,
        )
    except OSError as error:
        raise ToolMissing(f"{child.command[0]} cannot be started: {error.strerror}.") from error


class _Conversation:
    """One child, from its first line to its exit."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: IO[bytes],
        listener: Listener,
        patience: Patience,
    ) -> None:
        self._process = process
        self._log = log
        self._listener = listener
        self._patience = patience
        self._pending = b""
        self._interrupts = 0
        self._deadline: float | None = None
        self._summary: SummaryEvent | None = None
        self._plan: PlanEvent | None = None
        self._error: ErrorEvent | None = None
        self._first: Counts | None = None
        self._last: Counts | None = None

    def hold(self, signals: int) -> None:
        """Read until the child has exited; its JVM may hold stdout open for longer, and is not waited for."""
        assert self._process.stdout is not None
        stdout = self._process.stdout.fileno()
        os.set_blocking(stdout, False)
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(signals, selectors.EVENT_READ)
            while self._process.poll() is None:
                ready = {key.fd for key, _ in selector.select(self._remaining())}
                if not ready:
                    self._nothing_came()
                if signals in ready:
                    for byte in os.read(signals, 64):
                        if bytes([byte]) == INTERRUPT:
                            self._interrupted()
                if stdout in ready and not self._read(stdout):
                    selector.unregister(stdout)
        while self._read(stdout):
            pass
        if self._pending:
            self._line(self._pending)

    def outcome(self) -> Outcome:
        """What it came to, once it has exited."""
        return Outcome(
            self._process.returncode,
            self._summary,
            self._plan,
            self._error,
            self._interrupts,
            self._first,
            self._last,
        )

    def _read(self, stdout: int) -> bool:
        """Take what is there; False when nothing is, or nothing will ever be."""
        try:
            chunk = os.read(stdout, _CHUNK)
        except BlockingIOError:
            return False
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        for line in lines:
            self._line(line)
        return bool(chunk)

    def _line(self, line: bytes) -> None:
        event = parse_event(line.decode("utf-8", "replace"))
        if event is None:
            self._log.write(line + b"\n")
            self._log.flush()
            return
        match event:
            case SummaryEvent():
                self._summary = event
            case PlanEvent():
                self._plan = event
            case ErrorEvent():
                self._error = event
            case ProgressEvent(counts=counts):
                self._first = self._first or (counts if counts.scored else None)
                self._last = counts
            case _:
                pass
        self._listener.saw(event)

    def _interrupted(self) -> None:
        self._interrupts += 1
        self._listener.interrupted(self._interrupts)
        if self._interrupts > 2:
            self._kill()
            return
        # To the child alone: Java would take it for the order to exit at once.
        self._process.send_signal(signal.SIGINT)
        self._deadline = time.monotonic() + (self._patience.stop if self._interrupts == 1 else self._patience.cancel)

    def _remaining(self) -> float:
        quiet = self._patience.quiet
        return quiet if self._deadline is None else min(quiet, max(0.0, self._deadline - time.monotonic()))

    def _nothing_came(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill()
        else:
            self._listener.quiet()

    def _kill(self) -> None:
        kill_group(self._process.pid)
        self._deadline = None


def failure(outcome: Outcome, log: Path) -> RunFailed | None:
    """The reason why ``outcome`` is a failure, as an error to raise; None when it ended well."""
    where = f"The log is {log}."
    if outcome.error is not None:
        stage = f" in stage {outcome.error.stage}" if outcome.error.stage else ""
        return RunFailed(f"The run failed{stage} ({outcome.error.reason}): {outcome.error.message}", remedy=where)
    if outcome.interrupts and outcome.status < 0:
        return RunFailed("The run was killed, since it did not stop in time when asked to.", remedy=where)
    if outcome.status != 0:
        how = f"was ended by signal {-outcome.status}" if outcome.status < 0 else f"ended with status {outcome.status}"
        last = "\n".join("  " + line for line in _last_lines(log))
        said = f" Its last lines:\n{last}\n" if last else ""
        return RunFailed(f"The runtime {how} and gave no reason.{said}", remedy=where)
    return None


def _last_lines(log: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return [line[:400] for line in log.read_text(errors="replace").splitlines()[-_LAST_LINES:]]
    return []
