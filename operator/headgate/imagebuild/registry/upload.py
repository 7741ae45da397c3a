"""Sends one blob to a registry: whole when small, streamed and resumable when large.

The distribution specification's ways: POST then PUT for small blobs; POST, PATCH and PUT for large ones. A PATCH
carries the whole blob unless the registry or the options limit a request; after a break the registry is asked how far
it came and the rest is sent. A registry that forgot the upload makes it begin again. Called by ``repository``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx

from headgate.imagebuild.errors import RegistryError, RegistryMissing, RegistryUnreachable
from headgate.imagebuild.registry.answers import RETRIED
from headgate.imagebuild.registry.calls import Call
from headgate.imagebuild.registry.session import RegistrySession
from headgate.imagebuild.stores import Blob

SMALL = 4 * 1024 * 1024
"""Bytes up to which a blob goes in one PUT."""
_SMALL_CHUNK = 16 * 1024 * 1024
_RANGE = re.compile(r"^(?:bytes=)?0-(\d+)$")
_CREATED = frozenset({201, 204})
_PATCHED = frozenset({202, 204, 413, 416} | RETRIED)


def upload_blob(
    session: RegistrySession, base: str, scopes: tuple[str, ...], blob: Blob, sent: Callable[[int], None]
) -> None:
    """Send ``blob`` to the repository at ``base`` (``/v2/<name>``). Raises the errors of ``errors``."""
    action = f"upload a blob of {blob.size} bytes to {base.removeprefix('/v2/')}"
    attempts = session.options.attempts
    for attempt in range(1, attempts + 1):
        opened = session.send(
            Call("POST", f"{base}/blobs/uploads/", action, scopes, frozenset({202}), headers=(("Accept", "*/*"),))
        )
        upload = _Upload(session, scopes, blob, sent, action, opened)
        try:
            if blob.size > SMALL:
                upload.send_pieces()
                upload.finish(with_body=False)
            else:
                upload.finish(with_body=True)
        except RegistryMissing:
            if attempt == attempts:
                raise  # the registry forgets every upload
        else:
            return


class _Upload:
    """One open upload."""

    def __init__(
        self,
        session: RegistrySession,
        scopes: tuple[str, ...],
        blob: Blob,
        sent: Callable[[int], None],
        action: str,
        opened: httpx.Response,
    ) -> None:
        self._session, self._scopes, self._blob, self._sent, self._action = session, scopes, blob, sent, action
        self._location = self._next(opened)
        self._piece = session.options.chunk_bytes or blob.size
        least = opened.headers.get("oci-chunk-min-length", "")
        if least.isdigit():
            self._piece = max(self._piece, int(least))

    def _next(self, response: httpx.Response) -> str:
        location = str(response.headers.get("location", ""))
        if not location:
            raise RegistryError(f"The registry {self._session.host} opened an upload without saying where it goes.")
        return location

    def send_pieces(self) -> None:
        """PATCH the blob, asking after every break how far the registry came."""
        offset, breaks = 0, 0
        while offset < self._blob.size:
            end = min(offset + self._piece, self._blob.size)
            try:
                response = self._session.send(self._patch(offset, end))
            except RegistryUnreachable:
                breaks += 1
                if breaks >= self._session.options.attempts:
                    raise
                offset = self._progress()
                continue
            if response.status_code in {202, 204}:
                self._location = self._next(response)
                told = _RANGE.match(response.headers.get("range", ""))
                offset = int(told[1]) + 1 if told else end
                if offset < end:
                    breaks += 1  # it took less than was sent
            elif response.status_code == 413 and self._piece > _SMALL_CHUNK:
                self._piece = _SMALL_CHUNK
                offset = self._progress()
            else:
                breaks += 1
                offset = self._progress()
            if breaks >= self._session.options.attempts:
                raise RegistryUnreachable(
                    f"The registry {self._session.host} broke the upload of {self._blob.digest} {breaks} times "
                    f"(last answer {response.status_code})."
                )

    def _patch(self, offset: int, end: int) -> Call:
        return Call(
            "PATCH",
            self._location,
            self._action,
            self._scopes,
            _PATCHED,
            headers=(("Content-Type", "application/octet-stream"), ("Content-Range", f"{offset}-{end - 1}")),
            body=lambda: self._section(offset, end),
            size=end - offset,
            repeatable=False,
        )

    def _section(self, offset: int, end: int) -> Iterator[bytes]:
        position = 0
        for chunk in self._blob.read():
            start, stop = max(offset - position, 0), min(end - position, len(chunk))
            if start < stop:
                yield chunk[start:stop]
                self._sent(stop - start)
            position += len(chunk)
            # A layer checks its files after their last byte: a blob's end is read to its end.
            if position >= end and end < self._blob.size:
                return

    def _progress(self) -> int:
        """How many bytes the registry has. RegistryMissing when it does not know (or say): begin again."""
        call = Call("GET", self._location, self._action, self._scopes, frozenset({200, 202, 204, 400, 404, 405}))
        response = self._session.send(call)
        if response.status_code >= 400:
            raise RegistryMissing(
                f"The registry {self._session.host} no longer knows the upload of {self._blob.digest}."
            )
        self._location = response.headers.get("location", "") or self._location
        told = _RANGE.match(response.headers.get("range", ""))
        # "0-0" is what many registries say of an empty upload: one byte sent twice would break it, so begin there.
        return int(told[1]) + 1 if told and told[1] != "0" else 0

    def finish(self, *, with_body: bool) -> None:
        """PUT: closes the upload under its digest."""
        joint = "&" if "?" in self._location else "?"
        self._session.send(
            Call(
                "PUT",
                f"{self._location}{joint}digest={self._blob.digest}",
                self._action,
                self._scopes,
                _CREATED,
                headers=(("Content-Type", "application/octet-stream"),),
                body=(lambda: self._section(0, self._blob.size)) if with_body else None,
                size=self._blob.size if with_body else 0,
            )
        )
