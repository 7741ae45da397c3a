"""``job.json``, version 1: the one thing that passes from Headgate to this runtime.

Parsed once, at the start; a version that this runtime does not know is refused rather than guessed at. Paths inside are
relative to the folder that holds the file, and never leave it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from headgate_runtime.errors import ContractRefused

KNOWN_VERSIONS = (1,)


@dataclass(frozen=True, slots=True)
class StateTensor:
    """One recurrent tensor: model input and output names, the shape for one key, and its first value."""

    input: str
    output: str
    shape: tuple[int, ...]
    init: float


@dataclass(frozen=True, slots=True)
class Execution:
    """How onnxruntime runs the model; ``max_delay_ms`` bounds how long a record waits for its batch."""

    providers: tuple[str, ...]
    intra_op_threads: int
    max_batch_rows: int
    max_delay_ms: int


@dataclass(frozen=True, slots=True)
class ModelJob:
    """One model of the job, with its feeding and reading rules."""

    slot: int
    version: str
    digest: str
    path: Path
    files: tuple[tuple[Path, str], ...]
    inputs: tuple[tuple[str, tuple[str, ...]], ...]
    constants: tuple[tuple[str, Any], ...]
    outputs: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    nan_is_dead_letter: bool
    state: tuple[StateTensor, ...]
    execution: Execution
    histogram: str | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The SQL around the model step."""

    tables: str
    input: str
    key: str
    output: str
    fail_on_error: bool
    module: Path | None


@dataclass(frozen=True, slots=True)
class Job:
    """A parsed ``job.json``; ``folder`` is where it lies."""

    folder: Path
    name: str
    namespace: str
    revision: str
    models: tuple[ModelJob, ...]
    pipeline: Pipeline
    parallelism: int
    checkpoint_interval_ms: int
    config: tuple[tuple[str, str], ...]

    @property
    def model(self) -> ModelJob:
        """The serving model (slot 0)."""
        return self.models[0]


def read_job(path: Path) -> Job:
    """Read and check ``job.json``; raises :class:`ContractRefused` naming the field that is wrong."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractRefused(f"cannot read the job contract {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ContractRefused(f"{path} is not JSON: {error}.") from error
    version = raw.get("version") if isinstance(raw, dict) else None
    if version not in KNOWN_VERSIONS:
        known = ", ".join(map(str, KNOWN_VERSIONS))
        raise ContractRefused(
            f"{path} has contract version {version!r}; this runtime knows {known}. "
            "Build the image with the runtime that belongs to this Headgate."
        )
    folder = path.parent.resolve()
    try:
        return _job(raw, folder)
    except (KeyError, TypeError, ValueError) as error:
        raise ContractRefused(f"{path} is not a version {version} contract: {_explain(error)}.") from error


def _explain(error: Exception) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"path {name!r} leaves the job folder")
    return folder / pure


def _job(raw: dict[str, Any], folder: Path) -> Job:
    pipeline, flink = raw["pipeline"], raw["flink"]
    models = tuple(_model(m, folder) for m in raw["models"])
    if not models:
        raise ValueError("models is empty")
    return Job(
        folder=folder,
        name=raw["name"],
        namespace=raw["namespace"],
        revision=raw["revision"],
        models=models,
        pipeline=Pipeline(
            tables=pipeline["tables"],
            input=pipeline["input"],
            key=pipeline["key"],
            output=pipeline["output"],
            fail_on_error={"DeadLetter": False, "Fail": True}[pipeline["onError"]],
            module=_inside(folder, pipeline["module"]) if pipeline.get("module") else None,
        ),
        parallelism=int(flink["parallelism"]),
        checkpoint_interval_ms=int(flink["checkpointIntervalMs"]),
        config=tuple(sorted((str(k), str(v)) for k, v in flink["config"].items())),
    )


def _model(raw: dict[str, Any], folder: Path) -> ModelJob:
    execution = raw["execution"]
    return ModelJob(
        slot=int(raw["slot"]),
        version=raw["version"],
        digest=raw["digest"],
        path=_inside(folder, raw["path"]),
        files=tuple((_inside(folder, name), digest) for name, digest in sorted(raw["files"].items())),
        inputs=tuple((name, tuple(columns)) for name, columns in raw["inputs"].items()),
        constants=tuple(raw["constants"].items()),
        outputs=tuple(raw["outputs"].items()),
        labels=tuple(raw["labels"]),
        nan_is_dead_letter={"Allow": False, "DeadLetter": True}[raw["nan"]],
        state=tuple(
            StateTensor(input=s["input"], output=s["output"], shape=tuple(s["shape"]), init=float(s["init"]))
            for s in raw["state"]
        ),
        execution=Execution(
            providers=tuple(execution["providers"]),
            intra_op_threads=int(execution["intraOpThreads"]),
            max_batch_rows=int(execution["maxBatchRows"]),
            max_delay_ms=int(execution["maxDelayMs"]),
        ),
        histogram=raw.get("histogram"),
    )
