"""What the registry of ``imagekit.registry`` holds, how it is set, and what it was asked."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field

from imagekit.faults import Fault


@dataclass(slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    authorization: str
    body_size: int
    headers: dict[str, str]

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class Repo:
    """One repository."""

    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)


@dataclass(slots=True)
class World:
    """The registry's state and settings."""

    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    auth: str = ""
    """``basic``, ``bearer`` or nothing."""
    users: dict[str, str] = field(default_factory=lambda: {"ada": "lovelace"})
    tokens: dict[str, set[str]] = field(default_factory=dict)
    token_lifetime_s: int = 300
    anonymous_pull: bool = False
    referrers_api: bool = True
    mounts: bool = True
    least_chunk: int = 0
    largest_body: int = 0
    takes_at_most: int = 0
    """Bytes of one PATCH that are kept, whatever is sent; 0 for all."""
    peer: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def repo(self, name: str) -> Repo:
        return self.repos.setdefault(name, Repo())

    def lines(self, pattern: str) -> list[str]:
        """The requests seen that match, as ``METHOD /path?query``."""
        return [seen.line for seen in self.seen if re.search(pattern, seen.line)]

    def sent_bytes(self) -> int:
        """Bytes of all bodies that arrived."""
        return sum(seen.body_size for seen in self.seen)

    def put_blob(self, repository: str, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        self.repo(repository).blobs.add(digest)
        return digest

    def put_manifest(self, repository: str, data: bytes, media_type: str, tag: str = "") -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.repo(repository).manifests[digest] = (data, media_type)
        if tag:
            self.repo(repository).tags[tag] = digest
        return digest
