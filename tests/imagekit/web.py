"""A web server in this process that breaks off, redirects and lies on command."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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


@contextmanager
def web_server() -> Iterator[Web]:
    """A web server on a free port until the block is left."""
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
