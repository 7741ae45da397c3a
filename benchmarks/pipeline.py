"""The pipeline that throughput and start-up are measured on: twelve random features, a small model, a sink that drops all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import helper

from embedded.jobs import Setup, Sql, write_job
from embedded.models import FLOAT, save

FEATURES = tuple(f"f{at}" for at in range(12))
COLUMNS = ", ".join(["id BIGINT", *(f"{name} FLOAT" for name in FEATURES)])
NAMES = ", ".join(FEATURES)
_UNLIMITED = 1_000_000_000


def mlp(path: Path) -> Path:
    """``score [N, 1]`` of ``x [N, 12]``: dense layers 12-6-6-1 with relu, relu and sigmoid; the same weights every time."""
    random = np.random.default_rng(0)
    nodes, weights, last = [], {}, "x"
    for number, (size, activation) in enumerate(
        zip([(12, 6), (6, 6), (6, 1)], ["Relu", "Relu", "Sigmoid"], strict=True)
    ):
        weights[f"w{number}"] = random.normal(size=size).astype(np.float32)
        out = "score" if number == 2 else f"b{number}"
        nodes.append(helper.make_node("MatMul", [last, f"w{number}"], [f"a{number}"]))
        nodes.append(helper.make_node(activation, [f"a{number}"], [out]))
        last = out
    return save(path, nodes, {"x": (FLOAT, ["N", 12])}, {"score": (FLOAT, ["N", 1])}, weights)


def source(rows: int, *, sequence: bool = False) -> str:
    """CREATE TABLE of ``rows`` random records. ``sequence``: ids 1 to ``rows`` (Flink keeps them in state: small sizes only)."""
    options = {"connector": "datagen", "number-of-rows": str(rows), "rows-per-second": str(_UNLIMITED)}
    for name in FEATURES:
        # Left alone, datagen draws up to the greatest float, and the model's answers are NaN.
        options |= {f"fields.{name}.min": "-1", f"fields.{name}.max": "1"}
    if sequence:
        options |= {"fields.id.kind": "sequence", "fields.id.start": "1", "fields.id.end": str(rows)}
    return f"CREATE TABLE records ({COLUMNS}) WITH ({with_clause(options)})"


def with_clause(options: Mapping[str, str]) -> str:
    """The inside of a ``WITH (...)``."""
    return ", ".join(f"'{key}' = '{value}'" for key, value in options.items())


def headgate_job(folder: Path, rows: int, setup: Setup) -> Path:
    """A job folder that scores ``rows`` records and drops the answers."""
    sql = Sql(
        tables=f"{source(rows)};\nCREATE TABLE answers (id BIGINT, score FLOAT, v STRING) WITH ('connector' = 'blackhole')",
        input=f"SELECT id, {NAMES} FROM records",
        output="INSERT INTO answers SELECT id, score, model_version FROM scored",
    )
    return write_job(folder, mlp(folder.parent / "mlp.onnx"), sql, setup)
