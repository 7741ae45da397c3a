"""A tiny base image, put into a registry or a layout, and the values to build on it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.dependencies import Resolver, uv_program
from headgate.imagebuild.layers import BytesContent, Content
from headgate.imagebuild.manifest import MediaType, Platform
from headgate.imagebuild.plan import JOB, RUNTIME, Compression, PlannedFile, PlannedLayer
from headgate.imagebuild.records import ModelRecord
from headgate.imagebuild.reference import parse_reference
from headgate.imagebuild.registry.calls import SessionOptions
from headgate.imagebuild.registry.credentials import Credential
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.registry.session import RegistrySession
from headgate.imagebuild.request import BuildRequest, LayerInput, LayerState
from headgate.imagebuild.stores import ImageSource, ImageTarget, bytes_blob

BASE_LABELS = {
    "dev.headgate.contract": "1",
    "dev.headgate.runtime": "0.1.0",
    "dev.headgate.flink": "2.3.0",
    "dev.headgate.python": "3.11",
    "dev.headgate.packages": "apache-flink==2.3.0 numpy==2.1.3 pandas==2.2.3",
    "dev.headgate.required-by": "numpy:apache-flink,pandas pandas:apache-flink",
}
AMD64 = Platform("linux", "amd64")


@dataclass(frozen=True, slots=True)
class BaseImage:
    """The bytes of a base image."""

    layers: tuple[bytes, ...]
    config: bytes
    manifest: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def base_image(
    labels: dict[str, str] | None = None, architecture: str = "amd64", docker: bool = False, layer_size: int = 2000
) -> BaseImage:
    """A base with one gzip layer that holds one file of ``layer_size`` bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("etc/base")
        info.size = layer_size
        archive.addfile(info, io.BytesIO(bytes(layer_size)))
    plain = buffer.getvalue()
    layer = gzip.compress(plain, mtime=0)
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2026-01-02T03:04:05Z",
            "config": {
                "User": "9999",
                "Entrypoint": ["/opt/headgate/entrypoint"],
                "Env": ["PATH=/usr/bin", "PYTHONPATH=/elsewhere"],
                "Labels": BASE_LABELS if labels is None else labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(plain)]},
            "history": [{"created_by": "the base"}],
        }
    ).encode()
    types = (
        (MediaType.DOCKER_MANIFEST, MediaType.DOCKER_CONFIG, MediaType.DOCKER_LAYER_GZIP)
        if docker
        else (MediaType.OCI_MANIFEST, MediaType.OCI_CONFIG, MediaType.OCI_LAYER_GZIP)
    )
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": types[0],
            "config": {"mediaType": types[1], "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": types[2], "digest": digest_of(layer), "size": len(layer)}],
        }
    ).encode()
    return BaseImage((layer,), config, manifest, types[0])


def push_image(target: ImageTarget, image: BaseImage, tag: str) -> None:
    """Write the image with this package's own client, so that the same works for fakes, layouts and real registries."""
    for data in (*image.layers, image.config):
        target.upload(bytes_blob(data), lambda _: None)
    target.put_manifest(tag, image.manifest, image.media_type)


@dataclass(frozen=True, slots=True)
class Keys:
    """A keychain with one credential for every registry, or none."""

    credential: Credential | None = None

    def find(self, registry: str, repository: str) -> Credential | None:
        return self.credential


@dataclass(slots=True)
class Waits:
    """Stands for the clock and for sleeping: a wait passes at once and is remembered."""

    waited: list[float] = field(default_factory=list)
    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


_opened: list[RegistrySession] = []


def close_opened() -> None:
    """Close what :func:`open_repository` opened; a fixture calls it after each test."""
    while _opened:
        _opened.pop().close()


def open_repository(
    address: str,
    name: str,
    *,
    credential: Credential | None = None,
    waits: Waits | None = None,
    policy: AddressPolicy | None = None,
    attempts: int = 4,
    chunk_bytes: int = 0,
    timeout_s: float = 20,
) -> Repository:
    """A repository of a plain-http registry, for reading and writing."""
    waits = waits or Waits()
    options = SessionOptions(
        plain_http=(address,),
        policy=policy or AddressPolicy(),
        attempts=attempts,
        chunk_bytes=chunk_bytes,
        timeout_s=timeout_s,
    )
    session = RegistrySession(
        parse_reference(f"{address}/{name}"), Keys(credential), options, sleep=waits.sleep, clock=waits.clock
    )
    _opened.append(session)
    return Repository(session, writable=True)


@dataclass(slots=True)
class Heard:
    """Listens to a build."""

    stages: list[str] = field(default_factory=list)
    sent_bytes: dict[str, int] = field(default_factory=dict)
    layers: dict[str, LayerState] = field(default_factory=dict)

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def sent(self, layer: str, count: int, size: int) -> None:
        self.sent_bytes[layer] = self.sent_bytes.get(layer, 0) + count

    def layer(self, layer: str, size: int, state: LayerState) -> None:
        self.layers[layer] = state


def layer_of(name: str, files: dict[str, bytes], compression: Compression = Compression.ZSTD) -> LayerInput:
    """A layer from paths and bytes."""
    planned = PlannedLayer(
        name,
        compression,
        tuple(PlannedFile(path, hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()),
    )
    contents: dict[str, Content] = {path: BytesContent(data) for path, data in files.items()}
    return LayerInput(planned, contents)


def request_for(
    base: ImageSource,
    target: ImageTarget,
    *,
    model: bytes = b"a model",
    requirements: tuple[str, ...] = (),
    lock: str | None = None,
    selector: str = "base",
    **more: object,
) -> BuildRequest:
    """A build of one small model on the base ``selector``; ``more`` goes into the request as it is."""
    digest = digest_of(model)
    path = f"{JOB}/models/0/model.onnx"
    layers = (
        layer_of("runtime", {f"{RUNTIME}/headgate_runtime/__init__.py": b"VERSION = 1\n"}),
        layer_of("job", {f"{JOB}/job.json": b'{"version":1}'}),
        layer_of("model 0", {path: model}, Compression.NONE),
    )
    record = ModelRecord(0, "churn", "3", "file:model.onnx", digest, "", layers[2].planned.files)
    values: dict[str, object] = {
        "base": base,
        "base_name": "registry.test/base:base",
        "base_selector": selector,
        "target": target,
        "target_name": "registry.test/team/churn",
        "platform": AMD64,
        "requirements": requirements,
        "lock": lock,
        "layers": layers,
        "models": (record,),
    }
    return BuildRequest(**{**values, **more})  # type: ignore[arg-type]  # a test names only what it changes


def no_index(tmp_path: Path) -> Resolver:
    """A resolver that must not be called."""
    return Resolver(str(tmp_path / "no-uv-here"), ())


def real_uv(index: str, tmp_path: Path) -> Resolver:
    """uv with ``index`` as its only index and a cache of its own."""
    environment = (
        ("PATH", "/usr/bin:/bin"),
        ("HOME", str(tmp_path)),
        ("UV_CACHE_DIR", str(tmp_path / "uv-cache")),
        ("UV_DEFAULT_INDEX", index),
        ("UV_HTTP_RETRIES", "0"),
        ("UV_PYTHON", sys.executable),
    )
    return Resolver(uv_program(), environment)
