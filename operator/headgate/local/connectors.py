"""Which connector and format jars a pipeline's tables need, and where they lie on this machine.

Called by ``headgate.local.session``. What exists is written in the runtime's ``connectors.lock.json`` (coordinate, file
name, sha256; no repository). A jar comes through jgo, a resolver in Python, from the repositories that jgo's own
settings name, and is used only when its digest is the one in the lock.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from headgate.errors import ToolMissing

FORMAT_OPTIONS = ("format", "key.format", "value.format")
OWN_JAR = "To bring a connector or format of your own to a local run, name its jar: --jar connector.jar."


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned artifact."""

    coordinate: str
    """``group:artifact:version``."""
    file: str
    sha256: str
    """64 hex digits."""


@dataclass(frozen=True, slots=True)
class ConnectorLock:
    """The lock file: which factory identifiers are known and the jars that each needs (none: part of PyFlink)."""

    jars: Mapping[str, Jar]
    connectors: Mapping[str, tuple[str, ...]]
    formats: Mapping[str, tuple[str, ...]]

    def needed(self, tables: Iterable[Mapping[str, str]], *, own_jars: bool = False) -> tuple[Jar, ...]:
        """The jars for tables with these WITH options, each once, in the lock's order.

        Raises ``ToolMissing`` for an identifier that the lock does not know, unless jars of the user's may provide it.
        """
        files: set[str] = set()
        for options in tables:
            asked = [("connector", options.get("connector", ""), self.connectors)]
            asked += [("format", options.get(option, ""), self.formats) for option in FORMAT_OPTIONS]
            for kind, name, known in asked:
                if not name:
                    continue
                if name in known:
                    files.update(known[name])
                elif not own_jars:
                    raise ToolMissing(_unknown(kind, name, known), remedy=OWN_JAR)
        return tuple(jar for file, jar in self.jars.items() if file in files)


def read_lock(path: Path) -> ConnectorLock:
    """Read ``connectors.lock.json``. Raises ``ToolMissing`` when it is not there or of another version."""
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise ToolMissing(
            f"The lock of connector jars cannot be read: {error}.", remedy="Install Headgate again."
        ) from error
    if document.get("version") != 1:
        raise ToolMissing(f"{path} is of version {document.get('version')}, and this Headgate reads version 1.")
    return ConnectorLock(
        jars={entry["file"]: Jar(entry["coordinate"], entry["file"], entry["sha256"]) for entry in document["jars"]},
        connectors={name: tuple(files) for name, files in document["connectors"].items()},
        formats={name: tuple(files) for name, files in document["formats"].items()},
    )


def fetch_jars(
    jars: Iterable[Jar], cache: Path, tell: Callable[[str], None], download: Callable[[Jar, Path], Path] | None = None
) -> tuple[Path, ...]:
    """Paths of ``jars`` under ``cache``, downloaded where missing and verified every time.

    Raises ``ToolMissing`` when one cannot be had, or has another digest than the lock says (both are named).
    """
    return tuple(_fetched(jar, cache / "jars", tell, download or download_by_jgo) for jar in jars)


def _fetched(jar: Jar, folder: Path, tell: Callable[[str], None], download: Callable[[Jar, Path], Path]) -> Path:
    kept = folder / jar.sha256[:16] / jar.file
    if kept.exists() and _sha256(kept) == jar.sha256:
        return kept
    tell(f"Downloading {jar.coordinate} …")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".jar-", dir=folder) as scratch:
        arrived = download(jar, Path(scratch))
        digest = _sha256(arrived)
        if digest != jar.sha256:
            raise ToolMissing(
                f"{jar.coordinate} is not the file that the lock pins: expected sha256 {jar.sha256}, got {digest}.",
                remedy="Do not use it. Check the repository or proxy that it came from.",
            )
        # A rename is atomic: another run sees the whole jar or none.
        arrived.replace(kept)
    return kept


def download_by_jgo(jar: Jar, scratch: Path) -> Path:
    """Download ``jar`` into ``scratch`` and return its path. Raises ``ToolMissing`` when no repository gives it."""
    settings = GlobalSettings.load()
    context = MavenContext(repo_cache=scratch, timeout=60)
    # Repositories of the user's own jgo settings come first: in a closed network they are the only ones that answer.
    context.remote_repos = {**settings.repositories, **context.remote_repos}
    group, artifact, version = jar.coordinate.split(":")
    logging.getLogger("jgo").setLevel(logging.ERROR)
    try:
        return Path(context.project(group, artifact).at_version(version).artifact().resolve())
    except (RuntimeError, OSError) as error:
        raise ToolMissing(
            f"{jar.coordinate} could not be downloaded ({type(error).__name__}).",
            remedy="Check the network, or name a mirror under [repositories] in ~/.config/jgo.conf.",
        ) from error


def _unknown(kind: str, name: str, known: Mapping[str, tuple[str, ...]]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    return f"No jar is known for the {kind} '{name}'.{guess} Known: {', '.join(sorted(known))}."


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def classpath(jars: Iterable[Path]) -> str:
    """The value of the runtime's ``--jars``."""
    return os.pathsep.join(str(jar) for jar in jars)
