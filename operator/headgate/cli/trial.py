"""Runs a model once on a made-up batch, to learn the shapes of its outputs and whether a scaffold feeds it rightly.

Called by ``headgate init``. What goes wrong is returned as a sentence: a scaffold with a wrong guess is still a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.capi import onnxruntime_pybind11_state as ort
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

from headgate.cli.scaffold import Feeding
from headgate.models.answers import RUNTIME_ERRORS
from headgate.models.signature import TensorInfo

_ROWS = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run gave: (dtype, shape after the batch) by output, or the reason why it gave nothing."""

    shapes: Mapping[str, tuple[str, tuple[int, ...]]]
    problem: str = ""


def try_model(path: Path, feeding: Feeding) -> Trial:
    """Score two made-up rows (or as many as a fixed batch has), all zeros, empty texts or False."""
    refused: tuple[type[Exception], ...] = (*RUNTIME_ERRORS, ValueError)
    try:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        rows = _rows(feeding)
        names = [output.name for output in session.get_outputs()]
        answers = dict(zip(names, session.run(None, _feeds(feeding, rows)), strict=True))
    except refused as error:
        return Trial({}, " ".join(str(error).split())[:400])
    return Trial({name: _shape(value) for name, value in answers.items() if isinstance(value, np.ndarray)})


def _rows(feeding: Feeding) -> int:
    if feeding.states:
        return 1
    batches = [feed.tensor.shape[0] for feed in feeding.feeds if feed.tensor.shape]
    return next((one for one in batches if isinstance(one, int) and one > 0), _ROWS)


def _feeds(feeding: Feeding, rows: int) -> dict[str, Any]:
    feeds: dict[str, Any] = {}
    for feed in feeding.feeds:
        columns = feed.columns
        if columns[0].lengths:
            inner = columns[0].lengths
            fixed = feed.tensor.shape[1:]
            if len(inner) < len(fixed):
                inner = tuple(one for one in fixed if isinstance(one, int))
            shape: tuple[int, ...] = (rows, *inner)
        elif feed.tensor.rank in (0, 1):
            shape = (rows,) if feed.tensor.rank else ()
        else:
            shape = (rows, len(columns))
        feeds[feed.tensor.name] = _zeros(feed.tensor, shape)
    for constant in feeding.constants:
        feeds[constant.tensor.name] = np.asarray(constant.value, dtype=_numpy(constant.tensor))
    for state in feeding.states:
        feeds[state.input] = np.zeros(state.shape, dtype=np.dtype(state.dtype))
    return feeds


def _zeros(tensor: TensorInfo, shape: tuple[int, ...]) -> Any:
    return np.full(shape, "", dtype=object) if tensor.dtype == "string" else np.zeros(shape, dtype=_numpy(tensor))


def _numpy(tensor: TensorInfo) -> Any:
    return object if tensor.dtype == "string" else np.dtype(tensor.dtype)


def _shape(value: np.ndarray[Any, Any]) -> tuple[str, tuple[int, ...]]:
    dtype = "string" if value.dtype == object else value.dtype.name
    return dtype, tuple(value.shape[1:])
