"""Models in registries: ``oci://registry/repository:tag``, an artifact of files or an image whose last layer holds the model.

An artifact's files are named by ``org.opencontainers.image.title`` (as ORAS does) or ``org.cncf.model.filepath``; a layer that is a
tar is unpacked, refusing paths that leave their folder. The ETag is the manifest's digest, so a moved tag is noticed.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from headgate.imagebuild.layers import disk_error
from headgate.imagebuild.manifest import (
    Descriptor,
    Index,
    Manifest,
    MediaType,
    Platform,
    choose_platform,
    parse_manifest,
)
from headgate.imagebuild.plan import check_path
from headgate.imagebuild.stores import ImageSource
from headgate.models.remote_errors import SourceMissing, SourceNotUnderstood
from headgate.models.remote_places import Opened, check_size

_TITLES = ("org.opencontainers.image.title", "org.cncf.model.filepath")
_IMAGES = (MediaType.OCI_CONFIG, MediaType.DOCKER_CONFIG)
_MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """The files of an artifact, by name."""

    source: ImageSource
    selector: str
    digest: str
    files: tuple[tuple[str, Descriptor], ...]
    folder: str
    """What the names are relative to: empty, or ending in ``/``."""
    repository: str

    def open(self, name: str) -> Opened:
        """See :class:`~headgate.models.remote_places.Place`."""
        descriptor = dict(self.files).get(self.folder + name)
        if descriptor is None:
            raise SourceMissing(f"{self.describe(name)} does not exist in the artifact.")
        return Opened(self.source.stream(descriptor), descriptor.size, self.digest)

    def etag(self, name: str) -> str:  # noqa: ARG002 - one digest for all files
        """The digest that the tag stands for now."""
        return self.source.find(self.selector)

    def describe(self, name: str) -> str:
        """The artifact and the file in it."""
        return f"oci://{self.repository}@{self.digest}#{self.folder}{name}"


@dataclass(frozen=True, slots=True)
class UnpackedPlace:
    """The files of a tar layer, unpacked into a folder."""

    source: ImageSource
    selector: str
    digest: str
    folder: Path
    repository: str

    def open(self, name: str) -> Opened:
        """See :class:`~headgate.models.remote_places.Place`."""
        path = self.folder / name
        if not path.is_file():
            raise SourceMissing(f"{self.describe(name)} does not exist in the layer.")
        return Opened(_read(path), path.stat().st_size, self.digest)

    def etag(self, name: str) -> str:  # noqa: ARG002 - one digest for all files
        """The digest that the tag stands for now."""
        return self.source.find(self.selector)

    def describe(self, name: str) -> str:
        """The image and the file in it."""
        return f"oci://{self.repository}@{self.digest}#{name}"


def open_artifact(
    source: ImageSource, repository: str, selector: str, wanted: str, work: Path, limit: int
) -> tuple[ArtifactPlace | UnpackedPlace, str]:
    """The place of the artifact and the model's name in it.

    ``wanted`` is a path within the artifact, or empty where it holds one ``.onnx`` file. ``work`` takes what has to be unpacked,
    at most ``limit`` bytes.
    """
    subject = f"oci://{repository}:{selector}".replace(":sha256:", "@sha256:")
    digest = source.find(selector)
    if not digest:
        raise SourceMissing(f"{subject} does not exist.")
    manifest = _manifest(source, digest, subject)
    image = manifest.config.media_type in _IMAGES and not manifest.artifact_type
    named = tuple((title, layer) for layer in manifest.layers if (title := _title(layer)))
    if not image and named:
        for title, _ in named:
            check_path(title, subject)
        folder, name = _choose([title for title, _ in named], wanted, subject)
        return ArtifactPlace(source, selector, digest, named, folder, repository), name
    if not manifest.layers:
        raise SourceNotUnderstood(f"{subject} has no layers.")
    last = manifest.layers[-1]
    if "tar" not in last.media_type:
        if len(manifest.layers) > 1:
            raise SourceNotUnderstood(
                f"{subject} has {len(manifest.layers)} files without names.",
                remedy="Push the model with ORAS, which names them.",
            )
        name = Path(wanted).name or "model.onnx"
        return ArtifactPlace(source, selector, digest, ((name, last),), "", repository), name
    check_size(f"The last layer of {subject}", last.size, limit)
    folder_path = work / hashlib.sha256(last.digest.encode()).hexdigest()[:16]
    names = unpack(source.stream(last), last.media_type, folder_path, f"The last layer of {subject}", limit)
    folder, name = _choose(names, wanted, subject)
    return UnpackedPlace(source, selector, digest, folder_path / folder, repository), name


def unpack(chunks: Iterator[bytes], media_type: str, folder: Path, subject: str, limit: int) -> list[str]:
    """Write the ordinary files of a tar below ``folder`` and return their names; at most ``limit`` bytes of them.

    SourceRefused for absolute and parent paths; links, devices and deletions are passed over, since they are no model.
    """
    names: list[str] = []
    size = 0
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Pipe(_plain(chunks, media_type))), mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./").rstrip("/")
                if name in {"", "."}:
                    continue
                if not Path(name).name.startswith(".wh."):
                    check_path(name, subject)
                size += member.size
                check_size(subject, size, limit)
                if not member.isfile() or Path(name).name.startswith(".wh."):
                    continue
                if len(names) >= _MOST_FILES:
                    raise SourceNotUnderstood(f"{subject} holds more than {_MOST_FILES:,} files; a model has few.")
                stream = archive.extractfile(member)
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    while stream and (chunk := stream.read(1024 * 1024)):
                        file.write(chunk)
                names.append(name)
    except (tarfile.TarError, zlib.error, zstandard.ZstdError, EOFError) as error:
        raise SourceNotUnderstood(f"{subject} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise disk_error(error, folder / "layer") from error
    for _ in chunks:
        pass  # to the end, where the digest is checked
    return names


def _choose(names: list[str], wanted: str, subject: str) -> tuple[str, str]:
    models = [name for name in names if name.endswith(".onnx")]
    if wanted:
        models = [name for name in names if name == wanted.lstrip("/")]
    if len(models) != 1:
        found = ", ".join(sorted(models or names)[:5]) or "nothing"
        what = f"no {wanted!r}" if wanted else ("several models" if models else "no .onnx file")
        raise SourceNotUnderstood(
            f"{subject} holds {what}; there is {found}.",
            remedy="Name the file in it: oci://registry/repository:tag#path.",
        )
    folder, slash, name = models[0].rpartition("/")
    return folder + slash, name


def _manifest(source: ImageSource, digest: str, subject: str) -> Manifest:
    fetched = source.manifest(digest)
    parsed = parse_manifest(fetched.data, fetched.media_type, subject)
    if isinstance(parsed, Index):
        chosen = choose_platform(parsed, Platform(), subject)
        fetched = source.manifest(chosen.digest)
        parsed = parse_manifest(fetched.data, fetched.media_type, subject)
    if isinstance(parsed, Index):
        raise SourceNotUnderstood(f"{subject} is an index within an index.")
    return parsed


def _title(layer: Descriptor) -> str:
    if "tar" in layer.media_type:
        return ""
    return next((title for key in _TITLES if (title := layer.annotation(key))), "")


def _plain(chunks: Iterator[bytes], media_type: str) -> Iterator[bytes]:
    if media_type.endswith("gzip"):
        gzip = zlib.decompressobj(31)
        for chunk in chunks:
            yield gzip.decompress(chunk)
        yield gzip.flush()
    elif media_type.endswith("zstd"):
        zstd = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
        for chunk in chunks:
            yield zstd.decompress(chunk)
    else:
        yield from chunks


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            yield chunk


class _Pipe(io.RawIOBase):
    """Chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
