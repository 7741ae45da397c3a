"""One model with rows and the answers that plain onnxruntime gives: how it is kept in a folder, and how it is read back.

``make.py`` writes cases with scikit-learn at hand; the runtime's parity test reads them in an environment without it. So
this module needs numpy alone. A case's folder holds ``model.onnx`` (and its external data), ``case.json``, ``rows.json``
(one JSON object a line, the columns of ``pipeline.input``), ``feed.npz`` and ``expected.npz``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

KEY = "id"
"""The key column of every case."""


@dataclass(frozen=True, slots=True)
class StateTensor:
    """``model.state`` of the resource."""

    input: str
    output: str
    shape: tuple[int, ...]
    init: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelCase:
    """A model and what it must answer. Arrays have one entry a row, in the order of the rows."""

    name: str
    folder: Path
    columns: tuple[tuple[str, str], ...]
    """Name and SQL type of each column of ``input``, the key first."""
    outputs: tuple[tuple[str, str], ...]
    """Column of ``scored`` and the expression that yields it."""
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """``model.inputs`` of the resource."""
    constants: tuple[tuple[str, Any], ...] = ()
    """``model.constants`` of the resource."""
    state: tuple[StateTensor, ...] = ()
    """``model.state`` of the resource; keys come several times among the rows then."""
    rows: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """The rows as JSON values; BYTES are base64."""
    feed: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """The tensors of all rows, [n, ...] by model input, constants and state left out."""
    expected: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    """What onnxruntime gave, [n, ...] by model output, ``state`` outputs left out."""

    @property
    def path(self) -> Path:
        """The model's file."""
        return self.folder / "model.onnx"

    def ddl(self, table: str, options: Mapping[str, str]) -> str:
        """``CREATE TABLE`` for the rows."""
        columns = ", ".join(f"`{name}` {kind}" for name, kind in self.columns)
        listed = ", ".join(f"'{name}' = '{value}'" for name, value in options.items())
        return f"CREATE TABLE {table} ({columns}) WITH ({listed})"


def save(case: ModelCase) -> None:
    """Write everything but the model, which is there already."""
    told = asdict(case)
    for absent in ("folder", "rows", "feed", "expected"):
        del told[absent]
    (case.folder / "case.json").write_text(json.dumps(told, indent=2) + "\n")
    (case.folder / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in case.rows))
    for name, arrays in (("feed", case.feed), ("expected", case.expected)):
        # Text as fixed-width unicode: an array of objects would need pickle.
        np.savez(case.folder / name, **{k: v.astype(str) if v.dtype == object else v for k, v in arrays.items()})


def load(folder: Path) -> ModelCase:
    """Read a case back; text arrays are arrays of ``str`` objects, as onnxruntime takes them."""
    told = json.loads((folder / "case.json").read_text())
    return ModelCase(
        name=told["name"],
        folder=folder,
        columns=tuple((name, kind) for name, kind in told["columns"]),
        outputs=tuple((name, expression) for name, expression in told["outputs"]),
        inputs=tuple((name, tuple(columns)) for name, columns in told["inputs"]),
        constants=tuple((name, value) for name, value in told["constants"]),
        state=tuple(StateTensor(**{**tensor, "shape": tuple(tensor["shape"])}) for tensor in told["state"]),
        rows=tuple(json.loads(line) for line in (folder / "rows.json").read_text().splitlines()),
        feed=_arrays(folder / "feed.npz"),
        expected=_arrays(folder / "expected.npz"),
    )


def load_all(folder: Path) -> tuple[ModelCase, ...]:
    """Every case below ``folder``, by name."""
    return tuple(load(path.parent) for path in sorted(folder.glob("*/case.json")))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as stored:
        return {
            name: stored[name].astype(object) if stored[name].dtype.kind == "U" else stored[name] for name in stored
        }


def json_value(value: Any) -> Any:
    """A numpy value as what stands in ``rows.json``: exact for every dtype, bytes as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
