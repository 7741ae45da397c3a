"""Finds the credentials for a registry in files of Docker's config format and in credential helpers.

The formats: ``config.json`` of Docker, ``auth.json`` of Podman (the same), the Kubernetes secrets
``kubernetes.io/dockerconfigjson`` (the same) and ``kubernetes.io/dockercfg`` (its ``auths`` alone). Keys may be hosts,
hosts with a path, URLs, or hosts with ``*`` for a label, as in image pull secrets. Files are read here and passed in
by the edges; this module reads no environment.
"""

from __future__ import annotations

import base64
import binascii
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from headgate.imagebuild.errors import RegistryUnauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HELPER_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Credential:
    """A user's name and password, or a token that stands for them. Its text form shows neither."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """A refresh token for the registry's token server."""
    registry_token: str = field(default="", repr=False)
    """A bearer token to be sent as it is."""

    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


class Keychain(Protocol):
    """Where credentials come from."""

    def find(self, registry: str, repository: str) -> Credential | None:
        """The credential for ``repository`` on ``registry`` (a host, with port), or None for nobody in particular."""


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The parsed files, in order: the first that knows the registry answers."""

    auths: tuple[tuple[str, Credential], ...] = ()
    """Normalised key (``host[:port][/path]``) and credential."""
    helpers: tuple[tuple[str, str], ...] = ()
    """Normalised host and the name of its helper."""
    store: str = ""
    """The helper asked for any other registry."""

    def find(self, registry: str, repository: str) -> Credential | None:
        """See :class:`Keychain`. The longest key wins, as in image pull secrets."""
        names = _HUB_NAMES if registry in _HUB_NAMES else (registry,)
        for host, helper in self.helpers:
            if host in names and (credential := ask_helper(helper, host)):
                return credential
        found = [
            (len(key), credential)
            for key, credential in self.auths
            for name in names
            if _matches(key, name, repository)
        ]
        if found:
            return max(found, key=lambda item: item[0])[1]
        if self.store:
            for name in names:
                if credential := ask_helper(
                    self.store, "https://index.docker.io/v1/" if name == _HUB_NAMES[1] else name
                ):
                    return credential
        return None


def load_keychain(paths: Iterable[Path]) -> DockerConfig:
    """Read the files that exist; a file that is none of the formats raises :class:`RegistryUnauthorized`."""
    auths: list[tuple[str, Credential]] = []
    helpers: list[tuple[str, str]] = []
    store = ""
    for path in paths:
        if not path.is_file():
            continue
        try:
            value = json.loads(path.read_bytes())
            entries = value.get("auths")
            if entries is None:
                entries = value if all(isinstance(item, dict) and "auth" in item for item in value.values()) else {}
            auths += [
                (_normalise(key), credential) for key, item in entries.items() if (credential := _credential(item))
            ]
            helpers += [(_normalise(key), str(name)) for key, name in (value.get("credHelpers") or {}).items()]
            store = store or str(value.get("credsStore") or "")
        except (ValueError, AttributeError, TypeError, binascii.Error) as error:
            # The error's own text may quote the file: it stays out.
            raise RegistryUnauthorized(
                f"{path} holds no registry credentials that can be read ({type(error).__name__}).",
                remedy="It should have the format of Docker's config.json.",
            ) from None
    return DockerConfig(tuple(auths), tuple(helpers), store)


def ask_helper(helper: str, server: str) -> Credential | None:
    """Run ``docker-credential-HELPER get``; None when it is not installed or knows nothing."""
    program = shutil.which(f"docker-credential-{helper}") if helper.replace("-", "").isalnum() else None
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "get"], input=server.encode(), capture_output=True, timeout=_HELPER_TIMEOUT_S, check=False
        )
        if answer.returncode != 0:
            return None
        value = json.loads(answer.stdout)
        username, secret = str(value["Username"]), str(value["Secret"])
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
        return None
    return Credential(identity_token=secret) if username == "<token>" else Credential(username, secret)


def _credential(item: dict[str, str]) -> Credential | None:
    username, password = item.get("username", ""), item.get("password", "")
    if item.get("auth"):
        decoded = base64.b64decode(item["auth"], validate=True).decode()
        username, _, password = decoded.partition(":")
        password = password.rstrip("\0")
    credential = Credential(username, password, item.get("identitytoken", ""), item.get("registrytoken", ""))
    return credential if credential != Credential() else None


def _normalise(key: str) -> str:
    rest = key.split("://", 1)[-1].rstrip("/")
    host, _, path = rest.partition("/")
    return host if path in {"", "v1", "v2"} else f"{host}/{path}"


def _matches(key: str, registry: str, repository: str) -> bool:
    host, _, path = key.partition("/")
    if path and repository != path and not repository.startswith(f"{path}/"):
        return False
    labels, parts = host.split("."), registry.split(".")
    return len(labels) == len(parts) and all(
        fnmatchcase(part, label) for part, label in zip(parts, labels, strict=True)
    )
