"""Models on a mounted disk: ``file:`` and paths for builds on a laptop, ``pvc://claim/path`` for builds in a cluster.

A claim is mounted into the builder's pod; which folder it has there comes in from the edge. Nothing outside that folder is read,
links included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headgate.models.remote_errors import SourceChanged, SourceDenied, SourceMissing, SourceNotUnderstood
from headgate.models.remote_places import Opened

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DiskPlace:
    """A folder. ``root`` is what it may not be left from (a claim's mount point), or None for any."""

    folder: Path
    address: str
    """The folder as the resource names it, ending in ``/``; for messages."""
    root: Path | None = None

    @property
    def repository(self) -> str:
        """No registry."""
        return ""

    def open(self, name: str) -> Opened:
        """See :class:`~headgate.models.remote_places.Place`."""
        path = self._path(name)
        before = path.stat()
        return Opened(self._chunks(path, name, before), before.st_size, _state(before))

    def etag(self, name: str) -> str:
        """Size and time of the last change."""
        return _state(self._path(name).stat())

    def describe(self, name: str) -> str:
        """The address of the file."""
        return f"{self.address}{name}"

    def _path(self, name: str) -> Path:
        path = self.folder / name
        try:
            real = path.resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceMissing(f"{self.describe(name)} does not exist.") from None
        except (OSError, RuntimeError) as error:
            raise SourceDenied(f"{self.describe(name)} cannot be read: {error}.") from error
        if self.root is not None and not real.is_relative_to(self.root.resolve()):
            raise SourceNotUnderstood(f"{self.describe(name)} is a link that leads out of its claim.")
        if not real.is_file():
            raise SourceNotUnderstood(f"{self.describe(name)} is not an ordinary file.")
        return real

    def _chunks(self, path: Path, name: str, before: os.stat_result) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
                after = os.fstat(file.fileno())
        except OSError as error:
            raise SourceDenied(f"{self.describe(name)} cannot be read: {error.strerror}.") from error
        if _state(before) != _state(after) or before.st_ino != after.st_ino:
            raise SourceChanged(f"{self.describe(name)} changed while it was read.")


def _state(status: os.stat_result) -> str:
    return f"{status.st_size:x}-{status.st_mtime_ns:x}"
