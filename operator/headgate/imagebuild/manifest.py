"""Reads and writes image manifests, indexes and configs: OCI 1.1 and Docker's version 2 schema 2.

Formats: the OCI image specification 1.1 (manifest.md, image-index.md, config.md). Parsing is strict about what is used
and keeps nothing else; :func:`choose_platform` picks from an index. Pure; the registry client and the layout call it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from headgate.imagebuild.canonical import canonical_json, check_digest, sha256_digest
from headgate.imagebuild.errors import BaseRefused, ManifestRefused

MANIFEST_LIMIT = 4 * 1024 * 1024
"""Bytes; the size that the distribution specification asks every registry to accept, and the most that is read here."""


class MediaType(StrEnum):
    """Media types that this package reads or writes."""

    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
    OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
    OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    OCI_EMPTY = "application/vnd.oci.empty.v1+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
    DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"


INDEX_TYPES = (MediaType.OCI_INDEX, MediaType.DOCKER_INDEX)
MANIFEST_TYPES = (MediaType.OCI_MANIFEST, MediaType.DOCKER_MANIFEST)
ACCEPT = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))
_TO_OCI: dict[str, str] = {
    MediaType.DOCKER_CONFIG: MediaType.OCI_CONFIG,
    MediaType.DOCKER_LAYER: MediaType.OCI_LAYER,
    MediaType.DOCKER_LAYER_GZIP: MediaType.OCI_LAYER_GZIP,
}
EMPTY_JSON = b"{}"


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system and a processor, as in ``linux/amd64``."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to a blob or a manifest: its type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: tuple[tuple[str, str], ...] = ()
    artifact_type: str = ""
    platform: Platform | None = None

    def to_json(self) -> dict[str, object]:
        """The descriptor as in a manifest, without empty members."""
        value: dict[str, object] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        if self.platform:
            value["platform"] = {
                key: part
                for key, part in (
                    ("architecture", self.platform.architecture),
                    ("os", self.platform.os),
                    ("variant", self.platform.variant),
                )
                if part
            }
        return value

    def annotation(self, key: str) -> str:
        """The annotation's value, or an empty string."""
        return dict(self.annotations).get(key, "")

    def as_oci(self) -> Descriptor:
        """The same bytes under their OCI media type (the formats of Docker's layers and configs are the same)."""
        return Descriptor(_TO_OCI.get(self.media_type, self.media_type), self.digest, self.size, self.annotations)


EMPTY_CONFIG = Descriptor(MediaType.OCI_EMPTY, sha256_digest(EMPTY_JSON), len(EMPTY_JSON))


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image or artifact manifest."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: tuple[tuple[str, str], ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    media_type: str = MediaType.OCI_MANIFEST

    def to_bytes(self) -> bytes:
        """The manifest in canonical JSON."""
        value: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.subject:
            value["subject"] = self.subject.to_json()
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return canonical_json(value)

    def annotation(self, key: str) -> str:
        """The annotation's value, or an empty string."""
        return dict(self.annotations).get(key, "")


@dataclass(frozen=True, slots=True)
class Index:
    """A list of manifests: one per platform, or the referrers of one image."""

    manifests: tuple[Descriptor, ...]

    def to_bytes(self) -> bytes:
        """The index in canonical JSON."""
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MediaType.OCI_INDEX.value,
                "manifests": [manifest.to_json() for manifest in self.manifests],
            }
        )


def parse_manifest(data: bytes, media_type: str, subject: str) -> Manifest | Index:
    """Read a manifest or an index; ``subject`` names it in :class:`ManifestRefused`."""
    value = _object(data, subject)
    kind = str(value.get("mediaType") or media_type)
    if kind in INDEX_TYPES or (kind not in MANIFEST_TYPES and "manifests" in value):
        return Index(tuple(_descriptor(item, subject) for item in _list(value, "manifests", subject)))
    if kind not in MANIFEST_TYPES or value.get("schemaVersion") != 2:
        raise ManifestRefused(
            f"{subject} is a {kind or 'document without a media type'}, which is not an image manifest."
        )
    reference = value.get("subject")
    return Manifest(
        config=_descriptor(value.get("config"), subject),
        layers=tuple(_descriptor(item, subject) for item in _list(value, "layers", subject)),
        annotations=_annotations(value.get("annotations")),
        subject=_descriptor(reference, subject) if reference else None,
        artifact_type=str(value.get("artifactType") or ""),
        media_type=kind,
    )


def choose_platform(index: Index, platform: Platform, subject: str) -> Descriptor:
    """The index's manifest for ``platform``; :class:`BaseRefused` names the platforms that there are."""
    for descriptor in index.manifests:
        if descriptor.platform and (descriptor.platform.os, descriptor.platform.architecture) == (
            platform.os,
            platform.architecture,
        ):
            return descriptor
    offered = ", ".join(sorted({str(item.platform) for item in index.manifests if item.platform})) or "no platform"
    raise BaseRefused(
        f"{subject} is not made for {platform}; it offers {offered}.", remedy="Choose another base with --base."
    )


def check_size(size: int, subject: str) -> None:
    """:class:`ManifestRefused` when ``size`` is over :data:`MANIFEST_LIMIT`."""
    if size > MANIFEST_LIMIT:
        raise ManifestRefused(f"{subject} is larger than {MANIFEST_LIMIT // (1024 * 1024)} MiB, the most that is read.")


def _object(data: bytes, subject: str) -> dict[str, object]:
    check_size(len(data), subject)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ManifestRefused(f"{subject} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ManifestRefused(f"{subject} is not a JSON object.")
    return value


def _list(value: dict[str, object], key: str, subject: str) -> list[object]:
    items = value.get(key)
    if not isinstance(items, list):
        raise ManifestRefused(f"{subject} has no list {key!r}.")
    return items


def _descriptor(value: object, subject: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestRefused(f"{subject} lacks a descriptor.")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ManifestRefused(f"{subject} has a descriptor without a size.")
    platform = value.get("platform")
    return Descriptor(
        media_type=str(value.get("mediaType") or ""),
        digest=check_digest(str(value.get("digest")), subject),
        size=size,
        annotations=_annotations(value.get("annotations")),
        artifact_type=str(value.get("artifactType") or ""),
        platform=Platform(
            str(platform.get("os") or ""), str(platform.get("architecture") or ""), str(platform.get("variant") or "")
        )
        if isinstance(platform, dict)
        else None,
    )


def _annotations(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple(sorted((str(key), str(item)) for key, item in value.items()))
