"""Writes job folders as Headgate does: ``job.json`` beside the model's files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """The pipeline's three texts and the key."""

    tables: str
    input: str
    output: str
    key: str = "id"


@dataclass(frozen=True, slots=True)
class Setup:
    """What differs from a plain job: fields of the model's and the pipeline's part, settings of Flink, a user module."""

    version: str = "1"
    model: Mapping[str, Any] = field(default_factory=dict)
    on_error: str = "DeadLetter"
    config: Mapping[str, str] = field(default_factory=dict)
    parallelism: int = 1
    checkpoint_ms: int = 1000
    module: Path | None = None
    batch_rows: int = 1024
    delay_ms: int = 50


def sha256(path: Path) -> str:
    """``sha256:<hex>`` of a file."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def contract(model: Path, sql: Sql, setup: Setup) -> dict[str, Any]:
    """The contract of a job whose model lies at ``models/0/<name>``."""
    where = f"models/0/{model.name}"
    return {
        "version": 1,
        "name": "job",
        "namespace": "test",
        "revision": f"job-{setup.version}",
        "models": [
            {
                "slot": 0, "version": setup.version, "digest": sha256(model), "path": where,
                "files": {where: sha256(model)}, "inputs": {}, "constants": {}, "outputs": {}, "labels": [],
                "nan": "Allow", "state": [],
                "execution": {
                    "providers": ["CPUExecutionProvider"], "intraOpThreads": 1,
                    "maxBatchRows": setup.batch_rows, "maxDelayMs": setup.delay_ms,
                },
                "histogram": None,
                **setup.model,
            }
        ],
        "pipeline": {
            "tables": sql.tables, "input": sql.input, "key": sql.key, "output": sql.output, "onError": setup.on_error,
            "module": f"python/{setup.module.name}" if setup.module else "",
        },
        "flink": {
            "parallelism": setup.parallelism, "checkpointIntervalMs": setup.checkpoint_ms, "config": dict(setup.config),
        },
    }  # fmt: skip


def write_job(folder: Path, model: Path, sql: Sql, setup: Setup | None = None) -> Path:
    """Fill ``folder`` with a job of ``model``; gives the path of its ``job.json``."""
    setup = setup or Setup()
    (folder / "models" / "0").mkdir(parents=True)
    shutil.copyfile(model, folder / "models" / "0" / model.name)
    if setup.module is not None:
        (folder / "python").mkdir()
        shutil.copyfile(setup.module, folder / "python" / setup.module.name)
    path = folder / "job.json"
    path.write_text(json.dumps(contract(model, sql, setup), indent=1))
    return path
