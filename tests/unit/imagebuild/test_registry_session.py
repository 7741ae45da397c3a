"""A registry that wants credentials, is busy, breaks off, redirects or lies."""

from __future__ import annotations

import socket

import pytest

from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.errors import (
    DigestMismatch,
    ManifestRefused,
    RegistryBusy,
    RegistryError,
    RegistryForbidden,
    RegistryMissing,
    RegistryUnauthorized,
    RegistryUnreachable,
    UnsafeAddress,
)
from headgate.imagebuild.manifest import Descriptor, MediaType
from headgate.imagebuild.registry.credentials import Credential
from imagekit.faults import Fault
from imagekit.images import Waits, base_image, open_repository, push_image
from imagekit.registry import FakeRegistry, fake_registry

_ADA = Credential("ada", "lovelace")


def _with_blob(registry: FakeRegistry, data: bytes = b"some bytes" * 1000) -> Descriptor:
    return Descriptor("x", registry.world.put_blob("team/churn", data), len(data))


def test_basic_credentials_are_sent_once_they_are_asked_for(registry: FakeRegistry) -> None:
    registry.world.auth = "basic"
    descriptor = _with_blob(registry)
    repository = open_repository(registry.address, "team/churn", credential=_ADA)
    assert repository.has(descriptor.digest)
    assert repository.has(descriptor.digest)
    assert [bool(seen.authorization) for seen in registry.world.seen] == [False, True, True]


def test_a_token_is_fetched_once_and_used_for_every_request(registry: FakeRegistry) -> None:
    registry.world.auth = "bearer"
    descriptor = _with_blob(registry)
    repository = open_repository(registry.address, "team/churn", credential=_ADA)
    for _ in range(3):
        assert repository.has(descriptor.digest)
    assert len(registry.world.lines("/token")) == 1
    assert "scope=repository%3Ateam%2Fchurn%3Apull%2Cpush" in registry.world.lines("/token")[0]


def test_a_token_that_ran_out_is_fetched_again(registry: FakeRegistry) -> None:
    registry.world.auth = "bearer"
    descriptor = _with_blob(registry)
    waits = Waits()
    repository = open_repository(registry.address, "team/churn", credential=_ADA, waits=waits)
    assert repository.has(descriptor.digest)
    waits.now += 1000
    assert repository.has(descriptor.digest)
    assert len(registry.world.lines("/token")) == 2


def test_a_token_that_the_registry_forgot_is_fetched_again(registry: FakeRegistry) -> None:
    registry.world.auth = "bearer"
    descriptor = _with_blob(registry)
    repository = open_repository(registry.address, "team/churn", credential=_ADA)
    assert repository.has(descriptor.digest)
    registry.world.tokens.clear()
    assert repository.has(descriptor.digest)


def test_an_identity_token_is_exchanged(registry: FakeRegistry) -> None:
    registry.world.auth = "bearer"
    descriptor = _with_blob(registry)
    repository = open_repository(registry.address, "team/churn", credential=Credential(identity_token="identity"))
    assert repository.has(descriptor.digest)
    assert registry.world.lines("^POST /token") == ["POST /token"]


def test_a_public_image_needs_no_credentials(registry: FakeRegistry) -> None:
    registry.world.auth, registry.world.anonymous_pull = "bearer", True
    descriptor = _with_blob(registry)
    assert open_repository(registry.address, "team/churn").blob(descriptor) == b"some bytes" * 1000


@pytest.mark.parametrize(
    ("auth", "credential", "says"),
    [
        pytest.param(
            "basic", None, r"wants credentials and none are known for it \(401\).*docker login", id="none, basic"
        ),
        pytest.param(
            "basic", Credential("ada", "wrong"), r"does not accept the credentials \(401\)", id="wrong, basic"
        ),
        pytest.param(
            "bearer", None, r"its token server .* gives no token without credentials \(401\)", id="none, bearer"
        ),
        pytest.param("bearer", Credential("ada", "wrong"), r"its token server .* does not accept", id="wrong, bearer"),
    ],
)
def test_refused_credentials_are_named_and_not_shown(
    auth: str, credential: Credential | None, says: str, registry: FakeRegistry
) -> None:
    registry.world.auth = auth
    repository = open_repository(registry.address, "team/churn", credential=credential)
    with pytest.raises(RegistryUnauthorized, match=says) as caught:
        repository.manifest("v1")
    assert "wrong" not in str(caught.value)


