"""The cache of made things: looked up by what they are made from, published whole or not at all.

``publish`` is used by the Go builds, the Go toolchain and the jars. Two processes that want the same thing wait for one
another on a lock file; whoever comes second finds it made. Nothing here knows how a thing is made.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def publish(target: Path, make: Callable[[Path], None]) -> Path:
    """``target`` (a folder), made by ``make(empty folder)`` if it is not there yet.

    A crash in the middle leaves no ``target``; a concurrent caller waits and then uses what the first one made.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent / f".{target.name}.lock"):
        if target.is_dir():
            return target
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            make(unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target


def write_if_changed(path: Path, text: str, mode: int = 0o644) -> Path:
    """The file with that text, untouched when it has it already: some programs end when their file is written."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=mode)
        path.write_text(text)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held by one process at a time; let go by the kernel when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
