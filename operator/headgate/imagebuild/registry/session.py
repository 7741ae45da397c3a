"""One registry host: sends calls with credentials, follows redirects with care, and tries again where that helps.

Tokens are kept per scope and asked for anew on a 401. Redirects are followed for GET and HEAD only, without our
credentials when they leave the registry, never from https to http, and never into a private network that is not the
registry's own. Waiting and the clock come in from outside, so tests need neither. Called by ``repository``, ``upload``
and ``referrers``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx

from headgate import __version__
from headgate.imagebuild.errors import ManifestRefused, RegistryError, RegistryUnauthorized, UnsafeAddress
from headgate.imagebuild.manifest import MANIFEST_LIMIT
from headgate.imagebuild.registry.answers import RETRIED, refusal, retry_after, unreachable
from headgate.imagebuild.registry.calls import Call, SessionOptions, Traffic
from headgate.imagebuild.registry.challenge import parse_challenge, parse_token

if TYPE_CHECKING:
    from headgate.imagebuild.reference import Reference
    from headgate.imagebuild.registry.credentials import Keychain

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_ERROR_BODY_LIMIT = 64 * 1024


class RegistrySession:
    """Connections to the registry of ``reference``, for that repository. Close it, or use it in ``with``."""

    def __init__(
        self,
        reference: Reference,
        keychain: Keychain,
        options: SessionOptions,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reference = reference
        self.host = reference.host
        self.options = options
        self.traffic = Traffic()
        self._secure = reference.registry not in options.plain_http and reference.host not in options.plain_http
        self._keychain = keychain
        self._sleep, self._clock = sleep, clock
        self._tokens: dict[str, tuple[str, float]] = {}
        self._basic = ""
        self._root = httpx.URL(f"{'https' if self._secure else 'http'}://{self.host}")
        self._policy = options.policy.allowing(self._root.host)
        verify = httpx.create_ssl_context() if self._secure else False
        if self._secure and options.ca_file and not isinstance(verify, bool):
            verify.load_verify_locations(options.ca_file)
        self._client = httpx.Client(
            verify=verify,
            timeout=httpx.Timeout(options.timeout_s, connect=min(options.timeout_s, 15.0)),
            headers={"User-Agent": f"headgate/{__version__}", "Accept-Encoding": "identity"},
            follow_redirects=False,
        )

    def __enter__(self) -> RegistrySession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def send(self, call: Call, limit: int = MANIFEST_LIMIT) -> httpx.Response:
        """Make the call and read its whole answer, at most ``limit`` bytes; raises the errors of ``errors``."""
        with self.stream(call) as response:
            announced = response.headers.get("content-length", "")
            if call.method == "HEAD":
                return response
            if announced.isdigit() and int(announced) > limit:
                raise ManifestRefused(
                    f"The answer to the request to {call.action} is over {limit} bytes: it is not read."
                )
            body = bytearray()
            try:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > limit:
                        raise ManifestRefused(
                            f"The answer to the request to {call.action} is over {limit} bytes: it is not read."
                        )
            except httpx.TransportError as error:
                raise unreachable(error, self.host, secure=self._secure) from error
            self.traffic.received += len(body)
            return _whole(response, bytes(body))

    @contextlib.contextmanager
    def stream(self, call: Call) -> Iterator[httpx.Response]:
        """Make the call and hand out its answer unread. The status is one of ``call.expected``."""
        response = self._open(call)
        try:
            yield response
        finally:
            response.close()

    def _open(self, call: Call) -> httpx.Response:
        wait = self.options.first_wait_s
        for attempt in range(1, self.options.attempts + 1):
            last = attempt == self.options.attempts or not call.repeatable
            try:
                response = self._authorized(call)
            except httpx.TransportError as error:
                if last:
                    raise unreachable(error, self.host, secure=self._secure) from error
                self._sleep(min(wait, self.options.longest_wait_s))
            else:
                if response.status_code in call.expected:
                    return response
                if last or response.status_code not in RETRIED:
                    known = "authorization" in response.request.headers
                    raise refusal(self._drain(response), call.action, self.host, known=known)
                told = retry_after(response)
                response.close()
                self._sleep(min(wait if told is None else told, self.options.longest_wait_s))
            wait *= 2
        raise RegistryError(f"No attempt was made to {call.action}: the number of attempts is {self.options.attempts}.")

    @staticmethod
    def _drain(response: httpx.Response) -> httpx.Response:
        """What fits of an error's body; the connection is free again afterwards."""
        body = bytearray()
        with contextlib.suppress(httpx.TransportError):  # the status alone has to do
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _ERROR_BODY_LIMIT:
                    break
        response.close()
        return _whole(response, bytes(body[:_ERROR_BODY_LIMIT]))

    def _authorized(self, call: Call) -> httpx.Response:
        response = self._follow(call, self._authorization(call.scopes))
        if response.status_code != 401:
            return response
        challenge = parse_challenge(response.headers.get("www-authenticate", ""))
        credential = self._keychain.find(self.reference.registry, self.reference.repository)
        if challenge.scheme == "bearer" and challenge.realm:
            self._drain(response)
            self._tokens[" ".join(call.scopes)] = self._fetch_token(challenge.realm, challenge.service, call.scopes)
        elif challenge.scheme == "basic" and credential and credential.username and not self._basic:
            self._drain(response)
            self._basic = credential.basic()
        else:
            return response
        return self._follow(call, self._authorization(call.scopes))

    def _authorization(self, scopes: tuple[str, ...]) -> str:
        token = self._tokens.get(" ".join(scopes))
        if token and self._clock() < token[1]:
            return f"Bearer {token[0]}"
        return self._basic

    def _fetch_token(self, realm: str, service: str, scopes: tuple[str, ...]) -> tuple[str, float]:
        credential = self._keychain.find(self.reference.registry, self.reference.repository)
        if credential and credential.registry_token:
            return credential.registry_token, float("inf")
        url = self._root.join(realm)
        if url.scheme != "https" and self._secure:
            raise UnsafeAddress(f"The registry {self.host} asks for credentials over plain http, at {url.host}.")
        self._policy.check(url, f"The token server of the registry {self.host}")
        fields = httpx.QueryParams({"service": service, "scope": scopes} if service else {"scope": scopes})
        if credential and credential.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": credential.identity_token, "client_id": "headgate"}
            form |= {"service": service, "scope": " ".join(scopes)}
            request = self._client.build_request("POST", url, data=form)
        else:
            request = self._client.build_request("GET", url.copy_merge_params(fields))
            if credential and credential.username:
                request.headers["Authorization"] = credential.basic()
        self.traffic.requests += 1
        response = self._client.send(request)
        self.traffic.received += len(response.content)
        if response.status_code in RETRIED:
            raise httpx.ConnectError(f"its token server {url.host} answered {response.status_code}")
        if response.status_code != 200:
            detail = "does not accept the credentials" if credential else "gives no token without credentials"
            raise RegistryUnauthorized(
                f"The registry {self.host} cannot be used: its token server {url.host} {detail} "
                f"({response.status_code}).",
                remedy=f"Log in with `docker login {self.reference.registry}`, or name a file with --auth-file.",
            )
        token = parse_token(response.content, self.host)
        return token.value, self._clock() + max(1.0, token.lifetime_s - 10)

    def _follow(self, call: Call, authorization: str) -> httpx.Response:
        url = self._absolute(call.url)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._once(call, url, authorization if self._is_own(url) else "")
            location = response.headers.get("location")
            if call.method not in {"GET", "HEAD"} or response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            target = url.join(location)
            self._check_leaving(target, f"A redirect of the registry {self.host}")
            url = target
        raise RegistryError(f"The registry {self.host} redirects more than {_MOST_REDIRECTS} times to {call.action}.")

    def _absolute(self, text: str) -> httpx.URL:
        url = self._root.join(text)
        if url.host == self._root.host and self._secure and url.scheme == "http":
            url = url.copy_with(scheme="https", port=self._root.port)  # a registry behind a proxy that ends TLS
        if not self._is_own(url):
            self._check_leaving(url, f"An upload address of the registry {self.host}")
        return url

    def _check_leaving(self, url: httpx.URL, subject: str) -> None:
        if url.scheme not in {"http", "https"} or (self._secure and url.scheme == "http"):
            raise UnsafeAddress(f"{subject} leads to {url.scheme}://{url.host}, without TLS. It is not followed.")
        if not self._is_own(url):
            self._policy.check(url, subject)

    def _is_own(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._root.scheme, self._root.host, self._root.port)

    def _once(self, call: Call, url: httpx.URL, authorization: str) -> httpx.Response:
        headers = dict(call.headers)
        if authorization:
            headers["Authorization"] = authorization
        if call.body is not None or call.method in {"POST", "PUT", "PATCH"}:
            headers["Content-Length"] = str(call.size)
        content = self._counted(call.body()) if call.body is not None else None
        request = self._client.build_request(call.method, url, headers=headers, content=content)
        self.traffic.requests += 1
        self.traffic.sent += sum(len(key) + len(value) + 4 for key, value in request.headers.raw) + len(url.raw_path)
        response = self._client.send(request, stream=True)
        self.traffic.received += sum(len(key) + len(value) + 4 for key, value in response.headers.raw)
        if not self._is_own(url):
            try:
                self._policy.check_peer(response, f"The registry {self.host}")
            except UnsafeAddress:
                response.close()
                raise
        return response

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.traffic.sent += len(chunk)
            yield chunk


def _whole(response: httpx.Response, body: bytes) -> httpx.Response:
    kept = [(key, value) for key, value in response.headers.multi_items() if key != "content-encoding"]
    return httpx.Response(response.status_code, headers=kept, content=body, request=response.request)
