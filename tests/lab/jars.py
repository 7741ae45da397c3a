"""The Java programs of the lab: every jar pinned by sha256 in ``jars.lock``, fetched without Maven into the cache.

``lock_jars`` is for the person who moves a version: it resolves what the roots need and writes the lock anew.
``fetch_jars`` only downloads what the lock names, and refuses a jar whose checksum differs.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import Dependency, MavenContext

from lab.errors import BuildError
from lab.places import LAB_FOLDER, cache_folder
from lab.store import publish
from lab.versions import read_versions

_LOCK = LAB_FOLDER / "jars.lock"


@dataclass(frozen=True, slots=True)
class PinnedJar:
    """One line of jars.lock."""

    sha256: str
    set_name: str
    group: str
    artifact: str
    version: str

    def __str__(self) -> str:
        return f"{self.sha256}  {self.set_name}  {self.group}:{self.artifact}:{self.version}"


def read_lock(set_name: str) -> tuple[PinnedJar, ...]:
    """The jars of one set, in the lock's order; BuildError if there are none."""
    pinned = []
    for line in _LOCK.read_text().splitlines() if _LOCK.exists() else ():
        sha256, name, coordinate = line.split()
        if name == set_name:
            pinned.append(PinnedJar(sha256, name, *coordinate.split(":")))
    if not pinned:
        raise BuildError(f"jars.lock pins nothing for {set_name!r}; run: python -m lab lock {set_name}")
    return tuple(pinned)


def jars_path(set_name: str) -> Path:
    """Where the fetched jars lie; BuildError with the command that fetches them, if they are not there."""
    folder = _target(set_name)
    if not folder.is_dir():
        raise BuildError(f"the jars of {set_name} are not fetched yet; run: make lab-build "
                         f"(or: PYTHONPATH=tests python -m lab build {set_name})")  # fmt: skip
    return folder


def fetch_jars(set_name: str, say: Callable[[str], None]) -> Path:
    """A folder with all jars of the set, downloaded if the cache lacks it."""
    pinned = read_lock(set_name)

    def make(folder: Path) -> None:
        say(f"fetching {len(pinned)} jars of {set_name}")
        with tempfile.TemporaryDirectory() as scratch:
            context = MavenContext(repo_cache=Path(scratch), timeout=60)
            for jar in pinned:
                path = _download(context, jar)
                found = hashlib.sha256(path.read_bytes()).hexdigest()
                if found != jar.sha256:
                    raise BuildError(
                        f"{path.name} has sha256 {found}, but jars.lock says {jar.sha256}; nothing was kept"
                    )
                shutil.copy(path, folder / path.name)

    return publish(_target(set_name), make)


def _download(context: MavenContext, jar: PinnedJar) -> Path:
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        return Path(component.artifact().resolve())
    except (RuntimeError, OSError) as error:
        raise BuildError(f"{jar.group}:{jar.artifact}:{jar.version} could not be fetched: {error}") from error


def lock_jars(set_name: str, say: Callable[[str], None]) -> None:
    """Resolve the roots of a set with all that they need at run time, and rewrite its lines of jars.lock."""
    roots = read_versions().jar_set(set_name).roots
    kept = [line for line in (_LOCK.read_text().splitlines() if _LOCK.exists() else ()) if line.split()[1] != set_name]
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=60)
        components = [context.project(g, a).at_version(v) for g, a, v in (root.split(":") for root in roots)]
        _, needed = context.resolver.resolve([Dependency(component.artifact(), raw=True) for component in components])
        coordinates = set(roots) | {
            f"{d.groupId}:{d.artifactId}:{d.version}" for d in needed if d.scope in ("compile", "runtime")
        }
        for coordinate in sorted(coordinates):
            group, artifact, version = coordinate.split(":")
            path = Path(context.project(group, artifact).at_version(version).artifact().resolve())
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            kept.append(str(PinnedJar(sha256, set_name, group, artifact, version)))
            say(f"pinned {coordinate}")
    _LOCK.write_text("\n".join(kept) + "\n")


def _target(set_name: str) -> Path:
    jar_set = read_versions().jar_set(set_name)
    key = hashlib.sha256("\n".join(map(str, read_lock(set_name))).encode()).hexdigest()[:12]
    return cache_folder() / "jars" / set_name / f"{jar_set.version}-{key}"