def test_a_forbidden_repository_is_named(registry: FakeRegistry) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"no push for you"}]}'
    registry.world.faults.append(Fault(r"^GET /v2/team/churn/", status=403, body=body))
    with pytest.raises(
        RegistryForbidden, match=r"refused to read the manifest v1 of team/churn: .*\(403\): DENIED no push"
    ):
        open_repository(registry.address, "team/churn").manifest("v1")
    assert len(registry.world.seen) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_with_longer_waits(status: int, registry: FakeRegistry) -> None:
    descriptor = _with_blob(registry)
    registry.world.faults.append(Fault(r"^HEAD", times=3, status=status))
    waits = Waits()
    assert open_repository(registry.address, "team/churn", waits=waits).has(descriptor.digest)
    assert waits.waited == [0.5, 1.0, 2.0]


def test_retry_after_is_honoured_up_to_a_limit(registry: FakeRegistry) -> None:
    descriptor = _with_blob(registry)
    registry.world.faults += [
        Fault(r"^HEAD", times=1, status=429, headers=(("Retry-After", "7"),)),
        Fault(r"^HEAD", times=1, status=429, headers=(("Retry-After", "86400"),)),
    ]
    waits = Waits()
    assert open_repository(registry.address, "team/churn", waits=waits).has(descriptor.digest)
    assert waits.waited == [7.0, 30.0]


