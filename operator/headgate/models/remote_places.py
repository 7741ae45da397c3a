"""What all sources of models have in common: a place holds named files, and a file is saved and hashed in one pass.

Called by ``remote``. A place knows nothing of ONNX. Saving never writes more than the limit, whatever a server announces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headgate.imagebuild.layers import disk_error
from headgate.models.refusals import ModelTooLarge


def _nothing() -> None:
    """What there is to close of most sources."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is being read."""

    chunks: Iterator[bytes]
    size: int | None
    """Bytes, where the source announces it."""
    etag: str
    """What the source calls this state of the file; empty where it has no name for it."""
    close: Callable[[], None] = _nothing
    """Gives the connection back, also when no chunk was read."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file on this machine's disk."""

    name: str
    """Relative to the model's folder."""
    path: Path
    sha256: str
    """In hex."""
    size: int
    etag: str


class Place(Protocol):
    """The folder (bucket prefix, web folder, artifact) that a model lies in."""

    def open(self, name: str) -> Opened:
        """The file ``name``, relative to the place. Raises the errors of ``remote_errors``."""

    def etag(self, name: str) -> str:
        """The file's present etag, without reading it; empty where the source has none."""

    def describe(self, name: str) -> str:
        """The file's address for messages and records, without secrets."""

    @property
    def repository(self) -> str:
        """For artifacts of a registry, ``registry/repository``; else empty."""


def save(place: Place, name: str, folder: Path, limit: int) -> Saved:
    """Write the file ``name`` of ``place`` below ``folder``, hashing it on the way; at most ``limit`` bytes.

    Raises ModelTooLarge, DiskFull and the errors of ``remote_errors``; nothing is left behind then.
    """
    subject = place.describe(name)
    opened = place.open(name)
    path = folder / name
    hasher, size, whole = hashlib.sha256(), 0, False
    try:
        if opened.size is not None:
            check_size(subject, opened.size, limit)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in opened.chunks:
                size += len(chunk)
                check_size(subject, size, limit)
                hasher.update(chunk)
                file.write(chunk)
        whole = True
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        opened.close()
        if not whole:
            path.unlink(missing_ok=True)
    return Saved(name, path, hasher.hexdigest(), size, opened.etag)


def check_size(subject: str, size: int, limit: int) -> None:
    """ModelTooLarge when ``size`` is over ``limit``, both in bytes."""
    if size > limit:
        raise ModelTooLarge(f"{subject} has at least {size:,} bytes; the limit is {limit:,}.")
