"""An OCI image layout on disk (image specification 1.1, image-layout.md), to read a base from and to build into.

For people without a registry at hand: skopeo, podman and containerd load such a folder. It needs every blob, so the
base's layers are copied into it; hard links are used where base and target are layouts on one disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from headgate.imagebuild.canonical import SHA256_DIGEST, canonical_json, sha256_digest, verified
from headgate.imagebuild.errors import DigestMismatch, ManifestRefused, RegistryMissing
from headgate.imagebuild.layers import CHUNK, disk_error
from headgate.imagebuild.manifest import Descriptor, Index, Manifest, check_size, parse_manifest
from headgate.imagebuild.stores import Blob, Fetched

REF_NAME = "org.opencontainers.image.ref.name"


class Layout:
    """The layout in ``folder``; it is made there when it is written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def location(self) -> tuple[str, str]:
        """No registry: nothing can be mounted from a layout."""
        return "", str(self._folder.resolve())

    def find(self, reference: str) -> str:
        """The digest under a tag or digest; empty when there is none."""
        for item in self._index().manifests:
            if reference in (item.digest, item.annotation(REF_NAME)):
                return item.digest
        return reference if SHA256_DIGEST.match(reference) and self._blob(reference).is_file() else ""

    def manifest(self, reference: str) -> Fetched:
        """The manifest under a tag or digest; RegistryMissing when there is none."""
        digest = self.find(reference)
        if not digest:
            raise RegistryMissing(f"The layout {self._folder} has no image {reference!r}.")
        data = b"".join(verified([self._blob(digest).read_bytes()], digest, f"The manifest {digest} in {self._folder}"))
        check_size(len(data), f"The manifest {reference} in {self._folder}")
        return Fetched(data, str(json.loads(data).get("mediaType") or ""), digest)

    def blob(self, descriptor: Descriptor) -> bytes:
        """A small blob, checked."""
        check_size(descriptor.size, f"The blob {descriptor.digest} in {self._folder}")
        return b"".join(self.stream(descriptor))

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes, checked at the end; RegistryMissing when it is not there."""
        path = self._blob(descriptor.digest)
        if not path.is_file():
            raise RegistryMissing(f"The layout {self._folder} lacks the blob {descriptor.digest}.")
        return verified(_read(path), descriptor.digest, f"The blob {descriptor.digest} in {self._folder}")

    def has(self, digest: str) -> bool:
        """Whether the blob's file is there."""
        return self._blob(digest).is_file()

    def mount(self, digest: str, source: str) -> bool:
        """Hard-link a blob from the layout in the folder ``source``, where the disk allows it."""
        self._prepare()
        with contextlib.suppress(OSError):
            os.link(Layout(Path(source))._blob(digest), self._blob(digest))
            return True
        return False

    def upload(self, blob: Blob, sent: Callable[[int], None] = lambda _: None) -> None:
        """Write a blob beside its place, check it, and move it there. Raises DiskFull, DigestMismatch."""
        self._prepare()
        path, hasher = self._blob(blob.digest), hashlib.sha256()
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                for chunk in blob.read():
                    hasher.update(chunk)
                    file.write(chunk)
                    sent(len(chunk))
            if f"sha256:{hasher.hexdigest()}" != blob.digest:
                raise DigestMismatch(f"What was written for {blob.digest} has the digest sha256:{hasher.hexdigest()}.")
            part.replace(path)
        except OSError as error:
            raise disk_error(error, part) from error
        finally:
            part.unlink(missing_ok=True)

    def put_manifest(self, reference: str, data: bytes, media_type: str) -> bool:
        """Write a manifest, and list it under its tag. Referrers are listed without one."""
        digest = sha256_digest(data)
        self.upload(Blob(digest, len(data), lambda: iter([data])))
        manifest = parse_manifest(data, media_type, f"The manifest {reference}")
        subject = isinstance(manifest, Manifest) and manifest.subject is not None
        if SHA256_DIGEST.match(reference) and not subject:
            return True
        tag = "" if SHA256_DIGEST.match(reference) else reference
        entry = Descriptor(media_type, digest, len(data), ((REF_NAME, tag),) if tag else ())
        if isinstance(manifest, Manifest):
            entry = replace(entry, artifact_type=manifest.artifact_type)
        kept = [item for item in self._index().manifests if _key(item) != _key(entry)]
        self._write_index(Index((*kept, entry)))
        return True

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """The listed manifests whose subject is ``digest``."""
        found = {}
        for item in self._index().manifests:
            manifest = parse_manifest(self._blob(item.digest).read_bytes(), item.media_type, item.digest)
            if isinstance(manifest, Manifest) and manifest.subject and manifest.subject.digest == digest:
                kind = manifest.artifact_type
                found[item.digest] = replace(item, annotations=manifest.annotations, artifact_type=kind)
        return tuple(found.values())

    def register(self, digest: str, added: tuple[Descriptor, ...]) -> None:
        """Nothing to do: :meth:`put_manifest` lists them."""

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _index(self) -> Index:
        path = self._folder / "index.json"
        if not path.is_file():
            return Index(())
        index = parse_manifest(path.read_bytes(), "", str(path))
        if not isinstance(index, Index):
            raise ManifestRefused(f"{path} is not the index of an OCI layout.")
        return index

    def _prepare(self) -> None:
        blobs = self._folder / "blobs" / "sha256"
        if not blobs.is_dir():
            try:
                blobs.mkdir(parents=True, exist_ok=True)
                (self._folder / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))
            except OSError as error:
                raise disk_error(error, self._folder / "oci-layout") from error
            self._write_index(Index(()))

    def _write_index(self, index: Index) -> None:
        part = self._folder / f"index.json.{os.getpid()}.part"
        try:
            part.write_bytes(index.to_bytes())
            part.replace(self._folder / "index.json")
        except OSError as error:
            raise disk_error(error, part) from error


def _key(item: Descriptor) -> tuple[str, str]:
    """What makes two entries of the index the same one: the tag, or the digest of what has none."""
    tag = item.annotation(REF_NAME)
    return (tag, "") if tag else ("", item.digest)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
