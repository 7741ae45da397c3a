"""What an image is, before a byte of it exists: an immutable value whose canonical digest is the key to look it up by.

Everything that can change the image is in the plan, and nothing else: the base by digest, the lock of its dependencies,
every file by sha256, the environment, the labels, and the compressor with its version. Two machines that make the same
plan make the same image. The CLI and the controller make plans; the executor carries them out. Pure: no I/O, no clock.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from headgate.imagebuild.canonical import canonical_json
from headgate.imagebuild.errors import SourceRefused
from headgate.imagebuild.manifest import Platform

FORMAT = 1
"""Raised when the same plan would give other bytes: a new key for everything."""
ROOT = "opt/headgate"
JOB, SITE, RUNTIME = f"{ROOT}/job", f"{ROOT}/site", f"{ROOT}/runtime"
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


class Compression(StrEnum):
    """How a layer's tar travels. Models travel as they are: their weights hardly shrink, and time is what a release
    waits for."""

    NONE = "none"
    ZSTD = "zstd"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True)
class Compressor:
    """A compression and the library that does it: another version may give other bytes, so it is part of the key."""

    compression: Compression
    library: str
    level: int


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One regular file of a layer."""

    path: str
    """Relative to the image's root, with ``/``: ``opt/headgate/job/job.json``."""
    sha256: str
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """One layer: its files, and folders of the base that it replaces as a whole."""

    name: str
    """What progress and history call it: ``runtime``, ``job``, ``model 0``."""
    compression: Compression
    files: tuple[PlannedFile, ...]
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedDependencies:
    """Python packages on top of the base's, by their lock."""

    requirements: tuple[str, ...]
    lock_sha256: str
    """Of the lock's text."""
    compression: Compression


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """One image. Layers lie on the base in this order: dependencies, then ``layers`` as they stand."""

    base_digest: str
    platform: Platform
    dependencies: PlannedDependencies | None
    layers: tuple[PlannedLayer, ...]
    environment: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    compressors: tuple[Compressor, ...]

    def canonical(self) -> bytes:
        """The plan in canonical JSON."""
        return canonical_json(
            {
                "format": FORMAT,
                "base": self.base_digest,
                "platform": str(self.platform),
                "dependencies": {
                    "lock": self.dependencies.lock_sha256,
                    "compression": self.dependencies.compression.value,
                }
                if self.dependencies
                else None,
                "layers": [
                    {
                        "name": layer.name,
                        "compression": layer.compression.value,
                        "replaces": sorted(layer.replaces),
                        "files": [
                            {"path": file.path, "sha256": file.sha256, "size": file.size, "executable": file.executable}
                            for file in sorted(layer.files, key=lambda file: file.path)
                        ],
                    }
                    for layer in self.layers
                ],
                "environment": dict(self.environment),
                "labels": dict(self.labels),
                "compressors": sorted(f"{item.compression} {item.library} {item.level}" for item in self.compressors),
            }
        )

    @property
    def key(self) -> str:
        """64 hex digits: sha256 of :meth:`canonical`."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def tag(self) -> str:
        """The tag under which the finished image is found again."""
        return f"plan-{self.key}"


def plan_image(
    *,
    base_digest: str,
    platform: Platform,
    dependencies: PlannedDependencies | None,
    layers: tuple[PlannedLayer, ...],
    labels: tuple[tuple[str, str], ...],
    compressors: tuple[Compressor, ...],
) -> BuildPlan:
    """Put a plan together; :class:`SourceRefused` names the first file that cannot be part of an image."""
    for layer in layers:
        check_files(layer)
    used = {layer.compression for layer in layers} | ({dependencies.compression} if dependencies else set())
    environment = (
        ("PYTHONPATH", f"/{SITE}:/{RUNTIME}"),
        ("HEADGATE_JOB", f"/{JOB}/job.json"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    )
    return BuildPlan(
        base_digest=base_digest,
        platform=platform,
        dependencies=dependencies,
        layers=layers,
        environment=environment,
        labels=tuple(sorted(labels)),
        compressors=tuple(item for item in compressors if item.compression in used),
    )


def check_files(layer: PlannedLayer) -> None:
    """:class:`SourceRefused` for a path that is absolute, leaves the root, stands twice, or is both file and folder."""
    seen: set[str] = set()
    for file in layer.files:
        check_path(file.path, f"the layer {layer.name!r}")
        if not _SHA256.match(file.sha256) or file.size < 0:
            raise SourceRefused(f"The file {file.path!r} of the layer {layer.name!r} has no proper sha256 or size.")
        if file.path in seen:
            raise SourceRefused(f"The file {file.path!r} stands twice in the layer {layer.name!r}.")
        seen.add(file.path)
    for path in seen:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in seen:
                raise SourceRefused(
                    f"{'/'.join(parts[:end])!r} is both a file and a folder in the layer {layer.name!r}."
                )


def check_path(path: str, subject: str) -> None:
    """:class:`SourceRefused` unless ``path`` is relative, inside the root and plain."""
    parts = path.split("/")
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        raise SourceRefused(f"{subject} holds the absolute path {path!r}.", remedy="Paths in an image are relative.")
    if ".." in parts:
        raise SourceRefused(f"{subject} holds the path {path!r}, which leads out of its folder.")
    if not path or "" in parts or "." in parts or "\\" in path or any(ord(letter) < 32 for letter in path):
        raise SourceRefused(f"{subject} holds the path {path!r}, which is not a plain path.")
    if parts[-1].startswith(".wh."):
        raise SourceRefused(f"{subject} holds the path {path!r}, whose name an image would read as a deletion.")
