"""Resolves and fetches the Python packages that a job needs beyond its base, by uv.

The base's packages are constraints, wheels are the only form, and every file is checked against the lock's hashes.
What the base has at the same version is in the lock and is not shipped again. Called by the executor; uv's cache and
the package index are its only outside. Credentials of private indexes come in as environment for uv and never into the
lock or a message.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from headgate.errors import ToolMissing
from headgate.imagebuild.base import BaseFacts, parse_lock
from headgate.imagebuild.conflicts import explain, wheelless
from headgate.imagebuild.errors import BuildFailed, DependencyRefused, DiskFull, IndexUnreachable
from headgate.imagebuild.layers import CHUNK, Content, FileContent
from headgate.imagebuild.plan import SITE, Compression, PlannedFile, PlannedLayer

_UV_TIMEOUT_S = 1800
_LEFT_OUT_FILES = {".lock", ".gitignore", "CACHEDIR.TAG"}


@dataclass(frozen=True, slots=True)
class Resolver:
    """How uv is called."""

    program: str
    environment: tuple[tuple[str, str], ...]
    """The whole environment of uv: proxies, certificate authorities, ``UV_*`` settings and index credentials."""


def uv_program() -> str:
    """The uv that is installed with Headgate; ToolMissing without it."""
    from uv import find_uv_bin

    try:
        return str(find_uv_bin())
    except FileNotFoundError as error:
        raise ToolMissing("uv is not installed beside headgate.", remedy="Install it with `pip install uv`.") from error


def check_requirements(requirements: tuple[str, ...]) -> tuple[str, ...]:
    """The requirements, sorted; DependencyRefused for what is not PEP 508, or names a file or URL to build from."""
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise DependencyRefused(f"{text!r} is not a Python requirement: {reason}.") from error
        if requirement.url:
            raise DependencyRefused(
                f"{text!r} names a URL; only packages of an index are taken, since their hashes can be locked.",
                remedy="Put the wheel into an index and name its version.",
            )
    return tuple(sorted(set(requirements)))


def resolve_lock(requirements: tuple[str, ...], facts: BaseFacts, resolver: Resolver, work: Path) -> str:
    """The lock of ``requirements`` on the base: pins with hashes, one block per package, sorted by name.

    Raises DependencyRefused (conflict, no wheel, no such package) and IndexUnreachable, with the reason in a sentence.
    """
    (work / "requirements.in").write_text("\n".join(check_requirements(requirements)) + "\n")
    (work / "constraints.txt").write_text(facts.constraints)
    base = {name for name, _ in facts.packages}
    excluded: list[str] = []
    command = (
        "pip", "compile", "--quiet", "requirements.in", "--constraints", "constraints.txt", "--generate-hashes",
        "--no-annotate", "--no-header", "--only-binary", ":all:", "--python-version", facts.python,
        "--python-platform", facts.uv_platform, "--no-config", "--output-file", "lock.txt",
    )  # fmt: skip
    while True:
        (work / "lock.txt").unlink(missing_ok=True)
        (work / "excludes.txt").write_text("".join(f"{name}\n" for name in excluded))
        answer = _run(resolver, (*command, *(("--excludes", "excludes.txt") if excluded else ())), work)
        if answer.returncode == 0:
            return (work / "lock.txt").read_text()
        # A package without a wheel that the base has already need not have one: leave it out and look again.
        name = str(canonicalize_name(wheelless(answer.stderr)))
        if name not in base or name in excluded:
            raise _failure(answer.stderr, facts)
        excluded.append(name)


def shipped(lock: str, facts: BaseFacts) -> str:
    """The part of ``lock`` that the base does not have, as a requirements file with hashes."""
    base = set(facts.packages)
    kept, keep = [], False
    for line in lock.splitlines(keepends=True):
        if match := re.match(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", line):
            keep = (str(canonicalize_name(match[1])), match[2]) not in base
        if keep:
            kept.append(line)
    return "".join(kept)


def check_lock(lock: str, facts: BaseFacts, subject: str) -> None:
    """DependencyRefused when a lock that came from outside holds another version of a package than the base."""
    base, needers = dict(facts.packages), dict(facts.required_by)
    for name, version in parse_lock(lock, facts.python, facts.platform):
        if base.get(name, version) != version:
            by = " and ".join(needers.get(name, ()))
            needed = f", which {by} needs" if by else ""
            raise DependencyRefused(
                f"{subject} holds {name} {version}, but the base holds {name} {base[name]}{needed}.",
                remedy="The lock was made for another base: remove it, and it is made anew.",
            )


def install_site(lock: str, facts: BaseFacts, resolver: Resolver, work: Path) -> Path:
    """Fetch the packages of ``lock`` that the base lacks into a folder below ``work`` and return it; hashes are
    checked."""
    (work / "install.txt").write_text(shipped(lock, facts))
    site = work / "site"
    command = (
        "pip", "install", "--quiet", "--target", str(site), "--no-deps", "--require-hashes", "--only-binary", ":all:",
        "--python-version", facts.python, "--python-platform", facts.uv_platform, "--link-mode", "copy", "--no-config",
        "--no-compile-bytecode", "-r", "install.txt",
    )  # fmt: skip
    answer = _run(resolver, command, work)
    if answer.returncode != 0:
        raise _failure(answer.stderr, facts)
    return site


def site_layer(site: Path, compression: Compression) -> tuple[PlannedLayer, dict[str, Content]]:
    """The layer of an installed site: its files without scripts, bytecode and what depends on when it was installed."""
    files: list[PlannedFile] = []
    contents: dict[str, Content] = {}
    for folder, names, entries in os.walk(site):
        names[:] = [name for name in names if name != "__pycache__" and not (name == "bin" and Path(folder) == site)]
        for entry in entries:
            path = Path(folder, entry)
            if entry in _LEFT_OUT_FILES or entry.endswith(".pyc") or path.is_symlink():
                continue
            if entry == "RECORD" and folder.endswith(".dist-info"):
                _sort_record(path)
            target = f"{SITE}/{path.relative_to(site).as_posix()}"
            sha256, size = hash_file(path)
            files.append(PlannedFile(target, sha256, size, bool(path.stat().st_mode & 0o100)))
            contents[target] = FileContent(path)
    files.sort(key=lambda file: file.path)
    return PlannedLayer("dependencies", compression, tuple(files)), contents


def hash_file(path: Path) -> tuple[str, int]:
    """Hex sha256 and size in bytes, read in pieces."""
    hasher, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size


def _sort_record(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in sorted(lines)))


def _run(resolver: Resolver, arguments: tuple[str, ...], work: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **dict(resolver.environment),
        "UV_NO_INSTALLER_METADATA": "1",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    try:
        return subprocess.run(
            [resolver.program, *arguments],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_UV_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise IndexUnreachable(f"uv did not finish within {_UV_TIMEOUT_S} s.") from error
    except OSError as error:
        raise ToolMissing(f"uv cannot be started: {error.strerror}.") from error


def _failure(text: str, facts: BaseFacts) -> BuildFailed:
    if "No space left on device" in text or "os error 28" in text:
        return DiskFull("No space is left while Python packages are fetched.", remedy="Free some.")
    return explain(text, facts)
