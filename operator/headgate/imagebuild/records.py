"""The documents that travel beside an image: an SBOM, a provenance statement.

Formats: CycloneDX 1.6 (JSON; the model is a ``machine-learning-model`` component) and in-toto Statement 1 with the SLSA
provenance 1 predicate. Both are deterministic: no time, no random serial number. Pure; the executor attaches them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from headgate.imagebuild.canonical import canonical_json
from headgate.imagebuild.plan import PlannedFile

SBOM_TYPE = "application/vnd.cyclonedx+json"
PROVENANCE_TYPE = "application/vnd.in-toto+json"
LOCK_TYPE = "application/vnd.headgate.lock.v1+text"
BUILD_TYPE = "https://headgate.dev/build/v1"
_SERIALS = uuid.UUID("0b3d5b1e-7a55-5a0f-9d0e-6a1c5f0c9b11")


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is known of one model: where it came from and what it is."""

    slot: int
    name: str
    version: str
    uri: str
    digest: str
    """``sha256:…`` of the artifact."""
    etag: str
    """What its store called this state of it; empty where the store says nothing."""
    files: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One built image."""

    name: str
    """``registry/repository``."""
    digest: str
    plan_key: str
    base_name: str
    base_digest: str
    base_packages: tuple[tuple[str, str], ...]
    added_packages: tuple[tuple[str, str], ...]
    models: tuple[ModelRecord, ...]
    builder: str
    """Name and version of what built it."""


def public_uri(uri: str) -> str:
    """``uri`` without user, password and query: what may be written down."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def render_sbom(image: ImageRecord) -> bytes:
    """The CycloneDX document of an image."""
    components = [_package(name, version, "base") for name, version in image.base_packages]
    components += [_package(name, version, "dependencies") for name, version in image.added_packages]
    components += [_model(model) for model in image.models]
    return canonical_json(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(_SERIALS, image.digest)}",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "container",
                    "bom-ref": image.digest,
                    "name": image.name,
                    "version": image.digest,
                },
                "tools": {"components": [{"type": "application", "name": image.builder}]},
            },
            "components": sorted(components, key=lambda item: str(item["bom-ref"])),
        }
    )


def render_provenance(image: ImageRecord) -> bytes:
    """The in-toto statement that says from what an image was built."""
    base: dict[str, object] = {
        "uri": f"oci://{image.base_name}",
        "digest": {"sha256": image.base_digest.removeprefix("sha256:")},
    }
    models = [
        {
            "name": f"model {model.slot}",
            "uri": public_uri(model.uri),
            "digest": {"sha256": model.digest.removeprefix("sha256:")},
            "annotations": {"version": model.version, "etag": model.etag},
        }
        for model in image.models
    ]
    return canonical_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": image.name, "digest": {"sha256": image.digest.removeprefix("sha256:")}}],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {"plan": image.plan_key},
                    "resolvedDependencies": [base, *models],
                },
                "runDetails": {"builder": {"id": f"https://headgate.dev/builder/{image.builder.replace(' ', '/')}"}},
            },
        }
    )


def _package(name: str, version: str, layer: str) -> dict[str, object]:
    purl = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": [{"name": "headgate:layer", "value": layer}],
    }


def _model(model: ModelRecord) -> dict[str, object]:
    properties = [{"name": "headgate:slot", "value": str(model.slot)}]
    if model.etag:
        properties.append({"name": "headgate:etag", "value": model.etag})
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model.slot}:{model.digest}",
        "name": model.name,
        "version": model.version,
        "hashes": [{"alg": "SHA-256", "content": model.digest.removeprefix("sha256:")}],
        "externalReferences": [{"type": "distribution", "url": public_uri(model.uri)}],
        "properties": properties,
    }
