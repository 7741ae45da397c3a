"""Keeps resolved dependencies in the target repository, so that a fresh machine needs neither uv nor the package index.

One manifest per (requirements or lock, packages of the base, platform, compressor), under the tag ``deps-<key>``: its
first layer is the lock, its second the image layer with the packages (missing when the base has everything). Called by
the executor alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from headgate.imagebuild.attachments import ensure_blob
from headgate.imagebuild.base import BaseFacts
from headgate.imagebuild.canonical import SHA256_DIGEST, canonical_json, sha256_digest
from headgate.imagebuild.errors import ManifestRefused
from headgate.imagebuild.layers import COMPRESSORS
from headgate.imagebuild.manifest import EMPTY_CONFIG, EMPTY_JSON, Descriptor, Manifest, MediaType, parse_manifest
from headgate.imagebuild.plan import FORMAT, Compression
from headgate.imagebuild.records import LOCK_TYPE
from headgate.imagebuild.stores import ImageTarget

ARTIFACT = "application/vnd.headgate.dependencies.v1"
DIFF_ID = "dev.headgate.diff-id"


@dataclass(frozen=True, slots=True)
class KnownDependencies:
    """A lock, and the layer that it became."""

    lock: Descriptor
    layer: Descriptor | None
    diff_id: str

    @property
    def lock_sha256(self) -> str:
        """Hex sha256 of the lock's text."""
        return self.lock.digest.removeprefix("sha256:")


def dependencies_tag(
    requirements: tuple[str, ...], lock: str | None, facts: BaseFacts, compression: Compression
) -> str:
    """The tag under which the dependencies are kept. A given lock counts instead of the requirements.

    Of the base only its packages count: a base that was made anew with the same ones keeps the lock.
    """
    library = [item.library for item in COMPRESSORS if item.compression is compression]
    value = {
        "format": FORMAT,
        "requirements": sorted(requirements) if lock is None else None,
        "lock": sha256_digest(lock.encode()) if lock is not None else None,
        "base": [list(pin) for pin in facts.packages],
        "python": facts.python,
        "platform": str(facts.platform),
        "compression": [compression.value, *library],
    }
    return f"deps-{hashlib.sha256(canonical_json(value)).hexdigest()}"


def find_dependencies(target: ImageTarget, tag: str) -> KnownDependencies | None:
    """What the repository keeps under ``tag``; None when nothing, or when its blobs were cleaned away."""
    if not target.find(tag):
        return None
    fetched = target.manifest(tag)
    manifest = parse_manifest(fetched.data, fetched.media_type, f"The manifest {tag}")
    if not isinstance(manifest, Manifest) or manifest.artifact_type != ARTIFACT or not 1 <= len(manifest.layers) <= 2:
        raise ManifestRefused(f"The tag {tag} of the target holds something else than dependencies.")
    layer = manifest.layers[1] if len(manifest.layers) == 2 else None
    diff_id = layer.annotation(DIFF_ID) if layer else ""
    if layer and not SHA256_DIGEST.match(diff_id):
        raise ManifestRefused(f"The tag {tag} of the target holds dependencies without a diff-id.")
    if layer and not target.has(layer.digest):
        return None
    return KnownDependencies(manifest.layers[0], layer, diff_id)


def keep_dependencies(target: ImageTarget, tag: str, known: KnownDependencies, lock: str) -> None:
    """Write ``known`` under ``tag``; its layer is in the repository already."""
    ensure_blob(target, EMPTY_JSON)
    ensure_blob(target, lock.encode())
    layers = (known.lock, *((_annotated(known.layer, known.diff_id),) if known.layer else ()))
    data = Manifest(EMPTY_CONFIG, layers, artifact_type=ARTIFACT).to_bytes()
    target.put_manifest(tag, data, MediaType.OCI_MANIFEST)


def lock_descriptor(lock: str) -> Descriptor:
    """The descriptor of a lock's text."""
    return Descriptor(LOCK_TYPE, sha256_digest(lock.encode()), len(lock.encode()))


def _annotated(layer: Descriptor, diff_id: str) -> Descriptor:
    return Descriptor(layer.media_type, layer.digest, layer.size, ((DIFF_ID, diff_id),))
