"""Puts documents beside an image: each a manifest of its own whose ``subject`` is the image (OCI 1.1 referrers).

Called by the executor, and by ``sign``. Registries without the referrers API get one index under a tag, written once for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from headgate.imagebuild.canonical import sha256_digest
from headgate.imagebuild.manifest import EMPTY_CONFIG, EMPTY_JSON, Descriptor, Manifest, MediaType
from headgate.imagebuild.stores import ImageTarget, bytes_blob

TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One document."""

    kind: str
    """Its media type, which is the artifact's type as well."""
    title: str
    """A file name for whoever downloads it."""
    data: bytes


def attach(target: ImageTarget, subject: Descriptor, attachments: tuple[Attachment, ...]) -> None:
    """Upload ``attachments`` and make them refer to ``subject``. What is there already is not sent again."""
    ensure_blob(target, EMPTY_JSON)
    unlisted = []
    for item in attachments:
        ensure_blob(target, item.data)
        layer = Descriptor(item.kind, sha256_digest(item.data), len(item.data), ((TITLE, item.title),))
        # The config's type repeats the artifact's: registries from before OCI 1.1 list referrers by that one.
        config = replace(EMPTY_CONFIG, media_type=item.kind)
        manifest = Manifest(config, (layer,), subject=subject, artifact_type=item.kind)
        data = manifest.to_bytes()
        digest = sha256_digest(data)
        if not target.put_manifest(digest, data, MediaType.OCI_MANIFEST):
            unlisted.append(Descriptor(MediaType.OCI_MANIFEST, digest, len(data), artifact_type=item.kind))
    if unlisted:
        target.register(subject.digest, tuple(unlisted))


def ensure_blob(target: ImageTarget, data: bytes) -> None:
    """Upload a small blob unless it is there."""
    blob = bytes_blob(data)
    if not target.has(blob.digest):
        target.upload(blob, lambda _: None)
