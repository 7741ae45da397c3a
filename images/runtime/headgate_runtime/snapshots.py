"""Finds what a run is to start from. Called by ``cluster`` when *go* has come; reads the storage through Flink, never writes.

*Go* names a place, one alternative a line, and the first that holds a complete snapshot is taken: the path of a savepoint or
checkpoint; a folder of a run (ending in ``/``), below which the newest complete snapshot counts; nothing, which is to start
from nothing. A lone path is taken as it is: Flink says what is wrong with it, and where it has a checkpoint of its own in its
high-availability data, that one counts and the path is of no account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyflink.java_gateway import get_gateway

from headgate_runtime.bridge import JAVA_ERRORS, cause_of
from headgate_runtime.errors import RuntimeFailure, Stage

_METADATA = "_metadata"
_CHECKPOINT = re.compile(r"chk-(\d+)")


class StorageUnreadable(RuntimeFailure):
    """The storage does not let itself be looked through."""

    stage = Stage.WAIT
    reason = "StorageUnreadable"


@dataclass(frozen=True, slots=True, order=True)
class Snapshot:
    """A complete snapshot; the greater one is the newer one. ``time``: ms of its metadata file, in whole seconds."""

    time: int
    is_savepoint: bool
    number: int
    path: str


def find_snapshot(place: str) -> str:
    """The path that a place means; empty: start from nothing. Where no alternative holds a snapshot, the last path of them.

    Raises StorageUnreadable where the storage refuses.
    """
    alternatives = place.split("\n")
    if len(alternatives) == 1 and not place.endswith("/"):
        return place
    for one in alternatives:
        if not one:
            return ""
        found = _newest_below(one) if one.endswith("/") else _complete(one)
        if found is not None:
            return found.path
    return alternatives[-1]


def _newest_below(folder: str) -> Snapshot | None:
    """The newest snapshot of a run: ``checkpoints/<job>/chk-<n>`` and ``savepoints/savepoint-…`` below its folder."""
    jobs = [path for path, _ in _list(f"{folder}checkpoints")]
    checkpoints = [path for job in jobs for path, _ in _list(job) if _CHECKPOINT.fullmatch(path.rpartition("/")[2])]
    savepoints = [path for path, _ in _list(f"{folder}savepoints")]
    found = [snapshot for path in (*checkpoints, *savepoints) if (snapshot := _complete(path)) is not None]
    return max(found, default=None)


def _complete(path: str) -> Snapshot | None:
    """The snapshot at a path, or None where there is none or it was never completed."""
    for name, time in _list(path):
        if name.rpartition("/")[2] == _METADATA:
            number = _CHECKPOINT.fullmatch(path.rstrip("/").rpartition("/")[2])
            return Snapshot(time // 1000 * 1000, number is None, int(number[1]) if number else 0, path)
    return None


def _list(folder: str) -> Iterator[tuple[str, int]]:
    """Paths and modification times (ms) of what lies in a folder; nothing where there is none."""
    jvm = get_gateway().jvm
    path = jvm.org.apache.flink.core.fs.Path(folder)
    try:
        system = path.getFileSystem()
        entries: Any = system.listStatus(path) if system.exists(path) else None
    except JAVA_ERRORS as error:
        raise StorageUnreadable(f"{folder} cannot be looked through: {cause_of(error)}") from error
    for entry in entries or ():
        yield f"{folder.rstrip('/')}/{entry.getPath().getName()}", int(entry.getModificationTime())
