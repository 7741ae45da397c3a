"""Images of one static program and nothing else, made in memory: the pause image, and what the lab's tests run in pods.

Pure but for ``push``, which needs a registry. The same program gives the same bytes. For real images see the product.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass

import httpx

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MEDIA = "application/vnd.oci.image"
_MANIFEST = f"{_MEDIA}.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class TinyImage:
    """An OCI image: its three blobs."""

    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def tiny_image(name: str, program: bytes) -> TinyImage:
    """The image whose entry point is ``/name``, run as nobody."""
    layer = _tar({name: (program, 0o755)})
    config = _json({
        "architecture": _ARCHITECTURES[platform.machine()], "os": "linux",
        "config": {"Entrypoint": [f"/{name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
    })  # fmt: skip
    manifest = _json({
        "schemaVersion": 2, "mediaType": _MANIFEST,
        "config": _descriptor(f"{_MEDIA}.config.v1+json", config),
        "layers": [_descriptor(f"{_MEDIA}.layer.v1.tar", layer)],
    })  # fmt: skip
    return TinyImage(layer, config, manifest)


def archive(image: TinyImage, reference: str) -> bytes:
    """The image as a tar of an OCI layout, which containerd imports under ``reference``."""
    named = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference}
    index = _json({
        "schemaVersion": 2,
        "manifests": [_descriptor(_MANIFEST, image.manifest) | {"annotations": named}],
    })  # fmt: skip
    blobs = {
        f"blobs/sha256/{digest_of(blob).removeprefix('sha256:')}": (blob, 0o644)
        for blob in (image.layer, image.config, image.manifest)
    }
    return _tar({"oci-layout": (_json({"imageLayoutVersion": "1.0.0"}), 0o644), "index.json": (index, 0o644)} | blobs)


def push(image: TinyImage, registry: str, repository: str) -> str:
    """Send the image to a registry (host:port, plain http); gives its reference by digest."""
    with httpx.Client(base_url=f"http://{registry}", trust_env=False) as client:
        for blob in (image.layer, image.config):
            started = client.post(f"/v2/{repository}/blobs/uploads/").raise_for_status()
            place = httpx.URL(started.headers["location"]).copy_merge_params({"digest": digest_of(blob)})
            client.put(place, content=blob).raise_for_status()
        client.put(
            f"/v2/{repository}/manifests/{image.digest}", content=image.manifest, headers={"content-type": _MANIFEST}
        ).raise_for_status()
    return f"{registry}/{repository}@{image.digest}"


def digest_of(blob: bytes) -> str:
    """``sha256:…`` of some bytes."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}
