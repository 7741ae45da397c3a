"""The lab's own cgroup: what runs in it belongs to the lab, whoever started it and whatever became of its parent.

Works on cgroup v2, v1 and both at once. Every program of the lab is put into ``headgate-lab/parts/NAME`` of the cgroup2
tree (or, where there is none, of the ``pids`` tree) before it starts, so its children are found even after a kill -9.
Pods lie in ``headgate-lab/NODE``, in every hierarchy.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from lab.cluster.layout import CGROUP
from lab.errors import LabError
from lab.processes import pid_gone

_MOUNT = Path("/sys/fs/cgroup")


def hierarchies() -> tuple[Path, ...]:
    """The root folder of every mounted cgroup hierarchy."""
    if (_MOUNT / "cgroup.controllers").exists():
        return (_MOUNT,)
    mounted = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return tuple(Path(fields[1]) for fields in mounted if fields[2] in ("cgroup", "cgroup2"))


def _tracking() -> Path:
    roots = hierarchies()
    for root in roots:
        if (root / "cgroup.controllers").exists():
            return root
    for root in roots:
        if root.name == "pids":
            return root
    raise LabError(f"no cgroup hierarchy is mounted below {_MOUNT}; the cluster needs one")


def part_cgroup(name: str) -> Path:
    """The cgroup of one program, made if it is not there."""
    folder = _tracking() / CGROUP / "parts" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_pod_cgroup(relative: str) -> None:
    """A parent for a node's pods in every hierarchy, with what pods need of the one above it."""
    for root in hierarchies():
        folder = root
        for step in Path(relative).parts:
            parent, folder = folder, folder / step
            folder.mkdir(exist_ok=True)
            if root == _MOUNT:
                _hand_down_controllers(parent)
            elif (folder / "cpuset.cpus").exists():
                _take_processors(folder, parent)
        _weigh(root / CGROUP)


def _weigh(folder: Path) -> None:
    """All pods together count for as many processes as they are about, and not for one, beside what else the machine does."""
    for setting, value in (("cpu.shares", "4096"), ("cpu.weight", "400")):
        if (folder / setting).exists():
            (folder / setting).write_text(value)


def _take_processors(folder: Path, parent: Path) -> None:
    """A new cpuset of cgroup v1 is empty, and takes no process before it has processors and memory nodes."""
    for setting in ("cpuset.cpus", "cpuset.mems"):
        if not (folder / setting).read_text().strip():
            (folder / setting).write_text((parent / setting).read_text())


def _hand_down_controllers(folder: Path) -> None:
    """On cgroup v2 alone, a child has only the controllers that its parent hands down; some cannot be, and need not."""
    for controller in (folder / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def processes(relative: str = CGROUP) -> frozenset[int]:
    """Pids of all processes below a cgroup, in any hierarchy."""
    found: set[int] = set()
    for folder in _folders(relative):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
    return frozenset(found - {0})


def kill(relative: str, patience: float = 20.0) -> None:
    """SIGKILL everything below a cgroup, again and again until nothing new appears; LabError if something stays."""
    deadline = time.monotonic() + patience
    while pids := processes(relative):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            pid_gone(pid, max(0.0, deadline - time.monotonic()))
        if time.monotonic() > deadline:
            raise LabError(f"processes {sorted(processes(relative))} of {relative} do not end; they hang in the kernel")


def remove(relative: str) -> None:
    """Remove a cgroup and all below it, from the leaves up; its processes must be gone."""
    for folder in sorted(_folders(relative), key=lambda one: len(one.parts), reverse=True):
        deadline = time.monotonic() + 5
        while folder.exists():
            try:
                folder.rmdir()
            except OSError as error:
                # A process that has just ended keeps its cgroup busy for a moment.
                if time.monotonic() > deadline:
                    raise LabError(f"{folder} cannot be removed: {error}") from error
                os.sched_yield()


def _folders(relative: str) -> Iterator[Path]:
    for root in hierarchies():
        top = root / relative
        if top.is_dir():
            yield top
            for folder, below, _ in os.walk(top):
                yield from (Path(folder) / name for name in below)
