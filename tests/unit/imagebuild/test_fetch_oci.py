"""Models from registries: artifacts of files, layers of images, and archives that want to get out of their folder."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.attachments import TITLE
from headgate.imagebuild.errors import SourceRefused
from headgate.imagebuild.layers import plain_layer
from headgate.imagebuild.manifest import Descriptor, Manifest, MediaType
from headgate.imagebuild.plan import Compression
from headgate.imagebuild.reference import Reference
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.stores import bytes_blob
from headgate.models.refusals import ModelTooLarge
from headgate.models.remote import FetchOptions, HttpOptions, fetch_model
from headgate.models.remote_errors import (
    SourceChanged,
    SourceMissing,
    SourceNotUnderstood,
)
from imagekit.images import Waits, digest_of, layer_of, open_repository
from imagekit.models import tiny_model
from imagekit.registry import FakeRegistry
from imagekit.web import Web

_LIMIT = 10_000_000


def _options(tmp_path: Path, web: Web | None = None, **more: object) -> FetchOptions:
    http = HttpOptions(
        policy=AddressPolicy(("127.0.0.1",)),
        plain_http=(f"127.0.0.1:{web.port}",) if web else (),
        attempts=4,
        sleep=Waits().sleep,
    )
    return FetchOptions(**{"base_folder": tmp_path, "http": http, **more})  # type: ignore[arg-type]  # as given


@pytest.fixture
def artifacts(registry: FakeRegistry, tmp_path: Path) -> tuple[Repository, FetchOptions]:
    repository = open_repository(registry.address, "models/churn")

    def open_registry(reference: Reference) -> Repository:
        assert reference.registry == registry.address
        return open_repository(registry.address, reference.repository)

    return repository, _options(tmp_path, open_registry=open_registry)


def _push_artifact(repository: Repository, files: dict[str, bytes], tag: str = "3") -> str:
    layers = []
    for name, data in files.items():
        repository.upload(bytes_blob(data))
        layers.append(
            Descriptor("application/octet-stream", digest_of(data), len(data), ((TITLE, name),) if name else ())
        )
    repository.upload(bytes_blob(b"{}"))
    config = Descriptor(MediaType.OCI_EMPTY, digest_of(b"{}"), 2)
    data = Manifest(config, tuple(layers), artifact_type="application/vnd.test.model").to_bytes()
    repository.put_manifest(tag, data, MediaType.OCI_MANIFEST)
    return digest_of(data)


def _push_tar(repository: Repository, data: bytes, media_type: str) -> None:
    for blob in (data, b"{}"):
        repository.upload(bytes_blob(blob))
    layer = Descriptor(media_type, digest_of(data), len(data))
    manifest = Manifest(Descriptor(MediaType.OCI_CONFIG, digest_of(b"{}"), 2), (layer,)).to_bytes()
    repository.put_manifest("3", manifest, MediaType.OCI_MANIFEST)


def _oci(registry: FakeRegistry, rest: str = ":3") -> str:
    return f"oci://{registry.address}/models/churn{rest}"


def test_an_artifact_of_named_files_is_fetched(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    repository, options = artifacts
    digest = _push_artifact(
        repository, {"README.md": b"x", "v3/model.onnx": tiny_model("w.data"), "v3/w.data": bytes(4000)}
    )
    fetched = fetch_model(_oci(registry), tmp_path / "out", options, limit=_LIMIT)
    assert [file.name for file in fetched.files] == ["model.onnx", "w.data"]
    assert (fetched.etag, fetched.repository) == (digest, f"{registry.address}/models/churn")


def test_one_file_without_a_name_is_the_model(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_artifact(artifacts[0], {"": tiny_model()})
    assert fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=_LIMIT).path.name == "model.onnx"


def test_one_of_several_models_is_chosen_by_its_path(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_artifact(artifacts[0], {"a.onnx": tiny_model(), "b.onnx": tiny_model(length=8000)})
    with pytest.raises(SourceNotUnderstood, match=r"holds several models; there is a.onnx, b.onnx.*#path"):
        fetch_model(_oci(registry), tmp_path / "one", artifacts[1], limit=_LIMIT)
    fetched = fetch_model(_oci(registry, ":3#b.onnx"), tmp_path / "two", artifacts[1], limit=_LIMIT)
    assert fetched.digest == digest_of(tiny_model(length=8000))


@pytest.mark.parametrize(
    ("pack", "media_type"),
    [
        pytest.param(lambda data: data, MediaType.OCI_LAYER, id="plain"),
        pytest.param(gzip.compress, MediaType.DOCKER_LAYER_GZIP, id="gzip"),
        pytest.param(zstandard.ZstdCompressor().compress, MediaType.OCI_LAYER_ZSTD, id="zstd"),
    ],
)
def test_the_last_layer_of_an_image_is_unpacked(
    pack: Callable[[bytes], bytes],
    media_type: MediaType,
    artifacts: tuple[Repository, FetchOptions],
    registry: FakeRegistry,
    tmp_path: Path,
) -> None:
    files = {"models/model.onnx": tiny_model("w.data"), "models/w.data": bytes(4000)}
    made = layer_of("x", files, Compression.NONE)
    _push_tar(artifacts[0], pack(b"".join(plain_layer(made.planned, made.contents).read())), media_type)
    fetched = fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=_LIMIT)
    assert [file.name for file in fetched.files] == ["model.onnx", "w.data"]
    assert fetched.path.read_bytes() == files["models/model.onnx"]


def _hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, 0 if link else 3
        archive.addfile(info, io.BytesIO(b"bad"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(_hostile("/etc/cron.d/x"), "The last layer of .* holds the absolute path '/etc/cron.d/x'", id="absolute"),
        pytest.param(_hostile("../../x.onnx"), "holds the path '../../x.onnx', which leads out of its folder", id="parent"),
        pytest.param(_hostile("a/../../x"), "which leads out of its folder", id="a parent in the middle"),
    ],
)  # fmt: skip
def test_a_tar_with_absolute_or_parent_paths_is_refused(
    data: bytes, says: str, artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_tar(artifacts[0], data, MediaType.OCI_LAYER)
    with pytest.raises(SourceRefused, match=says):
        fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=_LIMIT)


def test_a_link_in_a_tar_is_no_model(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_tar(artifacts[0], _hostile("model.onnx", tarfile.SYMTYPE, "/etc/passwd"), MediaType.OCI_LAYER)
    with pytest.raises(SourceNotUnderstood, match=r"holds no .onnx file; there is nothing"):
        fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=_LIMIT)


def test_a_layer_that_unpacks_to_more_than_the_limit_is_refused(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    made = layer_of("x", {"model.onnx": bytes(3_000_000)}, Compression.NONE)
    small = gzip.compress(b"".join(plain_layer(made.planned, made.contents).read()))
    assert len(small) < 100_000
    _push_tar(artifacts[0], small, MediaType.OCI_LAYER_GZIP)
    with pytest.raises(ModelTooLarge):
        fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=100_000)
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.parametrize(
    "data", [pytest.param(b"no tar" * 500, id="noise"), pytest.param(gzip.compress(b"x")[:-5], id="cut")]
)
def test_a_layer_that_cannot_be_unpacked_is_named(
    data: bytes, artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_tar(artifacts[0], data, MediaType.OCI_LAYER_GZIP)
    with pytest.raises(SourceNotUnderstood, match=r"cannot be unpacked|holds no .onnx file"):
        fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=_LIMIT)


def test_an_artifact_that_is_not_there_is_named(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    with pytest.raises(SourceMissing, match=r"oci://.*/models/churn:9 does not exist"):
        fetch_model(_oci(registry, ":9"), tmp_path / "out", artifacts[1], limit=_LIMIT)


def test_a_tag_that_moves_while_data_is_read_is_noticed(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    repository, options = artifacts
    _push_artifact(repository, {"model.onnx": tiny_model("w.data"), "w.data": bytes(4000)})
    stored = registry.world.repo("models/churn")
    data, kind = stored.manifests[stored.tags["3"]]
    moved = json.loads(data) | {"annotations": {"moved": "yes"}}
    weights = digest_of(bytes(4000))
    read_blob = Repository.stream

    def stream(self: Repository, descriptor: Descriptor) -> Iterator[bytes]:
        if descriptor.digest == weights:
            registry.world.put_manifest("models/churn", json.dumps(moved).encode(), kind, "3")
        return read_blob(self, descriptor)

    Repository.stream = stream  # type: ignore[method-assign]  # the moment between two reads has no other door
    try:
        with pytest.raises(SourceChanged, match="changed while its data files were read"):
            fetch_model(_oci(registry), tmp_path / "out", options, limit=_LIMIT)
    finally:
        Repository.stream = read_blob  # type: ignore[method-assign]  # as above
