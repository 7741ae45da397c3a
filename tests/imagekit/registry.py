"""A stateful OCI registry in this process, which obeys the distribution specification until a fault tells it otherwise.

It keeps manifests, tags, blobs per repository and open uploads; refuses what a registry refuses (a wrong digest, a piece out
of order, a manifest whose blobs are missing); and remembers every request. Authentication, the referrers API, mounting and
writing can be set. Used by unit tests; component tests meet a real registry.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from imagekit.faults import Fault
from imagekit.world import Repo, Seen, World

_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True)
class FakeRegistry:
    """A running registry: ``address`` is host:port."""

    address: str
    world: World


@contextmanager
def fake_registry(host: str = "127.0.0.1") -> Iterator[FakeRegistry]:
    """An empty registry on a free port until the block is left."""
    world = World()

    class Handler(_Handler):
        pass

    Handler.world = world
    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield FakeRegistry(f"{host}:{server.server_address[1]}", world)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at ``World.seen``."""

    def do_GET(self) -> None:
        self._dispatch()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server looks for these names

    def _dispatch(self) -> None:
        line = f"{self.command} {self.path}"
        fault = next((fault for fault in self.world.faults if fault.hits(line)), None)
        if fault and fault.disconnect_after >= 0 and self.command not in {"GET", "HEAD"}:
            self._break_while_reading(fault)
            return
        body = self._body()
        with self.world.lock:
            self.world.peer = self.client_address[0]
            self.world.seen.append(
                Seen(
                    self.command,
                    self.path,
                    self.headers.get("Authorization", ""),
                    len(body),
                    dict(self.headers.items()),
                )
            )
            if fault and fault.status:
                self._answer(fault.status, fault.body, dict(fault.headers))
                return
            if self.world.largest_body and len(body) > self.world.largest_body:
                self._answer(413)
                return
            self._route(body, fault)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise AssertionError("a client that knows the size says it")
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _break_while_reading(self, fault: Fault) -> None:
        part = self.rfile.read(min(fault.disconnect_after, int(self.headers.get("Content-Length") or 0)))
        upload = urlsplit(self.path).path.rsplit("/", 1)[-1]
        with self.world.lock:
            self.world.seen.append(Seen(self.command, self.path, "", len(part), dict(self.headers.items())))
            if upload in self.world.uploads and fault.keep_received:
                self.world.uploads[upload] += part
            if fault.forget_upload:
                self.world.uploads.pop(upload, None)
        self._break()

    def _break(self) -> None:
        self.close_connection = True
        # An abrupt end: what is unread makes the kernel send a reset.
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if not {"Content-Length", "Transfer-Encoding"} & set(headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str, message: str = "") -> None:
        body = json.dumps({"errors": [{"code": code, "message": message or code.lower().replace("_", " ")}]}).encode()
        self._answer(status, body, {"Content-Type": "application/json"})

    def _route(self, body: bytes, fault: Fault | None) -> None:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            self._token(parse_qs(parts.query), body)
            return
        match = re.fullmatch(r"/v2/(.+?)/(manifests|blobs|referrers|blobs/uploads)/([^/]*)", parts.path)
        if not match:
            self._error(404, "NAME_UNKNOWN")
            return
        name, kind, last = match[1], match[2], match[3]
        if not self._allowed(name):
            return
        if kind == "manifests":
            self._manifest(name, last, body, fault)
        elif kind == "referrers":
            self._referrers(name, last)
        elif kind == "blobs":
            self._blob(name, last, fault)
        else:
            self._upload(name, last, query, body)

    def _allowed(self, name: str) -> bool:
        world, given = self.world, self.headers.get("Authorization", "")
        if not world.auth or (world.anonymous_pull and self.command in {"GET", "HEAD"}):
            return True
        host = self.headers["Host"]
        if world.auth == "basic":
            user, _, password = base64.b64decode(given.removeprefix("Basic ") or "").decode().partition(":")
            if given.startswith("Basic ") and world.users.get(user) == password:
                return True
            challenge = 'Basic realm="fake"'
        else:
            needed = f"repository:{name}:{'pull' if self.command in {'GET', 'HEAD'} else 'pull,push'}"
            granted = world.tokens.get(given.removeprefix("Bearer "), set())
            if any(scope in (needed, f"repository:{name}:pull,push") for scope in granted):
                return True
            challenge = f'Bearer realm="http://{host}/token",service="fake",scope="{needed}"'
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}).encode()
        self._answer(401, body, {"WWW-Authenticate": challenge, "Content-Type": "application/json"})
        return False

    def _token(self, query: dict[str, list[str]], body: bytes) -> None:
        world, given = self.world, self.headers.get("Authorization", "")
        form = parse_qs(body.decode())
        if form.get("grant_type") == ["refresh_token"]:
            if form.get("refresh_token") != ["identity"]:
                self._error(401, "UNAUTHORIZED")
                return
            scopes = form.get("scope", [""])[0].split(" ")
        else:
            user, _, password = base64.b64decode(given.removeprefix("Basic ") or "").decode().partition(":")
            if world.users.get(user) != password and not world.anonymous_pull:
                self._error(401, "UNAUTHORIZED", "incorrect username or password")
                return
            scopes = query.get("scope", [])
        token = f"token-{len(world.tokens)}"
        world.tokens[token] = set(scopes)
        answer = json.dumps({"token": token, "expires_in": world.token_lifetime_s}).encode()
        self._answer(200, answer, {"Content-Type": "application/json"})

    def _manifest(self, name: str, reference: str, body: bytes, fault: Fault | None) -> None:
        repo = self.world.repo(name)
        if self.command == "PUT":
            self._put_manifest(repo, reference, body, fault)
            return
        digest = repo.tags.get(reference, reference)
        if digest not in repo.manifests:
            self._error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            return
        data, media_type = repo.manifests[digest]
        if fault and fault.corrupt:
            data = data.replace(b":", b" :", 1)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest, "Content-Length": str(len(data))}
        self._answer(200, data, headers)

    def _put_manifest(self, repo: Repo, reference: str, body: bytes, fault: Fault | None) -> None:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        value = json.loads(body)
        needed = [value["config"]["digest"], *(item["digest"] for item in value["layers"])] if "config" in value else []
        if reference.startswith("sha256:") and reference != digest:
            self._error(400, "DIGEST_INVALID", "provided digest did not match")
            return
        if missing := [item for item in needed if item not in repo.blobs]:
            self._error(404, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
            return
        repo.manifests[digest] = (body, self.headers["Content-Type"])
        if not reference.startswith("sha256:"):
            repo.tags[reference] = digest
        headers = {"Docker-Content-Digest": fault.store_as if fault and fault.store_as else digest}
        if "subject" in value and self.world.referrers_api:
            headers["OCI-Subject"] = value["subject"]["digest"]
        self._answer(201, b"", headers)

    def _referrers(self, name: str, digest: str) -> None:
        if not self.world.referrers_api:
            self._error(404, "NOT_FOUND")
            return
        found = []
        for key, (data, media_type) in self.world.repo(name).manifests.items():
            value = json.loads(data)
            if value.get("subject", {}).get("digest") == digest:
                found.append(
                    {
                        "mediaType": media_type,
                        "digest": key,
                        "size": len(data),
                        "artifactType": value.get("artifactType", ""),
                    }
                )
        body = json.dumps({"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": found}).encode()
        self._answer(200, body, {"Content-Type": _INDEX_TYPE})

    def _blob(self, name: str, digest: str, fault: Fault | None) -> None:
        if digest not in self.world.repo(name).blobs:
            self._error(404, "BLOB_UNKNOWN")
            return
        data = self.world.blobs[digest]
        if fault and fault.corrupt:
            data = bytes(len(data))
        start = 0
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(match[1])
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        if fault and fault.disconnect_after >= 0:
            headers["Content-Length"] = str(len(data) - start)
            self._answer(206 if start else 200, data[start : start + fault.disconnect_after], headers)
            self._break()
            return
        self._answer(206 if start else 200, data[start:], headers)

    def _upload(self, name: str, upload: str, query: dict[str, str], body: bytes) -> None:
        world, repo = self.world, self.world.repo(name)
        if self.command == "POST":
            digest, source = query.get("mount", ""), query.get("from", "")
            if digest and world.mounts and digest in world.repo(source).blobs:
                repo.blobs.add(digest)
                self._answer(201, b"", {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/blobs/{digest}"})
                return
            upload = f"upload-{len(world.uploads)}-{len(world.seen)}"
            world.uploads[upload] = bytearray()
            headers = {"Location": f"/v2/{name}/blobs/uploads/{upload}?_state=s", "Range": "0-0"}
            if world.least_chunk:
                headers["OCI-Chunk-Min-Length"] = str(world.least_chunk)
            self._answer(202, b"", headers)
            return
        if upload not in world.uploads:
            self._error(404, "BLOB_UPLOAD_UNKNOWN")
            return
        data = world.uploads[upload]
        place = {"Location": f"/v2/{name}/blobs/uploads/{upload}?_state=s"}
        if self.command == "GET":
            self._answer(204, b"", {**place, "Range": f"0-{max(len(data) - 1, 0)}"})
        elif self.command == "DELETE":
            del world.uploads[upload]
            self._answer(204)
        elif self.command == "PATCH":
            begin = self.headers.get("Content-Range", "0-").partition("-")[0]
            if int(begin) != len(data):
                self._answer(416, b"", {**place, "Range": f"0-{max(len(data) - 1, 0)}"})
                return
            data += body[: self.world.takes_at_most or None]
            self._answer(202, b"", {**place, "Range": f"0-{len(data) - 1}"})
        else:
            data += body
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            if digest != query.get("digest"):
                del world.uploads[upload]
                self._error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
                return
            world.blobs[digest] = bytes(data)
            repo.blobs.add(digest)
            del world.uploads[upload]
            self._answer(201, b"", {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/blobs/{digest}"})
