"""Makes layers: a tar that is the same bytes wherever and whenever it is made, compressed or as it is.

Entries are sorted, times are zero, the owner is root by number, modes are 0644 or 0755, folders come before what is in
them, nothing stands twice, and the format is GNU's. Memory stays constant whatever a file's size. The identity of a
layer is its diff-id (sha256 of the plain tar). Called by the executor; never trusts a file to be what the plan says it
is.
"""

from __future__ import annotations

import errno
import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import zstandard

from headgate.imagebuild.errors import DiskFull, SourceRefused
from headgate.imagebuild.manifest import MediaType
from headgate.imagebuild.plan import Compression, Compressor, PlannedFile, PlannedLayer, check_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CHUNK = 1024 * 1024
_BLOCK = tarfile.BLOCKSIZE
ZSTD_LEVEL = 3
GZIP_LEVEL = 6
COMPRESSORS = (
    Compressor(Compression.ZSTD, f"zstd {'.'.join(str(part) for part in zstandard.ZSTD_VERSION)}", ZSTD_LEVEL),
    Compressor(Compression.GZIP, f"zlib {zlib.ZLIB_RUNTIME_VERSION}", GZIP_LEVEL),
)
"""What this machine compresses with; a plan takes up those that it uses."""
MEDIA_TYPES = {
    Compression.NONE: MediaType.OCI_LAYER,
    Compression.ZSTD: MediaType.OCI_LAYER_ZSTD,
    Compression.GZIP: MediaType.OCI_LAYER_GZIP,
}


class Content(Protocol):
    """Where the bytes of a planned file come from: a path on disk or bytes in memory."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes from the beginning; may be called more than once."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file on disk."""

    path: Path

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes, at most :data:`CHUNK` at a time."""
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes in memory."""

    data: bytes

    def chunks(self) -> Iterator[bytes]:
        """The bytes in one piece."""
        yield self.data


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that exists: its digests and how to read it again."""

    name: str
    media_type: str
    digest: str
    """Of the bytes that travel."""
    diff_id: str
    """Of the plain tar."""
    size: int
    read: Callable[[], Iterator[bytes]]


def tar_chunks(layer: PlannedLayer, contents: Mapping[str, Content]) -> Iterator[bytes]:
    """The layer as a tar. ``contents`` maps each planned path to its bytes.

    Raises :class:`SourceRefused` when a file is no longer what was planned.
    """
    check_files(layer)
    files = {file.path: file for file in layer.files}
    markers = {f"{folder}/.wh..wh..opq": PlannedFile(f"{folder}/.wh..wh..opq", "", 0) for folder in layer.replaces}
    folders = {parent for path in (*files, *markers) for parent in _parents(path)}
    written = 0
    for path in sorted({*files, *markers, *folders}):
        if path in folders:
            yield (header := _header(f"{path}/", 0, 0o755, tarfile.DIRTYPE))
            written += len(header)
            continue
        file = files.get(path) or markers[path]
        yield (header := _header(path, file.size, 0o755 if file.executable else 0o644, tarfile.REGTYPE))
        written += len(header)
        if path in files:
            yield from _checked(file, contents[path].chunks())
            padding = -file.size % _BLOCK
            yield bytes(padding)
            written += file.size + padding
    yield bytes(2 * _BLOCK + -(written + 2 * _BLOCK) % tarfile.RECORDSIZE)


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    for end in range(1, len(parts)):
        yield "/".join(parts[:end])


def _header(name: str, size: int, mode: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type = size, mode, kind
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _checked(file: PlannedFile, chunks: Iterator[bytes]) -> Iterator[bytes]:
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > file.size:
            break
        hasher.update(chunk)
        yield chunk
    if size != file.size or hasher.hexdigest() != file.sha256:
        raise SourceRefused(
            f"The file {file.path!r} changed while the image was built: it is no longer the {file.size} bytes "
            f"with sha256 {file.sha256}.",
            remedy="Build again once nothing writes to it any more.",
        )


def plain_layer(planned: PlannedLayer, contents: Mapping[str, Content]) -> Layer:
    """A layer without compression: hashed in one pass, made again from its files whenever it is read. Nothing is
    stored."""
    hasher, size = hashlib.sha256(), 0
    for chunk in tar_chunks(planned, contents):
        hasher.update(chunk)
        size += len(chunk)
    digest = f"sha256:{hasher.hexdigest()}"
    return Layer(planned.name, MediaType.OCI_LAYER, digest, digest, size, lambda: tar_chunks(planned, contents))


def stored_layer(planned: PlannedLayer, contents: Mapping[str, Content], path: Path) -> Layer:
    """A compressed layer, written to ``path``. Raises :class:`DiskFull`."""
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0

    def counted() -> Iterator[bytes]:
        for chunk in tar_chunks(planned, contents):
            plain.update(chunk)
            yield chunk

    try:
        with path.open("wb") as file:
            for chunk in compress(counted(), planned.compression):
                packed.update(chunk)
                size += len(chunk)
                file.write(chunk)
    except OSError as error:
        raise disk_error(error, path) from error
    return Layer(
        name=planned.name,
        media_type=MEDIA_TYPES[planned.compression],
        digest=f"sha256:{packed.hexdigest()}",
        diff_id=f"sha256:{plain.hexdigest()}",
        size=size,
        read=FileContent(path).chunks,
    )


def compress(chunks: Iterator[bytes], compression: Compression) -> Iterator[bytes]:
    """``chunks`` compressed, on one thread (more threads give other bytes)."""
    if compression is Compression.NONE:
        yield from chunks
        return
    if compression is Compression.ZSTD:
        zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=0, write_content_size=False).compressobj()
        for chunk in chunks:
            yield zstd.compress(chunk)
        yield zstd.flush()
        return
    # zlib's own gzip header (wbits 31) holds no name and no time.
    gzip = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    for chunk in chunks:
        yield gzip.compress(chunk)
    yield gzip.flush()


def disk_error(error: OSError, path: Path) -> Exception:
    """:class:`DiskFull` for an error that means it, else the error itself."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(
            f"No space is left in {path.parent} while writing {path.name}.",
            remedy="Free some, or give the build another folder with TMPDIR.",
        )
    return error
