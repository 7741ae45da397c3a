"""Models behind ``https:``: streamed, resumed after a break, and never from a private network unless that is allowed.

An address comes from whoever may write a resource, so it must not make the builder fetch what only the builder can reach: every
hop of every redirect is checked (see ``headgate.imagebuild.addresses``). Resuming demands the same ETag.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx

from headgate import __version__
from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.registry.answers import RETRIED, retry_after
from headgate.models.remote_errors import (
    SourceChanged,
    SourceDenied,
    SourceMissing,
    SourceNotUnderstood,
    SourceUnreachable,
)
from headgate.models.remote_places import Opened

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 8


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How to fetch over the web."""

    policy: AddressPolicy = field(default_factory=AddressPolicy)
    ca_file: Path | None = None
    plain_http: tuple[str, ...] = ()
    """Hosts (with port) that may be spoken to without TLS."""
    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    timeout_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class HttpPlace:
    """The web folder of ``url``; ``open("x")`` is the file beside it."""

    def __init__(self, url: httpx.URL, options: HttpOptions) -> None:
        self._url, self._options = url, options
        self._name = url.path.rpartition("/")[2]

    @property
    def repository(self) -> str:
        """No registry."""
        return ""

    def open(self, name: str) -> Opened:
        """See :class:`~headgate.models.remote_places.Place`."""
        download = _Download(self._address(name), self.describe(name), self._options)
        return download.open()

    def etag(self, name: str) -> str:
        """The ETag (or Last-Modified) that the server gives now; empty where it gives none or knows no HEAD."""
        with ExitStack() as stack:
            client = stack.enter_context(_client(self._options, self._address(name)))
            response = _follow(client, "HEAD", self._address(name), {}, self.describe(name), self._options)
            response.close()
            return _etag(response) if response.status_code == 200 else ""

    def describe(self, name: str) -> str:
        """The address without user, password and query."""
        url = self._address(name)
        return str(url.copy_with(username=None, password=None, query=None, fragment=None))

    def _address(self, name: str) -> httpx.URL:
        if name == self._name:
            return self._url
        return self._url.copy_with(path=f"{self._url.path.rpartition('/')[0]}/{quote(name)}")


class _Download:
    """One file, over as many connections as it takes."""

    def __init__(self, url: httpx.URL, subject: str, options: HttpOptions) -> None:
        self._url, self._subject, self._options = url, subject, options
        self._stack = ExitStack()
        self._breaks = 0

    def open(self) -> Opened:
        try:
            client = self._stack.enter_context(_client(self._options, self._url))
            response = self._request(client, {})
        except BaseException:
            self._stack.close()
            raise
        length = response.headers.get("content-length", "")
        size = int(length) if length.isdigit() and "content-encoding" not in response.headers else None
        self._stack.callback(response.close)
        return Opened(self._chunks(client, response, size), size, _etag(response), self._stack.close)

    def _chunks(self, client: httpx.Client, response: httpx.Response, size: int | None) -> Iterator[bytes]:
        done, etag = 0, response.headers.get("etag", "")
        while True:
            try:
                for chunk in response.iter_bytes():
                    done += len(chunk)
                    yield chunk
                if size is None or done >= size:
                    return
                broken: Exception | None = None
            except httpx.TransportError as error:
                broken = error
            finally:
                response.close()
            self._wait(broken)
            if not etag or etag.startswith("W/"):
                raise SourceUnreachable(
                    f"{self._subject} broke off after {done:,} bytes, and its server gives no strong ETag to go on from."
                ) from broken
            headers = {"Range": f"bytes={done}-", "If-Range": etag} if done else {}
            response = self._request(client, headers)
            if response.status_code != (206 if done else 200) or response.headers.get("etag", etag) != etag:
                response.close()
                raise SourceChanged(f"{self._subject} changed while it was read.") from broken

    def _request(self, client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
        while True:
            try:
                response = _follow(client, "GET", self._url, headers, self._subject, self._options)
            except httpx.TransportError as error:
                self._wait(error)
                continue
            if response.status_code in (200, 206):
                return response
            response.close()
            if response.status_code not in RETRIED:
                raise _refusal(response.status_code, self._subject)
            self._wait(None, response)

    def _wait(self, error: Exception | None, response: httpx.Response | None = None) -> None:
        self._breaks += 1
        if self._breaks >= self._options.attempts:
            reason = str(error) or type(error).__name__ if error else "it broke off"
            if response is not None:
                reason = f"its server answers {response.status_code}"
            raise SourceUnreachable(f"{self._subject} cannot be fetched: {reason}.") from error
        told = retry_after(response) if response is not None else None
        wait = self._options.first_wait_s * 2 ** (self._breaks - 1) if told is None else told
        self._options.sleep(min(wait, self._options.longest_wait_s))


def open_http(uri: str, options: HttpOptions) -> tuple[HttpPlace, str]:
    """The place of a web address and the file's name in it. Raises SourceNotUnderstood, UnsafeAddress."""
    try:
        url = httpx.URL(uri)
    except httpx.InvalidURL as error:
        raise SourceNotUnderstood(f"The model's address is not a web address: {error}.") from error
    place = HttpPlace(url, options)
    name = url.path.rpartition("/")[2]
    if not url.host or not name:
        raise SourceNotUnderstood(f"{place.describe(name)} names no file.")
    _check(url, place.describe(name), options)
    return place, name


def _client(options: HttpOptions, url: httpx.URL) -> httpx.Client:
    verify: ssl.SSLContext | bool = True
    if url.scheme == "https" and options.ca_file:
        verify = httpx.create_ssl_context()
        verify.load_verify_locations(options.ca_file)
    return httpx.Client(
        verify=verify,
        timeout=httpx.Timeout(options.timeout_s, connect=15.0),
        headers={"User-Agent": f"headgate/{__version__}", "Accept-Encoding": "identity"},
        follow_redirects=False,
    )


def _follow(
    client: httpx.Client, method: str, url: httpx.URL, headers: dict[str, str], subject: str, options: HttpOptions
) -> httpx.Response:
    """The answer at the end of the redirects, unread. Credentials in the address go to its own host alone."""
    for _ in range(_MOST_REDIRECTS + 1):
        _check(url, subject, options)
        response = client.send(client.build_request(method, url, headers=headers), stream=True)
        try:
            options.policy.check_peer(response, subject)
        except BaseException:
            response.close()
            raise
        location = response.headers.get("location")
        if response.status_code not in _REDIRECTS or not location:
            return response
        response.close()
        url = url.join(location)
    raise SourceUnreachable(f"{subject} redirects more than {_MOST_REDIRECTS} times.")


def _check(url: httpx.URL, subject: str, options: HttpOptions) -> None:
    netloc = url.netloc.decode()
    if url.scheme != "https" and not (url.scheme == "http" and netloc.rpartition("@")[2] in options.plain_http):
        raise SourceNotUnderstood(
            f"{subject} leads to {url.scheme}://{url.host}, without TLS.", remedy="Models are fetched by https only."
        )
    options.policy.check(url, subject)


def _etag(response: httpx.Response) -> str:
    return str(response.headers.get("etag") or response.headers.get("last-modified") or "")


def _refusal(status: int, subject: str) -> Exception:
    if status in (404, 410):
        return SourceMissing(f"{subject} does not exist ({status}).")
    if status in (401, 403, 407):
        return SourceDenied(
            f"{subject} may not be read ({status}).", remedy="Use an address that needs no login, or oci."
        )
    return SourceUnreachable(f"{subject} cannot be fetched: its server answers {status}.")
