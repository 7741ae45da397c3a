"""Writes a job folder on this machine: ``job.json``, the model's files, the user's module.

Called by ``headgate.local.session``, for models whose address is local. What stands in ``job.json`` is
``headgate.planning.job``'s to say; here are only the files. A model file is linked where the disk allows it, and is never
changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from headgate.api.quantities import parse_bytes
from headgate.api.resources import ModelDeployment
from headgate.errors import HeadgateError, InvalidResource, ModelRefused
from headgate.models.check import check_deployment
from headgate.models.local import resolve_local
from headgate.models.reader import read_model
from headgate.models.signature import ModelInfo
from headgate.planning.job import GOLDENS_FILE, MODEL_FOLDER, MODULE_FOLDER, ResolvedModel, render_job


class DigestMismatch(ModelRefused):
    """The model is not the one that ``spec.model.sha256`` pins."""

    reason = "DigestMismatch"


class FileMissing(HeadgateError):
    """A file that the resource names beside the model is not there."""

    reason = "FileMissing"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this machine, read and checked against its pin."""

    path: Path
    info: ModelInfo


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A folder that the runtime can run."""

    path: Path
    revision: str
    version: str
    """The label stamped on records."""
    digest: str

    @property
    def job(self) -> Path:
        """The ``job.json`` inside."""
        return self.path / "job.json"


def read_local_model(deployment: ModelDeployment, base: Path) -> LocalModel:
    """The model of ``deployment``; relative addresses count from ``base``.

    Raises a ``ModelRefused`` for a model that is elsewhere, cannot be served, or has another digest than the pin.
    """
    spec = deployment.spec.model
    path = resolve_local(spec.uri, base)
    info = read_model(path, size_limit=parse_bytes(spec.size_limit))
    pinned = f"sha256:{spec.sha256.removeprefix('sha256:')}" if spec.sha256 else info.digest
    if pinned != info.digest:
        raise DigestMismatch(
            f"{path} is not the model that spec.model.sha256 pins: expected {pinned}, got {info.digest}.",
            remedy="Fetch the right file, or set spec.model.sha256 to the new digest if the change is meant.",
        )
    return LocalModel(path, info)


def read_labels(deployment: ModelDeployment, base: Path) -> tuple[str, ...]:
    """The lines of ``spec.model.labels``; none where the resource names no file. Raises ``FileMissing``."""
    uri = deployment.spec.model.labels
    if not uri:
        return ()
    path = resolve_local(uri, base)
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise FileMissing(f"spec.model.labels: {path} cannot be read as UTF-8 text: {error}.") from error


def read_goldens(deployment: ModelDeployment, base: Path) -> bytes | None:
    """The file of ``spec.model.goldens``; None where the resource names none. Raises ``FileMissing``."""
    spec = deployment.spec.model.goldens
    if spec is None:
        return None
    path = resolve_local(spec.uri, base)
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileMissing(f"spec.model.goldens.uri: {path} cannot be read: {error.strerror}.") from error


def digest_of(data: bytes) -> str:
    """``sha256:<hex>`` of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def write_job_folder(deployment: ModelDeployment, base: Path, folder: Path) -> JobFolder:
    """Fill ``folder`` (made if need be; what it holds of an earlier job is replaced) for ``deployment``.

    Raises ``ModelRefused``, ``FileMissing``, or ``InvalidResource`` with everything in which the resource does not fit the
    model; nothing is written before all that is known.
    """
    model = read_local_model(deployment, base)
    if problems := check_deployment(deployment, model.info):
        raise InvalidResource(problems, name=deployment.metadata.name)
    labels = read_labels(deployment, base)
    module = find_module(deployment, base)
    resolved = ResolvedModel(
        digest=model.info.digest,
        file_name=model.info.files[0].name,
        files=tuple((file.name, f"sha256:{file.sha256}") for file in model.info.files),
    )
    goldens = read_goldens(deployment, base)
    job = render_job(
        deployment,
        resolved,
        labels,
        module=module.name if module else "",
        goldens=digest_of(goldens) if goldens is not None else "",
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name in (MODEL_FOLDER, MODULE_FOLDER, Path(GOLDENS_FILE).parent):
        shutil.rmtree(folder / name, ignore_errors=True)
    for file in model.info.files:
        _link(model.path.parent / file.name, folder / MODEL_FOLDER / file.name)
    if module is not None:
        (folder / MODULE_FOLDER).mkdir(parents=True)
        shutil.copyfile(module, folder / MODULE_FOLDER / module.name)
    if goldens is not None:
        (folder / GOLDENS_FILE).parent.mkdir(parents=True)
        (folder / GOLDENS_FILE).write_bytes(goldens)
    (folder / "job.json").write_text(json.dumps(job, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return JobFolder(folder, str(job["revision"]), str(job["models"][0]["version"]), model.info.digest)


def find_module(deployment: ModelDeployment, base: Path) -> Path | None:
    """The user module that the resource names, or None. Raises ``FileMissing``."""
    name = deployment.spec.pipeline.python.module
    if not name:
        return None
    path = base / name
    if not path.is_file():
        raise FileMissing(
            f"spec.pipeline.python.module names {name}, and {path} is not there.",
            remedy="The path counts from the folder of the resource's file.",
        )
    return path


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        # A link to a symbolic link would break when the folder moves.
        os.link(source.resolve(), target)
        return
    shutil.copyfile(source, target)
