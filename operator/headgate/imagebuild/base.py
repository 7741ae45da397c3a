"""What makes an image a base for Headgate: its labels, and what they say.

The base carries its Python packages as a label of pins (``name==version`` separated by spaces, about 2 kB), so that
requirements can be resolved against it without downloading a single layer. The labels are written by
``images/runtime/Dockerfile``; :func:`render_labels` makes them from the base's lock. Pure; called by the executor and
the CLI.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.markers import Environment, Marker
from packaging.utils import canonicalize_name

from headgate.imagebuild.errors import BaseRefused
from headgate.imagebuild.imageconfig import ImageConfig
from headgate.imagebuild.manifest import Platform

CONTRACT = "1"
"""The version of what base and builder agree on: folders, labels, entry point."""
LABEL_CONTRACT = "dev.headgate.contract"
LABEL_RUNTIME = "dev.headgate.runtime"
LABEL_FLINK = "dev.headgate.flink"
LABEL_PYTHON = "dev.headgate.python"
LABEL_PACKAGES = "dev.headgate.packages"
LABEL_REQUIRED_BY = "dev.headgate.required-by"
_LABELS = (LABEL_CONTRACT, LABEL_RUNTIME, LABEL_FLINK, LABEL_PYTHON, LABEL_PACKAGES)
_UV_PLATFORMS = {"amd64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$")


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """What a base says about itself."""

    platform: Platform
    runtime: str
    """Version of ``headgate_runtime`` that the base was made for."""
    flink: str
    python: str
    """Minor version, as in ``3.11``."""
    packages: tuple[tuple[str, str], ...]
    """Canonical name and version of every Python package in the base, sorted."""
    required_by: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Which packages of the base need a package of the base: what a conflict is explained with."""

    @property
    def constraints(self) -> str:
        """The packages as a constraints file."""
        return "".join(f"{name}=={version}\n" for name, version in self.packages)

    @property
    def uv_platform(self) -> str:
        """The name that uv has for the platform."""
        return _UV_PLATFORMS[self.platform.architecture]


def read_base(config: ImageConfig, platform: Platform, subject: str) -> BaseFacts:
    """The facts of a base; :class:`BaseRefused` when it is for another machine or lacks the labels."""
    if (config.platform.os, config.platform.architecture) != (platform.os, platform.architecture):
        raise BaseRefused(
            f"The base {subject} is made for {config.platform}, and the job is to run on {platform}.",
            remedy="Choose a base for that machine with --base, or the machine with --platform.",
        )
    if platform.architecture not in _UV_PLATFORMS:
        raise BaseRefused(f"No Python packages can be chosen for {platform}; known are {', '.join(_UV_PLATFORMS)}.")
    missing = [label for label in _LABELS if not config.label(label)]
    if missing:
        raise BaseRefused(
            f"The base {subject} was not made for Headgate: it lacks the "
            f"label{'s' * (len(missing) > 1)} {', '.join(missing)}.",
            remedy="Use the published runtime image, or build one from images/runtime/Dockerfile.",
        )
    if config.label(LABEL_CONTRACT) != CONTRACT:
        raise BaseRefused(
            f"The base {subject} follows contract {config.label(LABEL_CONTRACT)}, this builder {CONTRACT}.",
            remedy="Use a base and a headgate of the same release.",
        )
    pairs = []
    for pin in config.label(LABEL_PACKAGES).split():
        name, _, version = pin.partition("==")
        if not version:
            raise BaseRefused(
                f"The base {subject} has {pin!r} in its label {LABEL_PACKAGES}, which is not name==version."
            )
        pairs.append((str(canonicalize_name(name)), version))
    return BaseFacts(
        platform=platform,
        runtime=config.label(LABEL_RUNTIME),
        flink=config.label(LABEL_FLINK),
        python=config.label(LABEL_PYTHON),
        packages=tuple(sorted(pairs)),
        required_by=tuple(
            (name, tuple(needers.split(",")))
            for name, _, needers in (item.partition(":") for item in config.label(LABEL_REQUIRED_BY).split())
        ),
    )


def parse_lock(lock: str, python: str, platform: Platform) -> tuple[tuple[str, str], ...]:
    """Name and version of every package that ``lock`` installs for ``python`` (``3.11``) on ``platform``, sorted.

    Lines whose marker does not hold there are left out. Like uv, it takes ``3.11`` for 3.11.0.
    """
    environment: Environment = {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": _MACHINES.get(platform.architecture, platform.architecture),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    pins = set()
    for line in lock.splitlines():
        match = _PIN.match(line)
        if match and (
            match[3] is None or Marker(match[3]).evaluate({key: str(value) for key, value in environment.items()})
        ):
            pins.add((str(canonicalize_name(match[1])), match[2]))
    return tuple(sorted(pins))


def parse_needs(lock: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each package of a lock with uv's ``# via`` comments, the packages of the lock that need it."""
    needs: dict[str, list[str]] = {}
    name, listing = "", False
    for line in lock.splitlines():
        text = line.strip()
        if match := _PIN.match(text):
            name, listing = str(canonicalize_name(match[1])), False
        elif text.startswith("# via"):
            listing = True
            needs.setdefault(name, []).append(text.removeprefix("# via").strip())
        elif text.startswith("#") and listing:
            needs.setdefault(name, []).append(text.removeprefix("#").strip())
    return tuple(
        (package, needers)
        for package, items in sorted(needs.items())
        if (needers := tuple(sorted(item for item in items if re.fullmatch(r"[A-Za-z0-9._-]+", item))))
    )


def render_labels(lock: str, *, runtime: str, python: str, platform: Platform) -> tuple[tuple[str, str], ...]:
    """The labels of a base that has ``lock`` installed, in the order in which the Dockerfile holds them."""
    packages = parse_lock(lock, python, platform)
    flink = dict(packages).get("apache-flink", "")
    return (
        (LABEL_CONTRACT, CONTRACT),
        (LABEL_RUNTIME, runtime),
        (LABEL_FLINK, flink),
        (LABEL_PYTHON, python),
        (LABEL_PACKAGES, " ".join(f"{name}=={version}" for name, version in packages)),
        (LABEL_REQUIRED_BY, " ".join(f"{name}:{','.join(needers)}" for name, needers in parse_needs(lock))),
    )
