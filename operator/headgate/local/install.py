"""Installs what a run needs beside Headgate itself: the runtime's environment, and a pipeline's own requirements.

Called by ``headgate.local.environment`` and ``headgate.local.session``. Everything is made by uv in a temporary folder
and renamed, under a file lock: a broken build is never taken for a good one, and two runs at once build once. Nothing
here downloads a Python.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uv

from headgate.errors import ToolMissing
from headgate.local.places import RuntimeSource, cache_folder

_LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every installation wants to know. ``tell`` gets a line about what takes long."""

    source: RuntimeSource
    environ: Mapping[str, str]
    tell: Callable[[str], None]
    uv: str = field(default_factory=uv.find_uv_bin)
    """The program that installs."""


def install_runtime(home: Path, python: Path, workshop: Workshop) -> None:
    """Make ``home`` a virtual environment of ``python`` with the runtime and all that its lock pins, if it is not there.

    Raises ``ToolMissing`` with uv's last lines when that fails.
    """
    source = workshop.source
    with _made_once(home, workshop) as scratch:
        if scratch is None:
            return
        workshop.tell(f"Making the runtime environment once, in {home} (PyFlink and onnxruntime, about 1 GB on disk) …")
        venv = scratch / "venv"
        inside = str(venv / "bin" / "python")
        log = home.parent / f"{home.name}.log"
        failing = "The runtime environment could not be made"
        make = ["venv", "--no-python-downloads", "--no-project", "--relocatable", "--python", str(python), str(venv)]
        install = [
            "pip",
            "install",
            "--compile-bytecode",
            "--python",
            inside,
            "--require-hashes",
            "-r",
            str(source.lock),
        ]
        for command in (make, install):
            _uv(command, workshop, log, failing)
        (packages,) = venv.glob("lib/python3.*/site-packages")
        shutil.copytree(source.package, packages / source.package.name, ignore=shutil.ignore_patterns("__pycache__"))
        venv.rename(home)
        workshop.tell("The runtime environment is ready.")


def requirements_folder(requirements: Sequence[str], python: Path, workshop: Workshop) -> Path:
    """A folder with the packages of ``spec.pipeline.python.requirements``, to be put on the path of ``python``.

    What the runtime's lock pins stays at the version of the lock, as in an image. Raises ``ToolMissing`` when the
    requirements cannot be met.
    """
    lock = workshop.source.lock
    key = hashlib.sha256(json.dumps([*requirements, str(python)]).encode())
    key.update(lock.read_bytes())
    home = cache_folder(workshop.environ) / "requirements" / key.hexdigest()[:16]
    with _made_once(home, workshop) as scratch:
        if scratch is not None:
            workshop.tell(f"Installing {', '.join(requirements)} for the pipeline, once …")
            target = scratch / "packages"
            install = ["pip", "install", "--compile-bytecode", "--python", str(python), "--target", str(target)]
            install += ["--only-binary", ":all:", "--constraints", str(lock), "--", *requirements]
            log = home.parent / f"{home.name}.log"
            _uv(install, workshop, log, "spec.pipeline.python.requirements cannot be installed")
            target.rename(home)
    return home


@contextmanager
def _made_once(home: Path, workshop: Workshop) -> Iterator[Path | None]:
    """A scratch folder beside ``home`` to make it in, or None where it is there already, or was made meanwhile."""
    if home.exists():
        yield None
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    # The kernel lets go of the lock even when this process is killed.
    with (home.parent / f"{home.name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            workshop.tell(f"Waiting for another run that makes {home} …")
            fcntl.flock(handle, fcntl.LOCK_EX)
        if home.exists():
            yield None
            return
        (home.parent / f"{home.name}.log").unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{home.name}-", dir=home.parent) as scratch:
            yield Path(scratch)


def _uv(arguments: list[str], workshop: Workshop, log: Path, failing: str) -> None:
    with log.open("ab") as sink:
        done = subprocess.run(
            [workshop.uv, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            check=False,
            env={**workshop.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"},
        )
    if done.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        raise ToolMissing(
            f"{failing}: uv {arguments[0]} ended with status {done.returncode}. Its last lines:\n{last}\n",
            remedy="Check what is asked for and that a package index can be reached, then run the command again.",
        )
