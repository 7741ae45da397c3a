"""The image of the program that holds a pod's namespaces, made here because no registry outside has it.

An OCI archive of one layer with one static program, imported into a node's containerd before its kubelet starts.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile

from lab.build import binary_path
from lab.cluster.layout import Node
from lab.errors import StartError

PAUSE_IMAGE = "lab.headgate.dev/pause:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MEDIA = "application/vnd.oci.image"


def import_pause(node: Node) -> None:
    """The image in the node's containerd, marked so that no garbage collection takes it; StartError when refused."""
    archive = node.run / "pause.tar"
    archive.write_bytes(pause_archive(binary_path("pause").read_bytes()))
    ctr = (str(binary_path("ctr")), "--address", str(node.socket), "--namespace", "k8s.io", "images")
    for arguments in (
        ("import", "--digests=false", str(archive)),
        ("label", PAUSE_IMAGE, "io.cri-containerd.pinned=pinned"),
    ):
        done = subprocess.run([*ctr, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartError(f"the pause image could not be put into {node.name}: {done.stderr.strip()}")
    archive.unlink()


def pause_archive(program: bytes) -> bytes:
    """An OCI image layout as a tar, the same bytes for the same program."""
    layer = _tar({"pause": (program, 0o755)})
    architecture = _ARCHITECTURES[platform.machine()]
    config = _json({
        "architecture": architecture, "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    })  # fmt: skip
    manifest = _json({
        "schemaVersion": 2, "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": _descriptor(f"{_MEDIA}.config.v1+json", config),
        "layers": [_descriptor(f"{_MEDIA}.layer.v1.tar", layer)],
    })  # fmt: skip
    named = {"io.containerd.image.name": PAUSE_IMAGE, "org.opencontainers.image.ref.name": PAUSE_IMAGE}
    index = _json({
        "schemaVersion": 2,
        "manifests": [_descriptor(f"{_MEDIA}.manifest.v1+json", manifest) | {"annotations": named}],
    })  # fmt: skip
    blobs = {
        f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}": (blob, 0o644) for blob in (layer, config, manifest)
    }
    return _tar({"oci-layout": (_json({"imageLayoutVersion": "1.0.0"}), 0o644), "index.json": (index, 0o644)} | blobs)


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
