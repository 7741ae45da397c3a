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
from headgate_runtime.fields import Fields

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
class Goldens:
    """A file of JSON lines, rows with the answers that they must give, by its digest; ``tolerance`` is absolute."""

    path: Path
    digest: str
    tolerance: float


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
    goldens: Goldens | None = None


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
    if type(version) is not int or version not in KNOWN_VERSIONS:
        known = ", ".join(map(str, KNOWN_VERSIONS))
        raise ContractRefused(
            f"{path} has contract version {version!r}; this runtime knows {known}. "
            "Build the image with the runtime that belongs to this Headgate."
        )
    folder = path.parent.resolve()
    try:
        return _job(Fields(raw), folder)
    except ValueError as error:
        raise ContractRefused(f"{path} is not a version {version} contract: {error}.") from error


def _inside(folder: Path, name: str, where: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ValueError(f"{where}: path {name!r} leaves the job folder")
    return folder / pure


def _job(raw: Fields, folder: Path) -> Job:
    pipeline, flink = raw.fields("pipeline"), raw.fields("flink")
    models = tuple(_model(m, folder) for m in raw.objects("models"))
    if not models:
        raise ValueError("models is empty")
    return Job(
        folder=folder,
        name=raw.text("name"),
        namespace=raw.text("namespace"),
        revision=raw.text("revision"),
        models=models,
        pipeline=Pipeline(
            tables=pipeline.text("tables"),
            input=pipeline.text("input"),
            key=pipeline.text("key"),
            output=pipeline.text("output"),
            fail_on_error=pipeline.choice("onError", {"DeadLetter": False, "Fail": True}),
            module=_inside(folder, module, "pipeline.module") if (module := pipeline.text("module")) else None,
        ),
        parallelism=flink.whole("parallelism", least=1),
        checkpoint_interval_ms=flink.whole("checkpointIntervalMs", least=1),
        config=tuple(sorted((k, str(v)) for k, v in flink.mapping("config").items())),
    )


def _model(raw: Fields, folder: Path) -> ModelJob:
    execution = raw.fields("execution")
    inputs = Fields(raw.mapping("inputs"), f"{raw.where}inputs.")
    outputs = Fields(raw.mapping("outputs"), f"{raw.where}outputs.")
    files = Fields(raw.mapping("files"), f"{raw.where}files.")
    return ModelJob(
        slot=raw.whole("slot"),
        version=raw.text("version"),
        digest=raw.text("digest"),
        path=_inside(folder, raw.text("path"), f"{raw.where}path"),
        files=tuple((_inside(folder, n, f"{raw.where}files"), files.text(n)) for n in sorted(files.raw)),
        inputs=tuple((name, inputs.texts(name)) for name in inputs.raw),
        constants=tuple(raw.mapping("constants").items()),
        outputs=tuple((name, outputs.text(name)) for name in outputs.raw),
        labels=raw.texts("labels"),
        nan_is_dead_letter=raw.choice("nan", {"Allow": False, "DeadLetter": True}),
        state=tuple(
            StateTensor(s.text("input"), s.text("output"), s.wholes("shape"), s.number("init"))
            for s in raw.objects("state")
        ),
        execution=Execution(
            providers=execution.texts("providers"),
            intra_op_threads=execution.whole("intraOpThreads", least=1),
            max_batch_rows=execution.whole("maxBatchRows", least=1),
            max_delay_ms=execution.whole("maxDelayMs"),
        ),
        histogram=raw.text("histogram") if raw.raw.get("histogram") is not None else None,
        # A job from before there were goldens has no such field.
        goldens=_goldens(raw.fields("goldens"), folder) if raw.raw.get("goldens") is not None else None,
    )


def _goldens(raw: Fields, folder: Path) -> Goldens:
    path = _inside(folder, raw.text("path"), f"{raw.where}path")
    return Goldens(path, raw.text("digest"), raw.number("tolerance", least=0))
