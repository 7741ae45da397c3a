"""Renders ``job.json``, version 1: the one thing that passes from Headgate to the runtime inside Flink.

Pure: the model's digest and files come in as values, nothing is read. The revision's name is derived from everything that
shapes answers, so the same template and the same model give the same revision on every machine.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from headgate.api.model import ModelSpec
from headgate.api.quantities import parse_duration
from headgate.api.resources import ModelDeployment

JOB_VERSION = 1
MODEL_FOLDER = "models/0"
MODULE_FOLDER = "python"
GOLDENS_FILE = "goldens/0.jsonl"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model artifact that was read: its digest, the .onnx file's name, and every file with its sha256.

    ``files``: pairs of a name relative to the artifact's folder and ``sha256:<hex>``; the .onnx file is among them.
    """

    digest: str
    file_name: str
    files: tuple[tuple[str, str], ...]


def render_job(
    deployment: ModelDeployment,
    model: ResolvedModel,
    labels: tuple[str, ...],
    *,
    module: str = "",
    goldens: str = "",
    revision: str = "",
) -> dict[str, Any]:
    """The contract for ``deployment`` with ``model`` in slot 0; ``module``: the user module's file name in ``python/``.

    ``goldens``: the digest (``sha256:<hex>``) of the file at :data:`GOLDENS_FILE`, where the resource names one.
    ``revision``: the name to stamp, where somebody else has given the revision one; else it follows from the content.
    """
    spec = deployment.spec
    content = {
        "version": JOB_VERSION,
        "name": deployment.metadata.name,
        "namespace": deployment.metadata.namespace,
        "models": [_model(spec.model, model, labels, goldens)],
        "pipeline": {
            "tables": spec.pipeline.tables,
            "input": spec.pipeline.input,
            "key": spec.pipeline.key,
            "output": spec.pipeline.output,
            "onError": spec.pipeline.on_error.value,
            "module": f"{MODULE_FOLDER}/{module}" if module else "",
        },
        "flink": {
            "parallelism": spec.flink.parallelism,
            "checkpointIntervalMs": parse_duration(spec.flink.checkpoint_interval),
            "config": dict(sorted(spec.flink.config.items())),
        },
    }
    return content | {"revision": revision or revision_name(deployment, content)}


def revision_name(deployment: ModelDeployment, content: dict[str, Any]) -> str:
    """``<name>-<10 hex digits>`` over the model, the pipeline and the dependencies; scaling and settings of Flink leave it."""
    shaping = {
        "models": content["models"],
        "pipeline": content["pipeline"],
        "requirements": list(deployment.spec.pipeline.python.requirements),
        "base": deployment.spec.image.base,
    }
    digest = hashlib.sha256(canonical_json(shaping).encode()).hexdigest()
    return f"{deployment.metadata.name}-{digest[:10]}"


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that digests are made of: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def model_version(spec: ModelSpec, digest: str) -> str:
    """The label stamped on records: the resource's, or the first 12 hex digits of the digest."""
    return spec.version or digest.removeprefix("sha256:")[:12]


def _model(spec: ModelSpec, model: ResolvedModel, labels: tuple[str, ...], goldens: str) -> dict[str, Any]:
    execution = spec.execution
    return {
        "slot": 0,
        "version": model_version(spec, model.digest),
        "digest": model.digest,
        "path": f"{MODEL_FOLDER}/{model.file_name}",
        "files": {f"{MODEL_FOLDER}/{name}": digest for name, digest in sorted(model.files)},
        "inputs": {name: list(columns) for name, columns in spec.inputs.items()},
        "constants": dict(spec.constants),
        "outputs": dict(spec.outputs),
        "labels": list(labels),
        "nan": spec.nan.value,
        "state": [{"input": s.input, "output": s.output, "shape": list(s.shape), "init": s.init} for s in spec.state],
        "execution": {
            "providers": list(execution.providers),
            "intraOpThreads": execution.intra_op_threads,
            "maxBatchRows": execution.max_batch_rows,
            "maxDelayMs": parse_duration(execution.max_delay),
        },
        "histogram": spec.histogram,
        "goldens": {"path": GOLDENS_FILE, "digest": goldens, "tolerance": spec.goldens.tolerance}
        if spec.goldens is not None and goldens
        else None,
    }
