"""Models from the web, claims and files: fetched whole, in one state, within limits, or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.errors import DiskFull, SourceRefused, UnsafeAddress
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
from imagekit.images import Waits, digest_of
from imagekit.models import tiny_model
from imagekit.web import Web, web_server

_LIMIT = 10_000_000


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as running:
        yield running


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
    web.files["/m/model.onnx"] = data = tiny_model()
    fetched = fetch_model(_url(web) + "?token=secret", tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)
    assert fetched.path.read_bytes() == data
    assert fetched.digest == digest_of(data)
    assert fetched.etag == f'"{hashlib.sha256(data).hexdigest()[:8]}"'
    assert fetched.uri == _url(web)
    assert [line for line, _ in web.requests] == ["GET /m/model.onnx?token=secret"]


def test_external_data_comes_with_its_model(web: Web, tmp_path: Path) -> None:
    web.files = {"/m/model.onnx": tiny_model("weights/model.data"), "/m/weights/model.data": bytes(4000)}
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
    web.files["/m/model.onnx"] = tiny_model(location)
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
    web.files = {"/m/model.onnx": tiny_model("model.data"), "/m/model.data": bytes(4000)}
    with pytest.raises(ModelTooLarge, match=r"model.data has at least"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=4100)


def test_a_pin_that_does_not_fit_is_refused(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = data = tiny_model()
    options = _options(tmp_path, web)
    fetch_model(_url(web), tmp_path / "a", options, limit=_LIMIT, sha256=digest_of(data).removeprefix("sha256:"))
    with pytest.raises(
        SourceMismatch, match=rf"has the digest {digest_of(data)}, but spec.model.sha256 demands sha256:0"
    ):
        fetch_model(_url(web), tmp_path / "b", options, limit=_LIMIT, sha256="0" * 64)


def test_a_download_that_breaks_goes_on_where_it_broke(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = data = tiny_model(length=400_000)
    web.break_at = [100_000, 100_000]
    assert fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT).digest == digest_of(data)
    assert len(web.requests) == 3


def test_a_model_that_changes_while_it_is_read_is_refused(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = tiny_model(length=400_000)
    web.break_at = [100_000]
    web.after_break = lambda: web.files.update({"/m/model.onnx": tiny_model(length=500_000)})
    with pytest.raises(SourceChanged, match=r"model.onnx changed while it was read"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_a_model_that_changes_before_its_data_is_read_is_refused(web: Web, tmp_path: Path) -> None:
    web.files = {"/m/model.onnx": tiny_model("model.data"), "/m/model.data": bytes(4000)}
    web.break_at = [4000]

    def replace() -> None:
        web.files["/m/model.onnx"] = tiny_model("model.data", 8000)

    web.break_at, web.after_break = [1_000_000], replace
    with pytest.raises(SourceChanged, match="changed while its data files were read"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_a_download_without_a_name_for_its_state_is_not_patched_together(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"], web.etags, web.break_at = tiny_model(length=400_000), False, [100_000]
    with pytest.raises(SourceUnreachable, match=r"broke off after .* no strong ETag to go on from"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def test_a_busy_server_is_asked_again(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"], web.statuses = tiny_model(), [503, 429]
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
    web.files["/m/model.onnx"] = tiny_model()
    http = HttpOptions(plain_http=(f"127.0.0.1:{web.port}",))
    with pytest.raises(UnsafeAddress, match=r"leads to 127.0.0.1, an address of a private network"):
        fetch_model(_url(web), tmp_path / "out", FetchOptions(tmp_path, http), limit=_LIMIT)
    assert web.requests == []


def test_a_name_that_changes_its_address_is_not_read(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = tiny_model()
    policy = AddressPolicy(resolve=lambda host, port: ("93.184.216.34",))
    http = HttpOptions(policy, plain_http=(f"localhost:{web.port}",))
    with pytest.raises(UnsafeAddress, match=r"leads to localhost \(.*\), an address of a private network"):
        fetch_model(
            _url(web).replace("127.0.0.1", "localhost"), tmp_path / "out", FetchOptions(tmp_path, http), limit=_LIMIT
        )


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    http = HttpOptions(AddressPolicy(("127.0.0.1",)), plain_http=("127.0.0.1:1",), attempts=2, sleep=Waits().sleep)
    with pytest.raises(SourceUnreachable, match=r"http://127.0.0.1:1/m.onnx cannot be fetched: .*refused"):
        fetch_model("http://u:secret@127.0.0.1:1/m.onnx", tmp_path / "o", FetchOptions(tmp_path, http), limit=_LIMIT)


def test_a_full_disk_is_named(web: Web, tmp_path: Path) -> None:
    web.files["/m/model.onnx"] = tiny_model()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model.onnx").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="No space is left"):
        fetch_model(_url(web), tmp_path / "out", _options(tmp_path, web), limit=_LIMIT)


def _claims(tmp_path: Path) -> FetchOptions:
    mount = tmp_path / "mounted"
    (mount / "churn").mkdir(parents=True)
    (mount / "churn/model.onnx").write_bytes(tiny_model())
    (tmp_path / "secret.onnx").write_bytes(tiny_model())
    (mount / "link.onnx").symlink_to(tmp_path / "secret.onnx")
    return _options(tmp_path, claims=(("models", mount),), allow_files=False)


def test_a_model_of_a_claim_is_read_from_where_it_is_mounted(tmp_path: Path) -> None:
    fetched = fetch_model("pvc://models/churn/model.onnx", tmp_path / "out", _claims(tmp_path), limit=_LIMIT)
    assert fetched.digest == digest_of(tiny_model())
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
