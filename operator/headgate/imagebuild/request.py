"""What a build is asked for, what it answers, and who hears of it on the way. Values and protocols alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from headgate.imagebuild.layers import Content
from headgate.imagebuild.manifest import Platform
from headgate.imagebuild.plan import BuildPlan, Compression, PlannedLayer
from headgate.imagebuild.records import ModelRecord
from headgate.imagebuild.stores import ImageSource, ImageTarget


class LayerState(StrEnum):
    """What became of a layer."""

    PRESENT = "present"
    MOUNTED = "mounted"
    UPLOADED = "uploaded"
    COPIED = "copied"
    MISSING = "missing"
    """In a dry run: it would be uploaded (or mounted, where the registry can)."""


class Progress(Protocol):
    """Who hears how a build goes."""

    def stage(self, text: str) -> None:
        """A step begins; ``text`` is for people."""

    def sent(self, layer: str, count: int, size: int) -> None:
        """``count`` more of the ``size`` bytes of ``layer`` have been sent."""

    def layer(self, layer: str, size: int, state: LayerState) -> None:
        """A layer is settled."""


class Signer(Protocol):
    """Who signs an image once it is there."""

    def sign(self, target: ImageTarget, name: str, digest: str) -> None:
        """Put a signature of ``digest`` into ``target``, unless this key's is there already."""


@dataclass(frozen=True, slots=True)
class LayerInput:
    """A planned layer and where its bytes come from (by planned path)."""

    planned: PlannedLayer
    contents: Mapping[str, Content]


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Everything that a build is asked for."""

    base: ImageSource
    base_name: str
    """For messages and provenance: ``registry/repository:tag``."""
    base_selector: str
    """A tag or a digest."""
    target: ImageTarget
    target_name: str
    """``registry/repository``."""
    platform: Platform
    requirements: tuple[str, ...]
    lock: str | None
    """A lock that counts instead of resolving the requirements."""
    layers: tuple[LayerInput, ...]
    """In their order on the base: runtime, job, then one per model."""
    models: tuple[ModelRecord, ...]
    labels: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    """Tags that the image gets beside its plan's."""
    mount_from: tuple[str, ...] = ()
    """Repositories of the target's registry that may have a model's layer already."""
    copy_base: bool = False
    """Whether the base's layers may be copied into the target when they cannot be mounted."""
    compression: Compression = Compression.ZSTD
    signer: Signer | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class BuildResult:
    """An image that exists (or, after a dry run, would)."""

    digest: str
    """Of the manifest."""
    plan: BuildPlan
    built: bool
    """False when it was there already."""
    lock: str
    """The dependencies' lock; empty without requirements and when the image was there already."""
    layers: tuple[tuple[str, int, LayerState], ...]
    """Name, bytes and state of every layer that this build looked at, the base's as one."""
