"""The values that a registry session works with: a call, its options, and the count of bytes.

A call can be made again: its body is a function that yields the bytes from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headgate.imagebuild.addresses import AddressPolicy


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How to talk to registries."""

    plain_http: tuple[str, ...] = ()
    """Registry hosts (with port) that are spoken to without TLS; all others are spoken to with it."""
    ca_file: Path | None = None
    """Certificate authorities (PEM) trusted beside the system's."""
    policy: AddressPolicy = field(default_factory=AddressPolicy)
    attempts: int = 5
    first_wait_s: float = 0.5
    """Doubled after every attempt; what ``Retry-After`` says wins, up to ``longest_wait_s``."""
    longest_wait_s: float = 30.0
    timeout_s: float = 60.0
    chunk_bytes: int = 0
    """The most that one upload request carries; 0 for no limit of ours."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, described so that it can be repeated."""

    method: str
    url: str
    """A path on the registry (``/v2/…``) or a URL that the registry gave."""
    action: str
    """For messages, as in "read the manifest 1.0 of team/churn"."""
    scopes: tuple[str, ...]
    expected: frozenset[int]
    headers: tuple[tuple[str, str], ...] = ()
    body: Callable[[], Iterator[bytes]] | None = None
    size: int = 0
    """Bytes of the body."""
    repeatable: bool = True
    """Whether a broken connection or a 5xx may be answered by sending the same again."""


@dataclass(slots=True)
class Traffic:
    """Bytes over the wire as far as this package sees them: bodies and headers, without TLS."""

    sent: int = 0
    received: int = 0
    requests: int = 0


def pull_scope(repository: str) -> str:
    """The token scope for reading a repository."""
    return f"repository:{repository}:pull"


def push_scope(repository: str) -> str:
    """The token scope for reading and writing a repository."""
    return f"repository:{repository}:pull,push"
