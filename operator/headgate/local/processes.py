"""Signals as readable bytes, and the end of a process group.

Called by ``headgate.local.runner`` alone. It touches only groups whose leader this process started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

INTERRUPT, CHILD_ENDED = b"!", b"c"


@contextlib.contextmanager
def bell() -> Iterator[int]:
    """A file descriptor that gets a byte for every SIGINT or SIGTERM (``INTERRUPT``) and SIGCHLD (``CHILD_ENDED``).

    Inside the context these signals have no other effect. Main thread only.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def ring(number: int, _frame: FrameType | None) -> None:
        # A full pipe has bytes enough to wake the reader.
        with contextlib.suppress(BlockingIOError):
            os.write(writing, CHILD_ENDED if number == signal.SIGCHLD else INTERRUPT)

    before = {number: signal.signal(number, ring) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def kill_group(leader: int) -> None:
    """SIGKILL to every process of the group; none left is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end_group(process: subprocess.Popen[bytes], leave: float) -> None:
    """End whatever is left of the group of ``process``: asked by SIGTERM, killed after ``leave`` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not group_alive(process.pid):
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(leave)
        # Other members are no children of this process, so there is nothing to wait on but the clock.
        tick, until = threading.Event(), time.monotonic() + leave
        while group_alive(process.pid) and time.monotonic() < until:
            tick.wait(0.02)
    process.poll()


def group_alive(leader: int) -> bool:
    """Whether the group has a member that is more than a zombie (an init that reaps nothing leaves those)."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return True
    return any(_alive_in(entry, leader) for entry in proc.iterdir() if entry.name.isdigit())


def _alive_in(entry: Path, group: int) -> bool:
    try:
        state, _parent, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in ("Z", "X")
