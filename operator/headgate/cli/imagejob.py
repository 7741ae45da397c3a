"""Turns a ModelDeployment into what the builder takes: layers of files, requirements, and a record of the model.

The one place where the API meets ``imagebuild``. Called by ``headgate build``. A model on this machine is read where it
lies; any other is fetched first. What stands in ``job.json`` is ``planning.job``'s to say.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from headgate.api.places import scheme_of
from headgate.api.quantities import parse_bytes
from headgate.api.resources import ModelDeployment
from headgate.imagebuild.layers import BytesContent, Content, FileContent
from headgate.imagebuild.plan import JOB, RUNTIME, Compression, PlannedFile, PlannedLayer
from headgate.imagebuild.records import ModelRecord, public_uri
from headgate.imagebuild.request import LayerInput
from headgate.local.jobfolder import digest_of, find_module, read_goldens, read_labels, read_local_model
from headgate.local.places import find_runtime_source
from headgate.models.reader import read_model
from headgate.models.remote import FetchOptions, fetch_file, fetch_model
from headgate.planning.job import GOLDENS_FILE, MODEL_FOLDER, MODULE_FOLDER, ResolvedModel, render_job

_LABELS_LIMIT = 16 * 1024 * 1024
_GOLDENS_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageJob:
    """Everything of an image that comes from the resource."""

    layers: tuple[LayerInput, ...]
    """Runtime, job, model: in this order on the base."""
    models: tuple[ModelRecord, ...]
    requirements: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    revision: str
    model_repository: str
    """``registry/repository`` that the model came out of; empty for other sources."""


def assemble_job(
    deployment: ModelDeployment,
    base: Path,
    work: Path,
    options: FetchOptions,
    compression: Compression,
    *,
    revision: str = "",
) -> ImageJob:
    """Fetch what ``deployment`` names into ``work`` and lay it out as in the image.

    ``revision``: the name to stamp on records; by default it follows from the content.

    Raises the refusals of ``headgate.models`` and the errors of ``headgate.imagebuild.errors``.
    """
    files, resolved, etag, repository = _model(deployment, base, work, options)
    labels = _labels(deployment, base, work, options)
    module = find_module(deployment, base)
    goldens = _goldens(deployment, base, work, options)
    job = render_job(
        deployment,
        resolved,
        labels,
        module=module.name if module else "",
        goldens=digest_of(goldens) if goldens is not None else "",
        revision=revision,
    )
    text = (json.dumps(job, indent=2, ensure_ascii=False) + "\n").encode()
    own: dict[str, Content] = {f"{JOB}/job.json": BytesContent(text)}
    if module:
        own[f"{JOB}/{MODULE_FOLDER}/{module.name}"] = BytesContent(module.read_bytes())
    if goldens is not None:
        own[f"{JOB}/{GOLDENS_FILE}"] = BytesContent(goldens)
    version = str(job["models"][0]["version"])
    model_layer = _layer("model 0", Compression.NONE, files)
    record = ModelRecord(
        slot=0,
        name=deployment.metadata.name,
        version=version,
        uri=public_uri(deployment.spec.model.uri),
        digest=resolved.digest,
        etag=etag,
        files=model_layer.planned.files,
    )
    return ImageJob(
        layers=(_runtime_layer(compression), _layer("job", compression, own), model_layer),
        models=(record,),
        requirements=deployment.spec.pipeline.python.requirements,
        labels=(
            ("dev.headgate.name", deployment.metadata.name),
            ("dev.headgate.revision", str(job["revision"])),
            ("dev.headgate.model.version", version),
            ("dev.headgate.model.digest", resolved.digest),
        ),
        revision=str(job["revision"]),
        model_repository=repository,
    )


def _model(
    deployment: ModelDeployment, base: Path, work: Path, options: FetchOptions
) -> tuple[dict[str, Content], ResolvedModel, str, str]:
    spec, etag, repository = deployment.spec.model, "", ""
    limit = parse_bytes(spec.size_limit)
    if scheme_of(spec.uri) in ("", "file") and options.allow_files:
        local = read_local_model(deployment, base)
        path, info = local.path, local.info
    else:
        fetched = fetch_model(spec.uri, work / "model", options, limit=limit, sha256=spec.sha256 or "")
        path, etag, repository = fetched.path, fetched.etag, fetched.repository
        info = read_model(path, size_limit=limit)
    contents: dict[str, Content] = {
        f"{JOB}/{MODEL_FOLDER}/{file.name}": FileContent(path.parent / file.name) for file in info.files
    }
    pairs = tuple((file.name, f"sha256:{file.sha256}") for file in info.files)
    return contents, ResolvedModel(info.digest, info.files[0].name, pairs), etag, repository


def _labels(deployment: ModelDeployment, base: Path, work: Path, options: FetchOptions) -> tuple[str, ...]:
    uri = deployment.spec.model.labels
    if not uri or (scheme_of(uri) in ("", "file") and options.allow_files):
        return read_labels(deployment, base)
    saved = fetch_file(uri, work / "labels", options, limit=_LABELS_LIMIT)
    return tuple(saved.path.read_text(encoding="utf-8").splitlines())


def _goldens(deployment: ModelDeployment, base: Path, work: Path, options: FetchOptions) -> bytes | None:
    spec = deployment.spec.model.goldens
    if spec is None or (scheme_of(spec.uri) in ("", "file") and options.allow_files):
        return read_goldens(deployment, base)
    return fetch_file(spec.uri, work / "goldens", options, limit=_GOLDENS_LIMIT).path.read_bytes()


def _runtime_layer(compression: Compression) -> LayerInput:
    package = find_runtime_source().package
    contents: dict[str, Content] = {
        f"{RUNTIME}/{package.name}/{path.relative_to(package).as_posix()}": FileContent(path)
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return _layer("runtime", compression, contents, replaces=(RUNTIME,))


def _layer(
    name: str, compression: Compression, contents: dict[str, Content], replaces: tuple[str, ...] = ()
) -> LayerInput:
    files = []
    for path, content in sorted(contents.items()):
        hasher, size = hashlib.sha256(), 0
        for chunk in content.chunks():
            hasher.update(chunk)
            size += len(chunk)
        files.append(PlannedFile(path, hasher.hexdigest(), size))
    return LayerInput(PlannedLayer(name, compression, tuple(files), replaces), contents)
