"""The dependencies of one build: found in the target, or resolved and installed.

The steps are apart because the plan needs only the lock, and a plan that was built before needs no package at all.
Called by the executor alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headgate.imagebuild.dependencies import Resolver, check_lock, install_site, resolve_lock, shipped, site_layer
from headgate.imagebuild.errors import DependencyRefused
from headgate.imagebuild.known import (
    KnownDependencies,
    dependencies_tag,
    find_dependencies,
    keep_dependencies,
    lock_descriptor,
)
from headgate.imagebuild.layers import stored_layer
from headgate.imagebuild.manifest import Descriptor
from headgate.imagebuild.plan import PlannedDependencies
from headgate.imagebuild.request import BuildRequest, LayerState, Progress
from headgate.imagebuild.resolve import Base
from headgate.imagebuild.transfer import Settled, settle_layer


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Either ``known`` in the target, or a fresh ``lock``."""

    tag: str
    known: KnownDependencies | None
    lock: str
    """The lock's text; empty while only ``known`` is."""

    @property
    def lock_sha256(self) -> str:
        """Hex sha256 of the lock."""
        return (self.known.lock if self.known else lock_descriptor(self.lock)).digest.removeprefix("sha256:")


def find_packages(request: BuildRequest, base: Base) -> Dependencies:
    """What the target knows about the request's dependencies; a tag with nothing behind it when nothing yet."""
    tag = dependencies_tag(request.requirements, request.lock, base.facts, request.compression)
    return Dependencies(tag, find_dependencies(request.target, tag), request.lock or "")


def resolve_packages(
    request: BuildRequest, found: Dependencies, base: Base, resolver: Resolver, work: Path
) -> Dependencies:
    """The same with a lock: the given one, checked against the base, or a new one by uv."""
    if request.lock is not None:
        check_lock(request.lock, base.facts, "The lock")
        return found
    return Dependencies(found.tag, None, resolve_lock(request.requirements, base.facts, resolver, work))


def plan_packages(request: BuildRequest, dependencies: Dependencies | None) -> PlannedDependencies | None:
    """What the plan says about them."""
    if dependencies is None:
        return None
    return PlannedDependencies(request.requirements, dependencies.lock_sha256, request.compression)


def settle_packages(
    request: BuildRequest, dependencies: Dependencies, base: Base, resolver: Resolver, work: Path, progress: Progress
) -> tuple[KnownDependencies, str, Settled]:
    """Make sure that the target has the layer of the dependencies, and keep it there for the next build.

    Returns what is known now, the lock's text, and the settled layer.
    """
    if dependencies.known:
        known = dependencies.known
        size = known.layer.size if known.layer else 0
        progress.layer("dependencies", size, LayerState.PRESENT)
        lock = dependencies.lock or request.target.blob(known.lock).decode()
        return known, lock, ("dependencies", size, LayerState.PRESENT)
    lock = dependencies.lock
    settled: Settled = ("dependencies", 0, LayerState.PRESENT)
    layer, diff_id = None, ""
    if shipped(lock, base.facts).strip():
        progress.stage("fetching Python packages")
        planned, contents = site_layer(install_site(lock, base.facts, resolver, work), request.compression)
        if not planned.files:
            raise DependencyRefused("The lock's packages hold no files.")
        stored = stored_layer(planned, contents, work / "dependencies.layer")
        settled = settle_layer(request, stored, progress)
        layer, diff_id = Descriptor(stored.media_type, stored.digest, stored.size), stored.diff_id
    known = KnownDependencies(lock_descriptor(lock), layer, diff_id)
    if not request.dry_run:
        keep_dependencies(request.target, dependencies.tag, known, lock)
    return known, lock, settled
