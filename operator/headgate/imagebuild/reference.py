"""Parses the name of an image: ``registry/repository[:tag][@sha256:…]``.

Called at the edges (CLI, job arguments). Unlike Docker it never guesses more than one thing: a name without a registry
host is Docker Hub's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from headgate.imagebuild.canonical import SHA256_DIGEST
from headgate.imagebuild.errors import ReferenceRefused

DOCKER_HUB = "docker.io"
_HOST = re.compile(r"^(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$")
_REPOSITORY = re.compile(r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")


@dataclass(frozen=True, slots=True)
class Reference:
    """One repository on one registry, and optionally which image in it."""

    registry: str
    """Host, and port where it is not the scheme's: ``ghcr.io``, ``localhost:5000``, ``docker.io``."""
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """``registry/repository``."""
        return f"{self.registry}/{self.repository}"

    @property
    def selector(self) -> str:
        """What a manifest request asks for: the digest where known, else the tag, else ``latest``."""
        return self.digest or self.tag or "latest"

    @property
    def host(self) -> str:
        """The host that answers for this registry (Docker Hub's differs from its name)."""
        return "registry-1.docker.io" if self.registry == DOCKER_HUB else self.registry

    def with_digest(self, digest: str) -> Reference:
        """The same repository by ``digest`` alone."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read ``text``; :class:`ReferenceRefused` says which part is wrong."""
    rest, _, digest = text.strip().partition("@")
    if digest and not SHA256_DIGEST.match(digest):
        raise ReferenceRefused(f"{text!r} names no image: the digest must be sha256: and 64 hex digits.")
    head, slash, tail = rest.rpartition("/")
    last, colon, tag = tail.partition(":")
    if colon and not _TAG.match(tag):
        raise ReferenceRefused(f"{text!r} names no image: the tag {tag!r} is not a tag.")
    path = f"{head}{slash}{last}"
    first, slash, remainder = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, remainder
    else:
        registry, repository = DOCKER_HUB, path if slash else f"library/{path}"
    if registry in {"index.docker.io", "registry-1.docker.io"}:
        registry = DOCKER_HUB
    if not _HOST.match(registry):
        raise ReferenceRefused(f"{text!r} names no image: {registry!r} is not a registry host.")
    if not _REPOSITORY.match(repository) or len(repository) > 255:
        raise ReferenceRefused(
            f"{text!r} names no image: {repository!r} is not a repository "
            "(lower case letters, digits, '.', '_', '-', '/')."
        )
    return Reference(registry, repository, tag, digest)
