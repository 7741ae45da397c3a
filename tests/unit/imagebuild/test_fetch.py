"""Models from the web, registries, claims and files: fetched whole, in one state, within limits, or refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import onnx
import pytest
import zstandard
from onnx import TensorProto, helper

from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.attachments import TITLE
from headgate.imagebuild.errors import DiskFull, SourceRefused, UnsafeAddress
from headgate.imagebuild.layers import plain_layer
from headgate.imagebuild.manifest import Descriptor, Manifest, MediaType
from headgate.imagebuild.plan import Compression
from headgate.imagebuild.reference import Reference
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.stores import bytes_blob
from headgate.models.refusals import ModelTooLarge
from headgate.models.remote import FetchOptions, HttpOptions, fetch_file, fetch_model
from headgate.models.remote_errors import (
    SourceChanged,
    SourceDenied,
    SourceMismatch,
    SourceMissing,
    SourceNotUnderstood,
    SourceUnreachable,
)
from imagekit.images import Waits, digest_of, layer_of, open_repository
from imagekit.registry import FakeRegistry

_LIMIT = 10_000_000


def _model(external: str = "", length: int = 4000) -> bytes:
    """An ONNX file with one weight, kept in the file ``external`` where that is given."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [length // 4], bytes(length), raw=True)
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in (("location", external), ("offset", "0"), ("length", str(length))):
            weight.external_data.add(key=key, value=value)
    shape = [length // 4]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@dataclass(slots=True)
class Web:
    """A web server's files and misbehaviour."""

    files: dict[str, bytes] = field(default_factory=dict)
    etags: bool = True
    statuses: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    break_at: list[int] = field(default_factory=list)
    after_break: Callable[[], None] = lambda: None
    announce: bool = True
    requests: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def web() -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            state.requests.append((f"{self.command} {self.path}", self.headers.get("Authorization", "")))
            path = self.path.partition("?")[0]
            if state.statuses:
                self._head(state.statuses.pop(0), {"Content-Length": "0"})
            elif path in state.redirects:
                self._head(302, {"Location": state.redirects[path], "Content-Length": "0"})
            elif path not in state.files:
                self._head(404, {"Content-Length": "0"})
            else:
                self._file(state.files[path])

        do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

        def _head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

        def _file(self, data: bytes) -> None:
            etag = f'"{hashlib.sha256(data).hexdigest()[:8]}"'
            begin = 0
            if self.headers.get("If-Range") == etag:
                begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            headers = {"ETag": etag} if state.etags else {}
            if state.announce:
                headers["Content-Length"] = str(len(data) - begin)
            else:
                headers["Connection"] = "close"
            self._head(206 if begin else 200, headers)
            if self.command == "HEAD":
                return
            if state.break_at:
                self.wfile.write(data[begin : begin + state.break_at.pop(0)])
                state.after_break()
                self.close_connection = True
                return
            self.wfile.write(data[begin:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def _options(tmp_path: Path, web: Web | None = None, **more: object) -> FetchOptions:
    http = HttpOptions(
        policy=AddressPolicy(("127.0.0.1",)),
        plain_http=(f"127.0.0.1:{web.port}",) if web else (),
        attempts=4,
        sleep=Waits().sleep,
    )
    return FetchOptions(**{"base_folder": tmp_path, "http": http, **more})  # type: ignore[arg-type]  # as given


def _url(web: Web, path: str = "/m/model.onnx") -> str:
    return f"http://127.0.0.1:{web.port}{path}"


def test_a_model_of_the_web_is_saved_hashed_and_recorded(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = data = _model()
    fetched = fetch_model(_url(web) + "?token=secret", tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)
    assert fetched.path.read_bytes() == data
    assert fetched.digest == digest_of(data)
    assert fetched.etag == f'"{hashlib.sha256(data).hexdigest()[:8]}"'
    assert fetched.uri == _url(web)
    assert [line for line, _ in web.requests] == ["GET /m/model.onnx?token=secret"]


def test_external_data_comes_with_its_model(web: Web, tmp_path: Path) -> None:
    web.files = {"/m/model.onnx": _model("weights/model.data"), "/m/weights/model.data": bytes(4000)}
    fetched = fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)
    assert [file.name for file in fetched.files] == ["model.onnx", "weights/model.data"]
    lines = "".join(
        sorted(
            f"{hashlib.sha256(web.files['/m/' + name]).hexdigest()}  {name}\n"
            for name in ("model.onnx", "weights/model.data")
        )
    )
    assert fetched.digest == digest_of(lines.encode())
    assert (tmp_path / "out/weights/model.data").read_bytes() == bytes(4000)


@pytest.mark.parametrize("location", ["../other", "/etc/passwd", "a/../../b"])
def test_external_data_outside_the_models_folder_is_refused(location: str, web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = _model(location)
    with pytest.raises(SourceRefused, match=r"The model model.onnx holds"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)
    assert len(web.requests) == 1


@pytest.mark.parametrize("announce", [pytest.param(True, id="announced"), pytest.param(False, id="unannounced")])
def test_a_model_over_the_limit_is_not_read_to_its_end(announce: bool, web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"], web.announce = bytes(3_000_000), announce
    with pytest.raises(ModelTooLarge, match=r"model.onnx has at least [0-9,]+ bytes; the limit is 5,000"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=5000)
    assert not (tmp_path / "out/model.onnx").exists()


def test_the_limit_counts_all_files_together(web: Web, tmp_path: Path) -> None:
    web.files = {"/m/model.onnx": _model("model.data"), "/m/model.data": bytes(4000)}
    with pytest.raises(ModelTooLarge, match=r"model.data has at least"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=4100)


def test_a_pin_that_does_not_fit_is_refused(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = data = _model()
    options = _options(tmp_path, web)
    fetch_model(_url(web), tmp_path / "a", options, limit=_LIMIT, sha256=digest_of(data).removeprefix("sha256:"))
    with pytest.raises(
        SourceMismatch, match=rf"has the digest {digest_of(data)}, but spec.model.sha256 demands sha256:0"
    ):
        fetch_model(_url(web), tmp_path / "b", options, limit=_LIMIT, sha256="0" * 64)


def test_a_download_that_breaks_goes_on_where_it_broke(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = data = _model(length=400_000)
    web.break_at = [100_000, 100_000]
    assert fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT).digest == digest_of(data)
    assert len(web.requests) == 3


def test_a_model_that_changes_while_it_is_read_is_refused(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = _model(length=400_000)
    web.break_at = [100_000]
    web.after_break = lambda: web.files.update({"/m/model.onnx": _model(length=500_000)})
    with pytest.raises(SourceChanged, match=r"model.onnx changed while it was read"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_a_model_that_changes_before_its_data_is_read_is_refused(web: Web, tmp_path: Path) -> None:
    web.files = {"/m/model.onnx": _model("model.data"), "/m/model.data": bytes(4000)}
    web.break_at = [4000]

    def replace() -> None:
        web.files["/m/model.onnx"] = _model("model.data", 8000)

    web.break_at, web.after_break = [1_000_000], replace
    with pytest.raises(SourceChanged, match="changed while its data files were read"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_a_download_without_a_name_for_its_state_is_not_patched_together(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"], web.etags, web.break_at = _model(length=400_000), False, [100_000]
    with pytest.raises(SourceUnreachable, match=r"broke off after .* no strong ETag to go on from"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_a_busy_server_is_asked_again(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"], web.statuses = _model(), [503, 429]
    assert fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT).path.is_file()


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        pytest.param(404, SourceMissing, r"model.onnx does not exist \(404\)", id="not found"),
        pytest.param(403, SourceDenied, r"may not be read \(403\)", id="forbidden"),
        pytest.param(500, SourceUnreachable, "its server answers 500", id="broken"),
        pytest.param(418, SourceUnreachable, "its server answers 418", id="something else"),
    ],
)
def test_what_the_server_refuses_is_named(
    status: int, kind: type[Exception], says: str, web: Web, tmp_path: Path
) -> None:
    web.statuses = [status] * 9
    with pytest.raises(kind, match=says):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


@pytest.mark.parametrize(
    ("target", "kind", "says"),
    [
        pytest.param("https://10.0.0.7/m.onnx", UnsafeAddress, "leads to 10.0.0.7, an address of a private network", id="private"),
        pytest.param("https://169.254.169.254/x", UnsafeAddress, "leads to 169.254.169.254", id="a cloud's metadata"),
        pytest.param("http://93.184.216.34/m.onnx", SourceNotUnderstood, "leads to http://93.184.216.34, without TLS", id="no TLS"),
        pytest.param("file:///etc/passwd", SourceNotUnderstood, "leads to file:// *, without TLS", id="a file"),
    ],
)  # fmt: skip
def test_a_redirect_to_where_no_model_should_be_is_not_followed(
    target: str, kind: type[Exception], says: str, web: Web, tmp_path: Path
) -> None:
    web.redirects["/m/model.onnx"] = target
    with pytest.raises(kind, match=says):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_private_addresses_are_refused_unless_allowed(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = _model()
    http = HttpOptions(plain_http=(f"127.0.0.1:{web.port}",))
    with pytest.raises(UnsafeAddress, match=r"leads to 127.0.0.1, an address of a private network"):
        fetch_model(_url(web), tmp_path / "out", FetchOptions(tmp_path, http), limit=_LIMIT)
    assert web.requests == []


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    http = HttpOptions(AddressPolicy(("127.0.0.1",)), plain_http=("127.0.0.1:1",), attempts=2, sleep=Waits().sleep)
    with pytest.raises(SourceUnreachable, match=r"http://127.0.0.1:1/m.onnx cannot be fetched: .*refused"):
        fetch_model("http://u:secret@127.0.0.1:1/m.onnx", tmp_path / "o", FetchOptions(tmp_path, http), limit=_LIMIT)


def test_a_full_disk_is_named(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = _model()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model.onnx").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="No space is left"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def _claims(tmp_path: Path) -> FetchOptions:
    mount = tmp_path / "mounted"
    (mount / "churn").mkdir(parents=True)
    (mount / "churn/model.onnx").write_bytes(_model())
    (tmp_path / "secret.onnx").write_bytes(_model())
    (mount / "link.onnx").symlink_to(tmp_path / "secret.onnx")
    return _options(tmp_path, claims=(("models", mount),), allow_files=False)


def test_a_model_of_a_claim_is_read_from_where_it_is_mounted(tmp_path: Path) -> None:
    fetched = fetch_model("pvc://models/churn/model.onnx", tmp_path / "out", _claims(tmp_path), limit=_LIMIT)
    assert fetched.digest == digest_of(_model())
    assert fetched.etag


@pytest.mark.parametrize(
    ("uri", "kind", "says"),
    [
        pytest.param("pvc://models/churn/none.onnx", SourceMissing, "pvc://models/churn/none.onnx does not exist", id="no file"),
        pytest.param("pvc://other/x.onnx", SourceNotUnderstood, "the claim 'other', which is not mounted", id="no claim"),
        pytest.param("pvc://models/../secret.onnx", SourceRefused, "leads out of its folder", id="a parent path"),
        pytest.param("pvc://models/link.onnx", SourceNotUnderstood, "a link that leads out of its claim", id="a link outside"),
        pytest.param("pvc://models/churn", SourceNotUnderstood, "is not an ordinary file", id="a folder"),
        pytest.param("file:///etc/passwd", SourceNotUnderstood, "which a build in a cluster cannot see", id="a file"),
        pytest.param("model.onnx", SourceNotUnderstood, "which a build in a cluster cannot see", id="a path"),
        pytest.param("ftp://h/x.onnx", SourceNotUnderstood, "has the scheme 'ftp'; known are s3, gs, az", id="another scheme"),
        pytest.param("s3://bucket", SourceNotUnderstood, "needs a bucket and a key", id="a bucket alone"),
        pytest.param("https://example.com/", SourceNotUnderstood, "names no file", id="a web folder"),
        pytest.param("http://example.com/x.onnx", SourceNotUnderstood, "without TLS", id="http"),
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_fetched_are_named(uri: str, kind: type[Exception], says: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=says):
        fetch_model(uri, tmp_path / "out", _claims(tmp_path), limit=_LIMIT)


def test_a_file_that_belongs_to_a_model_is_fetched_alone(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    saved = fetch_file("labels.txt", tmp_path / "out", _options(tmp_path), limit=100)
    assert saved.path.read_text() == "a\nb\n"


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
        repository, {"README.md": b"x", "v3/model.onnx": _model("w.data"), "v3/w.data": bytes(4000)}
    )
    fetched = fetch_model(_oci(registry), tmp_path / "out", options, limit=_LIMIT)
    assert [file.name for file in fetched.files] == ["model.onnx", "w.data"]
    assert (fetched.etag, fetched.repository) == (digest, f"{registry.address}/models/churn")


def test_one_file_without_a_name_is_the_model(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_artifact(artifacts[0], {"": _model()})
    assert fetch_model(_oci(registry), tmp_path / "out", artifacts[1], limit=_LIMIT).path.name == "model.onnx"


def test_one_of_several_models_is_chosen_by_its_path(
    artifacts: tuple[Repository, FetchOptions], registry: FakeRegistry, tmp_path: Path
) -> None:
    _push_artifact(artifacts[0], {"a.onnx": _model(), "b.onnx": _model(length=8000)})
    with pytest.raises(SourceNotUnderstood, match=r"holds several models; there is a.onnx, b.onnx.*#path"):
        fetch_model(_oci(registry), tmp_path / "one", artifacts[1], limit=_LIMIT)
    fetched = fetch_model(_oci(registry, ":3#b.onnx"), tmp_path / "two", artifacts[1], limit=_LIMIT)
    assert fetched.digest == digest_of(_model(length=8000))


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
    files = {"models/model.onnx": _model("w.data"), "models/w.data": bytes(4000)}
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
    _push_artifact(repository, {"model.onnx": _model("w.data"), "w.data": bytes(4000)})
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
