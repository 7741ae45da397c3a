"""Makes the Go programs of the lab, once for each recipe, into the cache outside the tree.

A recipe is what versions.toml, go.mod, go.sum and our own main.go say; its hash names the folder of the result, so a
change of any of them builds anew and an old result is never mistaken for a new one. Called by ``python -m lab build``
and, to look results up without building, by the parts.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab.errors import BuildError
from lab.gotool import find_go
from lab.places import LAB_FOLDER, cache_folder
from lab.store import publish
from lab.versions import Binary, read_versions

Say = Callable[[str], None]


def binary_path(name: str) -> Path:
    """Where the program lies; BuildError with the command that makes it, if it is not built."""
    path = _target(read_versions().binary(name)) / name
    if not path.is_file():
        raise BuildError(
            f"{name} is not built yet; run: make lab-build (or: PYTHONPATH=tests python -m lab build {name})"
        )
    return path


def build_binary(name: str, say: Say) -> Path:
    """The program, built if the cache lacks it. Needs the Go module proxy the first time; may take minutes."""
    binary = read_versions().binary(name)
    return publish(_target(binary), lambda folder: _compile(binary, folder / name, say)) / name


def _target(binary: Binary) -> Path:
    return cache_folder() / "bin" / binary.name / f"{binary.version}-{recipe_hash(binary)}"


def recipe_hash(binary: Binary) -> str:
    """12 hex digits over all that decides the program, the machine's architecture included."""
    folder = LAB_FOLDER / "go" / binary.folder
    parts = [repr((binary, _ENVIRONMENT, platform.machine())).encode()]
    parts += [path.read_bytes() for path in sorted(folder.iterdir())]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false", "GOTOOLCHAIN": "local"}


def _compile(binary: Binary, output: Path, say: Say) -> None:
    go = find_go(say)
    say(f"building {binary.name} {binary.version}")
    started = time.monotonic()
    command = ["nice", "-n", "10", str(go), "build", "-p", str(min(2, os.cpu_count() or 1)),
               "-ldflags", " ".join(("-s", "-w", *binary.ldflags)), "-o", str(output)]  # fmt: skip
    if binary.tags:
        command += ["-tags", ",".join(binary.tags)]
    done = subprocess.run(
        [*command, binary.package], cwd=LAB_FOLDER / "go" / binary.folder, env=os.environ | _ENVIRONMENT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BuildError(f"{binary.name} {binary.version} does not build:\n{done.stderr.strip()[-2000:]}")
    say(f"built {binary.name} in {time.monotonic() - started:.0f} s")
