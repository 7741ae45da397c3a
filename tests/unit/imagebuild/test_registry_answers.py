"""What a registry's refusal becomes: the kind of error, the sentence, and how long to wait before trying again."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from headgate.errors import Disposition
from headgate.imagebuild.errors import (
    DigestMismatch,
    RegistryBusy,
    RegistryError,
    RegistryForbidden,
    RegistryMissing,
    RegistryReadOnly,
    RegistryUnauthorized,
)
from headgate.imagebuild.registry.answers import refusal, retry_after, unreachable
from headgate.imagebuild.registry.challenge import Challenge, Token, parse_challenge, parse_token

_DENIED = b'{"errors":[{"code":"DENIED","message":"requested access is denied"}]}'


@pytest.mark.parametrize(
    ("status", "body", "known", "kind", "says"),
    [
        pytest.param(401, b"", False, RegistryUnauthorized, "wants credentials and none are known for it (401)",
                     id="401 without credentials"),
        pytest.param(401, b"", True, RegistryUnauthorized, "does not accept the credentials (401)",
                     id="401 with credentials"),
        pytest.param(403, _DENIED, True, RegistryForbidden, "(403): DENIED requested access is denied.", id="403"),
        pytest.param(404, b"", True, RegistryMissing, "there is no such thing (404)", id="404"),
        pytest.param(405, b"", True, RegistryReadOnly, "the repository is read-only (405)", id="405"),
        pytest.param(429, b"", True, RegistryBusy, "too many requests (429)", id="429"),
        pytest.param(500, b"", True, RegistryBusy, "it fails itself (500)", id="500"),
        pytest.param(507, b"", True, RegistryBusy, "its disk is full (507)", id="507"),
        pytest.param(500, b'{"errors":[{"message":"write /x: no space left on device"}]}', True, RegistryBusy, "its disk is full (500)",
                     id="500 for a full disk"),
        pytest.param(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}', True, DigestMismatch, "another digest (400)",
                     id="a digest that is wrong"),
        pytest.param(418, b"", True, RegistryError, "(418)", id="anything else"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_was_refused_and_why(
    status: int, body: bytes, known: bool, kind: type[Exception], says: str
) -> None:
    response = httpx.Response(status, content=body)
    error = refusal(response, "upload a blob to team/churn", "r.io", known=known)
    assert type(error) is kind
    assert str(error).startswith("The registry r.io refused to upload a blob to team/churn")
    assert says in str(error)


def test_only_what_may_pass_by_itself_is_tried_again_by_a_caller() -> None:
    kinds = {
        status: refusal(httpx.Response(status), "x", "r.io", known=True).disposition
        for status in (401, 403, 405, 429, 503)
    }
    assert [status for status, kind in kinds.items() if kind is Disposition.TRANSIENT] == [429, 503]


def test_control_characters_and_long_talk_of_a_registry_are_cut() -> None:
    body = b'{"errors":[{"code":"X","message":"\\u001b[31m' + b"y" * 9000 + b'"}]}'
    text = str(refusal(httpx.Response(400, content=body), "x", "r.io", known=True))
    assert "\x1b" not in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("Wed, 21 Oct 2026 07:28:10 GMT", 10.0, id="a date"),
        pytest.param("Wed, 21 Oct 2026 07:27:00 GMT", 0.0, id="a date that has passed"),
        pytest.param("soon", None, id="neither"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_how_long_to_wait(header: str, seconds: float | None) -> None:
    now = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)
    assert retry_after(httpx.Response(429, headers={"Retry-After": header}), now) == seconds


@pytest.mark.parametrize(
    ("text", "secure", "says"),
    [
        pytest.param(
            "[SSL: WRONG_VERSION_NUMBER] wrong version", True, "say --plain-http", id="http where TLS was meant"
        ),
        pytest.param("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", True, "--ca-file", id="an unknown authority"),
        pytest.param("Connection refused", True, "cannot be reached: Connection refused.", id="nobody there"),
    ],
)
def test_a_connection_that_fails_says_what_may_help(text: str, secure: bool, says: str) -> None:
    assert says in str(unreachable(httpx.ConnectError(text), "r.io", secure=secure))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param('Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
                     Challenge("bearer", "https://a/t", "s", "repository:x:pull,push"),
                     id="Docker's form"),
        pytest.param('bearer scope="a b", realm="https://a/t"', Challenge("bearer", "https://a/t", "", "a b"),
                     id="another order and case"),
        pytest.param('Basic realm="Registry"', Challenge("basic", "Registry"), id="basic"),
        pytest.param("Bearer realm=https://a/t", Challenge("bearer", "https://a/t"), id="without quotes"),
        pytest.param("", Challenge(""), id="nothing"),
    ],
)  # fmt: skip
def test_a_challenge_is_read(header: str, expected: Challenge) -> None:
    assert parse_challenge(header) == expected


def test_a_token_is_read() -> None:
    assert parse_token(b'{"token":"t","expires_in":300}', "r.io") == Token("t", 300.0)
    assert parse_token(b'{"access_token":"t"}', "r.io") == Token("t", 60.0)
    for wrong in (b"{}", b"[]", b"x", b'{"token":1}'):
        with pytest.raises(RegistryUnauthorized, match="answered without a token"):
            parse_token(wrong, "r.io")
