"""One local run or explanation from a parsed resource to its end: everything that the runtime needs, then the runtime.

Called by ``headgate run`` and ``headgate explain``. It finds Java, the runtime and the jars, writes the job folder, and
starts the child in the folder of the resource, so that relative paths in table options mean what they say.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from headgate.api.resources import ModelDeployment
from headgate.errors import ToolMissing
from headgate.local.connectors import classpath, fetch_jars, read_lock
from headgate.local.environment import find_environment, without_python_settings
from headgate.local.install import Workshop, requirements_folder
from headgate.local.java import find_java
from headgate.local.jobfolder import JobFolder, write_job_folder
from headgate.local.places import cache_folder, find_runtime_source, state_folder
from headgate.local.runner import Child, Listener, Outcome, failure, run_child
from headgate.local.tables import tables_of

_LOGS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What to run, and how."""

    deployment: ModelDeployment
    base: Path
    """The folder of the resource's file."""
    rows: int | None = None
    watch_ms: int | None = None
    jars: tuple[Path, ...] = ()
    """Jars that the user brings."""
    keep: Path | None = None
    """Keep the job folder here."""
    savepoint_dir: Path | None = None
    from_savepoint: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything is there; only the start is missing."""

    child: Child
    job: JobFolder
    requested: Request


@contextlib.contextmanager
def prepare(verb: str, request: Request, environ: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[Prepared]:
    """A child ready to be started with ``verb`` (``run`` or ``explain``); its job folder lasts as long as the context.

    Raises any ``HeadgateError`` whose cause can be known before the start: a refused model, no Java, an unknown connector.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-job-") as scratch:
        folder = request.keep.absolute() if request.keep else Path(scratch)
        # The cheap checks come first: a wrong model is told before anything is downloaded.
        job = write_job_folder(request.deployment, request.base, folder)
        source = find_runtime_source()
        own = tuple(_own_jar(jar) for jar in request.jars)
        needed = read_lock(source.connectors).needed(
            (dict(table.options) for table in tables_of(request.deployment.spec.pipeline.tables)), own_jars=bool(own)
        )
        workshop = Workshop(source, environ, tell)
        environment = find_environment(workshop)
        java = find_java(environ, environment.bundled_java)
        for reason in java.passed_over:
            tell(f"Not used: {reason}")
        jars = (*fetch_jars(needed, cache_folder(environ), tell), *own)
        command = [str(environment.python), "-m", "headgate_runtime", verb, "--job", str(job.job), "--local"]
        command += ["--jars", classpath(jars)] if jars else []
        command += _options(request) if verb == "run" else []
        requirements = request.deployment.spec.pipeline.python.requirements
        extra = requirements_folder(requirements, environment.python, workshop) if requirements else None
        variables = without_python_settings(environ) | {
            "JAVA_HOME": str(java.home),
            "PATH": os.pathsep.join((str(java.home / "bin"), environ.get("PATH", os.defpath))),
        }
        if extra is not None:
            variables["PYTHONPATH"] = str(extra)
        log = _log_file(state_folder(environ) / "logs", request.deployment.metadata.name)
        yield Prepared(Child(command, variables, request.base.absolute(), log), job, request)


def converse(prepared: Prepared, listener: Listener) -> Outcome:
    """Start the child and see it through. Raises ``RunFailed`` when it does not end well."""
    outcome = run_child(prepared.child, listener)
    if (error := failure(outcome, prepared.child.log)) is not None:
        raise error
    return outcome


def _options(request: Request) -> list[str]:
    options: list[str] = []
    if request.rows is not None:
        options += ["--rows", str(request.rows)]
    if request.watch_ms is not None:
        options += ["--watch", str(request.watch_ms)]
    if request.savepoint_dir is not None:
        options += ["--savepoint-dir", str(request.savepoint_dir.absolute())]
    if request.from_savepoint is not None:
        options += ["--from-savepoint", request.from_savepoint]
    return options


def _own_jar(path: Path) -> Path:
    if not path.is_file():
        raise ToolMissing(f"--jar {path}: there is no such file.")
    return path.absolute()


def _log_file(folder: Path, name: str) -> Path:
    """A new log file; the oldest ones go."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for old in logs[: max(0, len(logs) - _LOGS_KEPT + 1)]:
        old.unlink(missing_ok=True)
    return folder / f"{name}-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
