"""Start a program, wait until it answers, stop it again: by its own handle, never by a name.

A ``Program`` says what to run and how to see that it is ready; ``start`` gives a ``Running``. Readiness is asked for
again and again, but the time between two questions is spent watching the process itself (a pidfd), so an early end is
noticed at once and its last log lines are in the error. Linux only.

``tied=True`` (the parts of component tests) has the kernel end the program when the starter dies, even by kill -9.
``tied=False`` (the cluster) starts it in a session of its own, to outlive the command.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import StartError

Ready = Callable[[], str | None]
"""None when the program answers as it should, else what it still lacks, in words."""

_BETWEEN_QUESTIONS = 0.05
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. ``ready`` must be quick and must not raise; ``stop_seconds`` is what a clean end may take."""

    name: str
    argv: tuple[str, ...]
    ready: Ready
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    start_seconds: float = 60.0
    stop_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started here; ``pid`` is its, and stays ours until ``stop`` has reaped it."""

    program: Program
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid


def start(program: Program, *, tied: bool = True, cgroup: Path | None = None) -> Running:
    """Start without waiting for readiness, inside ``cgroup`` if given. Output goes to ``program.log``, appended."""

    def before() -> None:
        if tied:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if cgroup is not None:
            (cgroup / "cgroup.procs").write_text("0")

    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        try:
            process = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=program.folder,
                env={**os.environ, **program.environment},
                start_new_session=True,
                preexec_fn=before,
            )
        except OSError as error:
            raise StartError(f"{program.name} could not be started: {error}") from error
    return Running(program, process)


def wait_ready(running: Running) -> None:
    """Until the program is ready; StartError when it ends first or takes longer than ``start_seconds``."""
    program = running.program
    deadline = time.monotonic() + program.start_seconds
    while (lacking := program.ready()) is not None:
        if ended(running, _BETWEEN_QUESTIONS):
            raise StartError(
                f"{program.name} ended with status {running.process.returncode}.\n{last_lines(program.log)}"
            )
        if time.monotonic() > deadline:
            raise StartError(f"{program.name} is not ready after {program.start_seconds:.0f} s: {lacking}\n"
                             f"{last_lines(program.log)}")  # fmt: skip


def ended(running: Running, seconds: float) -> bool:
    """Whether the program has ended, waiting for that at most ``seconds``."""
    try:
        running.process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def stop(running: Running) -> None:
    """SIGTERM, then SIGKILL to its session after ``stop_seconds``; returns when it is gone, also if it was before."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        if not ended(running, running.program.stop_seconds):
            os.killpg(running.pid, signal.SIGKILL)
            running.process.wait()


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log with its path, for an error message."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return f"({log} is not there)"
    return "\n".join((f"--- end of {log}", *lines))


def pid_gone(pid: int, seconds: float) -> bool:
    """Whether a process that is not our child has ended, waiting at most ``seconds``."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([handle], [], [], seconds)
        return bool(readable)
    finally:
        os.close(handle)
