"""Start and stop the cluster's programs, each noted in a file and kept in a cgroup of its own.

The note holds the pid and the moment at which the kernel started it, so a pid that was given away again is never taken
for ours. ``ensure`` starts only what does not run, which makes ``up`` repeatable.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from lab.cluster import cgroups
from lab.cluster.layout import CGROUP, LOGS, RUN
from lab.processes import Program, Running, pid_gone, start, wait_ready

_NOTES = RUN / "parts"


@dataclass(frozen=True, slots=True)
class Found:
    """A program of the lab that runs now."""

    name: str
    pid: int


def log_of(name: str) -> Path:
    """The log of a program."""
    return LOGS / f"{name}.log"


def find(name: str) -> Found | None:
    """The program, if it runs."""
    try:
        pid, born = (_NOTES / name).read_text().split()
    except FileNotFoundError:
        return None
    return Found(name, int(pid)) if _born(int(pid)) == born else None


def ensure(program: Program) -> Running | None:
    """Start the program unless it runs; None when it did. What an earlier one left in its cgroup is killed first."""
    if find(program.name) is not None:
        return None
    cgroups.kill(f"{CGROUP}/parts/{program.name}")
    _keep_previous(program.log)
    running = start(program, tied=False, cgroup=cgroups.part_cgroup(program.name))
    _NOTES.mkdir(parents=True, exist_ok=True)
    (_NOTES / program.name).write_text(f"{running.pid} {_born(running.pid)}")
    return running


def await_ready(program: Program, running: Running | None) -> None:
    """Until it is ready. One that ran before is only asked, once: ``up`` mends what is down, not what is slow."""
    if running is not None:
        wait_ready(running)


def halt(name: str, patience: float) -> None:
    """SIGTERM to the program, SIGKILL to what is left of its cgroup after ``patience`` seconds."""
    found = find(name)
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGTERM)
        pid_gone(found.pid, patience)
    cgroups.kill(f"{CGROUP}/parts/{name}")
    (_NOTES / name).unlink(missing_ok=True)


def noted() -> tuple[str, ...]:
    """Names of all programs that were started and not halted."""
    return tuple(sorted(note.name for note in _NOTES.iterdir())) if _NOTES.is_dir() else ()


def _keep_previous(log: Path) -> None:
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))


def _born(pid: int) -> str:
    """The start time of a process in clock ticks since boot; empty when there is none, or only its shell is left."""
    try:
        # The second field, the program's name in brackets, may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
