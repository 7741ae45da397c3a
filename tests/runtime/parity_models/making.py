"""What a maker gives, and how it becomes a case: onnxruntime answers for all rows, at one go or row by row with state.

Used by ``make.py``, ``sklearn_models`` and ``network_models``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from parity_case import KEY, ModelCase, StateTensor, json_value

ROWS = 203
"""The most rows of a case: no multiple of a batch size that a model may fix."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A model's columns, rows and tensors, before anything has answered. The key is added later."""

    columns: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    rows: tuple[Mapping[str, Any], ...]
    feed: Mapping[str, np.ndarray]
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    state: tuple[StateTensor, ...] = ()
    keys: tuple[int, ...] = ()
    """The key of each row; by default each row has its own."""
    fixed_batch: int = 0
    """The model's batch dimension where it is fixed, else 0."""


def scalar_columns(data: np.ndarray, kind: str) -> tuple[tuple[tuple[str, str], ...], tuple[Mapping[str, Any], ...]]:
    """Columns ``c0``, ``c1`` … of one SQL type and the rows of ``data`` [n, columns]."""
    names = [f"c{at}" for at in range(data.shape[1])]
    return tuple((name, kind) for name in names), tuple(dict(zip(names, row, strict=True)) for row in data)


def finish(name: str, folder: Path, draft: Draft) -> ModelCase:
    """The case of ``draft``: at most ``ROWS`` rows, with keys and with what onnxruntime answers."""
    count = min(len(draft.rows), ROWS)
    keys = draft.keys[:count] or tuple(range(count))
    feed = {tensor: values[:count] for tensor, values in draft.feed.items()}
    rows = tuple(
        {KEY: key} | {column: json_value(value) for column, value in row.items()}
        for key, row in zip(keys, draft.rows, strict=False)
    )
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    dtypes = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
    constants = {
        given.name: np.array(draft.constants[given.name], dtype=dtypes[given.type])
        for given in session.get_inputs()
        if given.name in draft.constants
    }
    if draft.state:
        expected = _row_by_row(session, feed, keys, draft.state, constants)
    else:
        expected = _at_once(session, feed, draft.fixed_batch, constants)
    return ModelCase(
        name=name,
        folder=folder,
        columns=((KEY, "BIGINT"), *draft.columns),
        outputs=draft.outputs,
        inputs=tuple(draft.inputs.items()),
        constants=tuple(draft.constants.items()),
        state=draft.state,
        rows=rows,
        feed=feed,
        expected=expected,
    )


def _at_once(
    session: onnxruntime.InferenceSession,
    feed: Mapping[str, np.ndarray],
    fixed: int,
    constants: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """All rows in one call, or in calls of ``fixed`` rows with the last one padded by zeros."""
    names = [output.name for output in session.get_outputs()]
    count = len(next(iter(feed.values())))
    step = fixed or count
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for first in range(0, count, step):
        batch = {name: values[first : first + step] for name, values in feed.items()}
        missing = step - len(next(iter(batch.values())))
        padded = {name: np.concatenate([v, np.zeros((missing, *v.shape[1:]), v.dtype)]) for name, v in batch.items()}
        answers = session.run(names, {**(padded if missing else batch), **constants})
        for name, answer in zip(names, answers, strict=True):
            parts[name].append(answer[: step - missing])
    return {name: np.concatenate(answers) for name, answers in parts.items()}


def _row_by_row(
    session: onnxruntime.InferenceSession,
    feed: Mapping[str, np.ndarray],
    keys: tuple[int, ...],
    state: tuple[StateTensor, ...],
    constants: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Each row by itself, with the state that its key's rows before it left."""
    names = [output.name for output in session.get_outputs()]
    start = {tensor.input: np.full(tensor.shape, tensor.init, dtype=np.float32) for tensor in state}
    kept: dict[int, dict[str, np.ndarray]] = {}
    answers: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for at, key in enumerate(keys):
        row = {name: values[at : at + 1] for name, values in feed.items()}
        outputs = dict(zip(names, session.run(names, {**row, **constants, **kept.get(key, start)}), strict=True))
        kept[key] = {tensor.input: outputs[tensor.output] for tensor in state}
        for name in names:
            answers[name].append(outputs[name])
    hidden = {tensor.output for tensor in state}
    return {name: np.concatenate(values) for name, values in answers.items() if name not in hidden}
