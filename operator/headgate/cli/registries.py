"""What ``build`` and ``verify`` have in common: which registry is meant, with which credentials, by which means.

The environment is read here and nowhere below: Docker's and Podman's files of credentials, and ``REGISTRY_AUTH_FILE``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import HeadgateError
from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.reference import Reference, parse_reference
from headgate.imagebuild.registry.calls import SessionOptions, Traffic
from headgate.imagebuild.registry.credentials import load_keychain
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.registry.session import RegistrySession
from headgate.imagebuild.stores import ImageTarget

LAYOUT_PREFIX = "oci-layout:"


@dataclass(frozen=True, slots=True)
class RegistryFlags:
    """The options that say how to reach registries."""

    plain_http: bool
    ca_file: Path | None
    auth_files: tuple[Path, ...]
    allow_private: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """A place for images, what it is called, and which image in it is meant."""

    store: ImageTarget
    name: str
    """``registry/repository``, or the layout's folder."""
    selector: str
    """A tag or a digest."""
    registry: str
    """Host; empty for a layout."""


class Registries:
    """Opens registries and closes them all; use it in ``with``."""

    def __init__(self, flags: RegistryFlags, environ: Mapping[str, str]) -> None:
        self._flags = flags
        self._keychain = load_keychain(flags.auth_files or _credential_files(environ))
        self._stack = ExitStack()
        self._sessions: list[RegistrySession] = []
        self._plain: set[str] = set()

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def policy(self) -> AddressPolicy:
        """Which private hosts may be reached."""
        return AddressPolicy(self._flags.allow_private)

    def open(self, text: str, *, writable: bool) -> Image:
        """The image that ``text`` names: a reference, or ``oci-layout:FOLDER[:TAG]``."""
        if text.startswith(LAYOUT_PREFIX):
            folder, colon, tag = text.removeprefix(LAYOUT_PREFIX).partition(":")
            return Image(Layout(Path(folder)), folder, tag if colon else "latest", "")
        reference = parse_reference(text)
        return Image(self.repository(reference, writable), reference.name, reference.selector, reference.registry)

    def repository(self, reference: Reference, writable: bool = False) -> Repository:
        """The repository of ``reference``."""
        if self._flags.plain_http and (not self._plain or is_local(reference.registry)):
            self._plain.add(reference.registry)
        options = SessionOptions(
            plain_http=tuple(self._plain),
            ca_file=self._flags.ca_file,
            policy=self.policy,
        )
        session = self._stack.enter_context(RegistrySession(reference, self._keychain, options))
        self._sessions.append(session)
        return Repository(session, writable=writable)

    @property
    def traffic(self) -> Traffic:
        """Bytes and requests of all registries together."""
        total = Traffic()
        for session in self._sessions:
            total.sent += session.traffic.sent
            total.received += session.traffic.received
            total.requests += session.traffic.requests
        return total


def is_local(registry: str) -> bool:
    """Whether a registry is on this machine."""
    host = registry.rpartition(":")[0] if registry.rpartition(":")[2].isdigit() else registry
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_key(path: Path) -> bytes:
    """A key file's bytes; a sentence when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise HeadgateError(f"The key {path} cannot be read: {error.strerror}.") from error


def _credential_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    files = []
    if environ.get("REGISTRY_AUTH_FILE"):
        files.append(Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("DOCKER_CONFIG"):
        files.append(Path(environ["DOCKER_CONFIG"]) / "config.json")
    elif environ.get("HOME"):
        files.append(Path(environ["HOME"]) / ".docker" / "config.json")
    if environ.get("XDG_RUNTIME_DIR"):
        files.append(Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
    return tuple(files)
