"""Uploads: small and large, broken and resumed, refused and forgotten."""

from __future__ import annotations

import hashlib
import os

import pytest

from headgate.imagebuild.errors import (
    DigestMismatch,
    RegistryBusy,
    RegistryMissing,
    RegistryReadOnly,
    RegistryUnreachable,
)
from headgate.imagebuild.stores import Blob, bytes_blob
from imagekit.faults import Fault
from imagekit.images import digest_of, open_repository
from imagekit.registry import FakeRegistry

_LARGE = os.urandom(6 * 1024 * 1024)
_MIB = 1024 * 1024


def _in_pieces(data: bytes) -> Blob:
    return Blob(digest_of(data), len(data), lambda: (data[at : at + 100_000] for at in range(0, len(data), 100_000)))


def _stored(registry: FakeRegistry, data: bytes) -> bool:
    return registry.world.blobs.get(digest_of(data)) == data


def test_a_small_blob_takes_two_requests(registry: FakeRegistry) -> None:
    open_repository(registry.address, "team/churn").upload(bytes_blob(b"small"))
    assert _stored(registry, b"small")
    assert [seen.method for seen in registry.world.seen] == ["POST", "PUT"]


def test_an_empty_blob_can_be_sent(registry: FakeRegistry) -> None:
    open_repository(registry.address, "team/churn").upload(bytes_blob(b""))
    assert _stored(registry, b"")


def test_a_large_blob_is_one_streamed_piece_and_its_bytes_are_counted(registry: FakeRegistry) -> None:
    heard: list[int] = []
    repository = open_repository(registry.address, "team/churn")
    repository.upload(_in_pieces(_LARGE), heard.append)
    assert _stored(registry, _LARGE)
    assert [seen.method for seen in registry.world.seen] == ["POST", "PATCH", "PUT"]
    assert sum(heard) == len(_LARGE)
    assert len(_LARGE) < repository.session.traffic.sent < len(_LARGE) + 2000


def test_pieces_are_as_large_as_told(registry: FakeRegistry) -> None:
    open_repository(registry.address, "team/churn", chunk_bytes=2 * _MIB).upload(_in_pieces(_LARGE))
    assert _stored(registry, _LARGE)
    assert [seen.body_size for seen in registry.world.seen if seen.method == "PATCH"] == [2 * _MIB] * 3


def test_pieces_are_no_smaller_than_the_registry_wants(registry: FakeRegistry) -> None:
    registry.world.least_chunk = 4 * _MIB
    open_repository(registry.address, "team/churn", chunk_bytes=_MIB).upload(_in_pieces(_LARGE))
    assert _stored(registry, _LARGE)
    assert [seen.body_size for seen in registry.world.seen if seen.method == "PATCH"] == [4 * _MIB, 2 * _MIB]


def test_a_registry_that_limits_requests_gets_smaller_pieces(registry: FakeRegistry) -> None:
    data = os.urandom(20 * _MIB)
    registry.world.largest_body = 17 * _MIB
    open_repository(registry.address, "team/churn").upload(_in_pieces(data))
    assert _stored(registry, data)


@pytest.mark.parametrize("keep", [pytest.param(True, id="bytes are kept"), pytest.param(False, id="bytes are lost")])
def test_an_upload_that_breaks_goes_on_where_the_registry_is(keep: bool, registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^PATCH", times=2, disconnect_after=_MIB, keep_received=keep))
    open_repository(registry.address, "team/churn").upload(_in_pieces(_LARGE))
    assert _stored(registry, _LARGE)
    begins = [seen.headers["Content-Range"].partition("-")[0] for seen in registry.world.seen if seen.method == "PATCH"]
    assert begins == (["0", str(_MIB), str(2 * _MIB)] if keep else ["0", "0", "0"])


def test_a_registry_that_keeps_less_than_it_was_sent_gets_the_rest(registry: FakeRegistry) -> None:
    registry.world.takes_at_most = 2 * _MIB
    open_repository(registry.address, "team/churn").upload(_in_pieces(_LARGE))
    assert _stored(registry, _LARGE)


def test_a_busy_registry_gets_the_piece_again(registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^PATCH", times=1, status=503))
    open_repository(registry.address, "team/churn").upload(_in_pieces(_LARGE))
    assert _stored(registry, _LARGE)


def test_an_upload_that_the_registry_forgot_begins_again(registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^PATCH", times=1, disconnect_after=_MIB, forget_upload=True))
    open_repository(registry.address, "team/churn").upload(_in_pieces(_LARGE))
    assert _stored(registry, _LARGE)
    assert len(registry.world.lines("^POST")) == 2


def test_a_registry_that_forgets_every_upload_is_given_up(registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^PATCH", disconnect_after=0, forget_upload=True))
    with pytest.raises(RegistryMissing):
        open_repository(registry.address, "team/churn", attempts=3).upload(_in_pieces(_LARGE))
    assert len(registry.world.lines("^POST")) == 3


def test_an_upload_that_breaks_again_and_again_is_given_up(registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^PATCH", disconnect_after=0))
    with pytest.raises(RegistryUnreachable):
        open_repository(registry.address, "team/churn", attempts=3).upload(_in_pieces(_LARGE))


def test_a_read_only_repository_is_named(registry: FakeRegistry) -> None:
    registry.world.faults.append(Fault(r"^(POST|PUT|PATCH)", status=405))
    with pytest.raises(RegistryReadOnly, match=r"upload a blob of 5 bytes to team/churn: .* read-only \(405\)"):
        open_repository(registry.address, "team/churn").upload(bytes_blob(b"small"))


def test_a_full_registry_is_named(registry: FakeRegistry) -> None:
    body = b'{"errors":[{"code":"UNKNOWN","message":"write: no space left on device"}]}'
    registry.world.faults.append(Fault(r"^PUT", status=500, body=body))
    with pytest.raises(RegistryBusy, match="its disk is full"):
        open_repository(registry.address, "team/churn").upload(bytes_blob(b"small"))


def test_bytes_that_are_not_what_was_announced_are_refused_by_the_registry(registry: FakeRegistry) -> None:
    wrong = Blob("sha256:" + hashlib.sha256(b"other").hexdigest(), 5, lambda: iter([b"small"]))
    with pytest.raises(DigestMismatch, match="another digest"):
        open_repository(registry.address, "team/churn").upload(wrong)


def test_a_blob_is_mounted_or_the_opened_upload_is_given_up(registry: FakeRegistry) -> None:
    digest = registry.world.put_blob("base", b"layer")
    repository = open_repository(registry.address, "team/churn")
    assert repository.mount(digest, "base")
    assert repository.has(digest)
    registry.world.mounts = False
    other = registry.world.put_blob("base", b"another layer")
    assert not repository.mount(other, "base")
    assert not registry.world.uploads
    assert len(registry.world.lines("^DELETE")) == 1


def test_a_token_for_a_mount_covers_both_repositories(registry: FakeRegistry) -> None:
    from headgate.imagebuild.registry.credentials import Credential

    registry.world.auth = "bearer"
    digest = registry.world.put_blob("base", b"layer")
    repository = open_repository(registry.address, "team/churn", credential=Credential("ada", "lovelace"))
    assert repository.mount(digest, "base")
    (line,) = registry.world.lines("/token")
    assert "repository%3Ateam%2Fchurn%3Apull%2Cpush" in line
    assert "repository%3Abase%3Apull" in line