@pytest.mark.parametrize(
    ("status", "says"), [(429, r"too many requests \(429\), also after waiting"), (500, r"it fails itself \(500\)")]
)
def test_a_registry_that_stays_busy_is_given_up(status: int, says: str, registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^GET", status=status))
    with pytest.raises(RegistryBusy, match=says):
        open_repository(registry.address, "team/churn", attempts=3).manifest("v1")
    assert len(registry.world.seen) == 3


def test_a_registry_that_is_down_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        waits = Waits()
        with pytest.raises(
            RegistryUnreachable, match=f"The registry {address} cannot be reached: .*[Cc]onnection refused"
        ):
            open_repository(address, "team/churn", waits=waits).manifest("v1")
    assert len(waits.waited) == 3


def test_a_proxy_of_the_environment_is_asked_unless_the_registry_is_excepted(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{registry.address}")
    monkeypatch.setenv("no_proxy", "excepted.invalid")
    image = base_image()
    push_image(open_repository("registry.invalid", "team/churn"), image, "v1")
    assert open_repository("registry.invalid", "team/churn").find("v1") == image.digest
    assert all(seen.path.startswith("http://registry.invalid/v2/team/churn/") for seen in registry.world.seen)
    with pytest.raises(RegistryUnreachable, match=r"excepted\.invalid cannot be reached"):
        open_repository("excepted.invalid", "team/churn", attempts=1).find("v1")


def test_plain_http_is_spoken_only_when_told(registry: FakeRegistry) -> None:
    from headgate.imagebuild.reference import parse_reference
    from headgate.imagebuild.registry.calls import SessionOptions
    from headgate.imagebuild.registry.repository import Repository
    from headgate.imagebuild.registry.session import RegistrySession
    from imagekit.images import Keys

    reference = parse_reference(f"{registry.address}/team/churn")
    with (
        RegistrySession(reference, Keys(), SessionOptions(attempts=1)) as session,
        pytest.raises(RegistryUnreachable, match="say --plain-http if that is meant"),
    ):
        Repository(session, writable=False).manifest("v1")
    assert registry.world.seen == []


@pytest.mark.parametrize(
    ("location", "says"),
    [
        pytest.param(
            "http://10.0.0.1/blob", "leads to 10.0.0.1, an address of a private network", id="a private address"
        ),
        pytest.param("http://169.254.169.254/latest", "leads to 169.254.169.254", id="a cloud's metadata"),
        pytest.param("http://[::1]:9/blob", "leads to ::1", id="this machine by another address"),
        pytest.param(
            "http://internal.test/blob", r"leads to internal.test \(10.9.9.9\)", id="a name with a private address"
        ),
        pytest.param("ftp://example.com/x", "leads to ftp://example.com, without TLS", id="another protocol"),
    ],
)
def test_a_redirect_to_a_private_address_is_not_followed(location: str, says: str, registry: FakeRegistry) -> None:
    descriptor = _with_blob(registry)
    registry.world.faults.append(Fault(r"^GET .*/blobs/", status=307, headers=(("Location", location),)))

    def resolve(host: str, port: int) -> tuple[str, ...]:
        return ("10.9.9.9",) if host == "internal.test" else (host,)

    repository = open_repository(registry.address, "team/churn", policy=AddressPolicy(resolve=resolve))
    with pytest.raises(UnsafeAddress, match=says):
        repository.blob(descriptor)


def test_a_redirect_to_storage_is_followed_without_credentials(registry: FakeRegistry) -> None:
    registry.world.auth = "basic"
    descriptor = _with_blob(registry)
    here = f"http://localhost:{registry.address.rpartition(':')[2]}/v2/team/churn/blobs/{descriptor.digest}"
    registry.world.faults.append(Fault(r"^GET .*/blobs/", after=1, times=1, status=307, headers=(("Location", here),)))
    repository = open_repository(registry.address, "team/churn", credential=_ADA)
    with pytest.raises(RegistryUnauthorized):
        repository.blob(descriptor)
    assert [(seen.headers["Host"].partition(":")[0], bool(seen.authorization)) for seen in registry.world.seen] == [
        ("127.0.0.1", False),
        ("127.0.0.1", True),
        ("localhost", False),
    ]


def test_a_redirect_within_the_registry_is_followed_with_credentials(registry: FakeRegistry) -> None:
    registry.world.auth = "basic"
    descriptor = _with_blob(registry)
    place = (("Location", f"/v2/team/churn/blobs/{descriptor.digest}?again"),)
    registry.world.faults.append(Fault(r"^GET .*[0-9a-f]$", status=302, headers=place))
    assert open_repository(registry.address, "team/churn", credential=_ADA).blob(descriptor)


def test_redirects_without_end_are_given_up(registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^GET", status=302, headers=(("Location", "/v2/team/churn/manifests/v1"),)))
    with pytest.raises(RegistryError, match="redirects more than 5 times"):
        open_repository(registry.address, "team/churn").manifest("v1")


def test_an_upload_that_is_sent_to_a_private_address_is_refused(registry: FakeRegistry) -> None:
    from headgate.imagebuild.stores import bytes_blob

    registry.world.faults.append(Fault(r"^POST", status=202, headers=(("Location", "http://10.0.0.1/up"),)))
    with pytest.raises(UnsafeAddress, match=r"An upload address of the registry .* leads to 10.0.0.1"):
        open_repository(registry.address, "team/churn").upload(bytes_blob(b"x"))


def test_a_manifest_over_four_mebibytes_is_refused(registry: FakeRegistry) -> None:
    registry.world.put_manifest("team/churn", b" " * (4 * 1024 * 1024 + 1), MediaType.OCI_MANIFEST, "v1")
    with pytest.raises(ManifestRefused, match="over 4194304 bytes: it is not read"):
        open_repository(registry.address, "team/churn").manifest("v1")


def test_a_manifest_that_does_not_say_its_size_is_read_to_four_mebibytes_at_most(registry: FakeRegistry) -> None:
    size = 5 * 1024 * 1024
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
    registry.world.faults.append(Fault(r"^GET", status=200, headers=(("Transfer-Encoding", "chunked"),), body=body))
    with pytest.raises(ManifestRefused, match="over 4194304 bytes: it is not read"):
        open_repository(registry.address, "team/churn").manifest("v1")


def test_a_redirect_whose_name_changes_its_address_is_not_read(registry: FakeRegistry) -> None:
    def resolve(host: str, port: int) -> tuple[str, ...]:
        return ("93.184.216.34",)  # what the check hears; the connection goes to this machine

    with fake_registry("127.0.0.2") as asked:
        descriptor = _with_blob(asked)
        other = f"http://localhost:{registry.address.rpartition(':')[2]}/v2/team/churn/blobs/{descriptor.digest}"
        asked.world.faults.append(Fault(r"^GET .*/blobs/", status=307, headers=(("Location", other),)))
        repository = open_repository(asked.address, "team/churn", policy=AddressPolicy(resolve=resolve))
        with pytest.raises(UnsafeAddress, match=r"leads to localhost \(.*\), an address of a private network"):
            repository.blob(descriptor)


def test_a_blob_whose_digest_is_wrong_is_refused(registry: FakeRegistry) -> None:
    descriptor = _with_blob(registry)
    registry.world.faults.append(Fault(r"^GET .*/blobs/", corrupt=True))
    repository = open_repository(registry.address, "team/churn")
    with pytest.raises(DigestMismatch, match=f"should have the digest {descriptor.digest} but its bytes have sha256:"):
        repository.blob(descriptor)
    with pytest.raises(DigestMismatch):
        b"".join(repository.stream(descriptor))


def test_a_manifest_whose_digest_is_wrong_is_refused(registry: FakeRegistry) -> None:
    repository = open_repository(registry.address, "team/churn")
    push_image(repository, base_image(), "v1")
    registry.world.faults.append(Fault(r"^GET .*/manifests/", corrupt=True))
    for reference in ("v1", base_image().digest):
        with pytest.raises(DigestMismatch, match=f"should have the digest {base_image().digest}"):
            repository.manifest(reference)


def test_a_registry_that_stores_something_else_is_caught(registry: FakeRegistry) -> None:
    repository = open_repository(registry.address, "team/churn")
    registry.world.faults.append(Fault(r"^PUT .*/manifests/", store_as="sha256:" + "0" * 64))
    with pytest.raises(DigestMismatch, match=f"stored the manifest v1 of team/churn as sha256:{'0' * 64}"):
        push_image(repository, base_image(), "v1")


def test_a_download_that_breaks_goes_on_where_it_broke(registry: FakeRegistry) -> None:
    data = bytes(range(256)) * 20_000
    descriptor = _with_blob(registry, data)
    registry.world.faults.append(Fault(r"^GET .*/blobs/", times=2, disconnect_after=2_000_000))
    assert b"".join(open_repository(registry.address, "team/churn").stream(descriptor)) == data
    ranges = [seen.headers.get("Range", "") for seen in registry.world.seen]
    assert ranges[0] == ""
    assert all(text.startswith("bytes=") for text in ranges[1:])


def test_a_download_that_breaks_again_and_again_is_given_up(registry: FakeRegistry) -> None:
    descriptor = _with_blob(registry)
    registry.world.faults.append(Fault(r"^GET .*/blobs/", disconnect_after=0))
    with pytest.raises((RegistryUnreachable, DigestMismatch)):
        b"".join(open_repository(registry.address, "team/churn").stream(descriptor))


def test_a_blob_that_is_longer_than_stated_is_not_read_to_its_end(registry: FakeRegistry) -> None:
    descriptor = _with_blob(registry)
    short = Descriptor("x", descriptor.digest, 100)
    with pytest.raises(DigestMismatch, match="longer than the 100 bytes"):
        b"".join(open_repository(registry.address, "team/churn").stream(short))


def test_a_missing_manifest_is_nothing_to_find_and_an_error_to_read(registry: FakeRegistry) -> None:
    repository = open_repository(registry.address, "team/churn")
    assert repository.find("v1") == ""
    with pytest.raises(RegistryMissing, match="refused to read the manifest v1 of team/churn: there is no such thing"):
        repository.manifest("v1")
