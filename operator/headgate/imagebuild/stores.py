"""What the executor needs of a place that holds images: a registry's repository or an OCI layout on disk.

``registry.repository.Repository`` and ``layout.Layout`` are both; tests have none of their own, they use real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from headgate.imagebuild.canonical import sha256_digest
from headgate.imagebuild.manifest import Descriptor


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest's bytes as they are stored, with media type and digest."""

    data: bytes
    media_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes to send: what they are and how to read them from the beginning."""

    digest: str
    size: int
    read: Callable[[], Iterator[bytes]]


def bytes_blob(data: bytes) -> Blob:
    """A small blob from memory."""
    return Blob(sha256_digest(data), len(data), lambda: iter([data]))


class ImageSource(Protocol):
    """Where images are read from."""

    @property
    def location(self) -> tuple[str, str]:
        """Registry and repository; a blob can be mounted only within one registry."""

    def find(self, reference: str) -> str:
        """The digest of the manifest under a tag or digest; empty when there is none."""

    def manifest(self, reference: str) -> Fetched:
        """The manifest under a tag or digest, checked against its digest."""

    def blob(self, descriptor: Descriptor) -> bytes:
        """A small blob, checked."""

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob of any size, checked once its end is reached."""


class ImageTarget(ImageSource, Protocol):
    """Where images are written to."""

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""

    def mount(self, digest: str, source: str) -> bool:
        """Take a blob over from another repository of the same registry; False when that is not possible."""

    def upload(self, blob: Blob, sent: Callable[[int], None]) -> None:
        """Write a blob; ``sent`` hears of every piece's size."""

    def put_manifest(self, reference: str, data: bytes, media_type: str) -> bool:
        """Write a manifest under a tag or digest. True when its ``subject`` was indexed with it."""

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What points at the manifest ``digest``."""

    def register(self, digest: str, added: tuple[Descriptor, ...]) -> None:
        """List referrers of ``digest`` where the store does not do it by itself."""
