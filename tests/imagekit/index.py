"""A Python package index of hand-made wheels, so that uv can be tested without the network.

Format: the simple repository API (PEP 503) with hashes in the links; wheels as PEP 427 says, made in memory and deterministic.
"""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Index:
    """The packages, by project name and file name; ``swapped`` files are served with other bytes than their hash says."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    swapped: dict[str, bytes] = field(default_factory=dict)
    password: str = ""
    url: str = ""
    requests: list[str] = field(default_factory=list)

    def add_wheel(
        self,
        name: str,
        version: str,
        *,
        requires: tuple[str, ...] = (),
        tag: str = "py3-none-any",
        body: bytes = b"x = 1\n",
    ) -> None:
        """Add ``name-version`` with one module of the same name."""
        module = name.replace("-", "_")
        self.files.setdefault(name, {})[f"{module}-{version}-{tag}.whl"] = wheel(
            module, name, version, requires, tag, body
        )

    def add_source(self, name: str, version: str) -> None:
        """Add a source distribution alone."""
        self.files.setdefault(name, {})[f"{name}-{version}.tar.gz"] = b"a source distribution"


def wheel(module: str, name: str, version: str, requires: tuple[str, ...], tag: str, body: bytes) -> bytes:
    """The bytes of a wheel."""
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {item}\n" for item in requires)
    files = {
        f"{module}/__init__.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = "".join(f"{path},sha256={_hash(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return buffer.getvalue()


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@contextmanager
def package_index() -> Iterator[Index]:
    """An empty index on a free port until the block is left."""
    index = Index()

    class Handler(_Handler):
        pass

    Handler.index = index
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: Index

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at ``Index.requests``."""

    def do_GET(self) -> None:
        index = self.index
        index.requests.append(self.path)
        if index.password:
            wanted = base64.b64encode(f"user:{index.password}".encode()).decode()
            if self.headers.get("Authorization", "") != f"Basic {wanted}":
                self._answer(401, b"")
                return
        parts = self.path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in index.files:
            links = "".join(
                f'<a href="/files/{parts[1]}/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a><br>'
                for name, data in index.files[parts[1]].items()
            )
            self._answer(200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
        elif parts[0] == "files" and len(parts) == 3 and parts[2] in index.files.get(parts[1], {}):
            self._answer(200, index.swapped.get(parts[2], index.files[parts[1]][parts[2]]))
        else:
            self._answer(404, b"")

    do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

    def _answer(self, status: int, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
