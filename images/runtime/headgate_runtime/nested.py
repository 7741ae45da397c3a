"""Array and bytes values, one per record, as tensors: each value checked for nulls, range and shape by itself.

Called by :mod:`headgate_runtime.mapping` for every batch of an input that one array or bytes column feeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headgate_runtime.errors import DeadLetterReason


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one value cannot be fed."""

    reason: DeadLetterReason
    detail: str


@dataclass(frozen=True, slots=True)
class Ragged:
    """Tensors of several shapes, one per record, of a model whose dimensions are free; only equal ones share a batch."""

    items: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.items)

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of every record's tensor."""
        return tuple(item.shape for item in self.items)

    def stacked(self, rows: np.ndarray) -> np.ndarray:
        """The tensors of ``rows``, which have one shape, as [n, ...]."""
        return np.stack([self.items[int(row)] for row in rows])


def stack_items(
    values: Any, dtype: np.dtype, wanted: tuple[int | None, ...], *, refuse_nan: bool
) -> tuple[np.ndarray | Ragged, dict[int, Problem]]:
    """The values of n records as [n, ...] (or :class:`Ragged`, where their shapes differ), and what is wrong by row.

    ``wanted``: the shape of one record's tensor, None for a free dimension. A row with a problem holds a blank.
    """
    problems: dict[int, Problem] = {}
    items: list[np.ndarray | None] = []
    for row, value in enumerate(values):
        item = read_item(value, dtype, wanted)
        if isinstance(item, np.ndarray) and refuse_nan and item.dtype.kind == "f" and np.isnan(item).any():
            item = Problem(DeadLetterReason.NAN_FEATURE, "the feature holds NaN")
        if isinstance(item, Problem):
            problems[row] = item
        items.append(None if isinstance(item, Problem) else item)
    shape = next((i.shape for i in items if i is not None), tuple(1 if d is None else d for d in wanted))
    blank = np.full(shape, "" if dtype.kind == "O" else 0, dtype=dtype)
    filled = tuple(blank if item is None else item for item in items)
    if any(item.shape != shape for item in filled):
        return Ragged(filled), problems
    tensor = np.empty((len(filled), *shape), dtype=dtype)
    for row, item in enumerate(filled):
        tensor[row] = item
    return tensor, problems


def read_item(value: Any, dtype: np.dtype, wanted: tuple[int | None, ...]) -> np.ndarray | Problem:
    """One record's value as a tensor of ``dtype`` and the wanted shape, or what is wrong with it."""
    if value is None:
        return Problem(DeadLetterReason.NULL_FEATURE, "the feature is null")
    try:
        dense = np.frombuffer(value, dtype=np.uint8) if isinstance(value, bytes | bytearray) else _dense(value)
        array = _cast(dense, dtype)
    except (TypeError, ValueError) as error:
        return Problem(DeadLetterReason.WRONG_SHAPE, f"not a regular array of {_name(dtype)}: {error}")
    return array if isinstance(array, Problem) else _shaped(array, wanted)


def _dense(value: Any) -> np.ndarray:
    """A list, tuple or array, of such or of values, as one array; raises ``ValueError`` where it is ragged."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    if not isinstance(value, list | tuple | np.ndarray):
        raise ValueError(f"a {type(value).__name__}")
    inner = [_dense(v) if isinstance(v, list | tuple | np.ndarray) else v for v in value]
    if inner and all(isinstance(v, np.ndarray) for v in inner):
        if len({v.shape for v in inner}) > 1:
            raise ValueError("its rows differ in length")
        return np.stack(inner)
    if any(isinstance(v, np.ndarray) for v in inner):
        raise ValueError("it mixes arrays with single values")
    array = np.empty(len(inner), dtype=object)
    array[:] = inner
    return array


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray | Problem:
    null = Problem(DeadLetterReason.NULL_FEATURE, "an element is null")
    if array.dtype == object and any(v is None for v in array.flat):
        return null
    if dtype.kind == "O":
        return array.astype(object)
    if dtype.kind in "iu":
        return _whole(array, dtype, null)
    if dtype.kind == "b" and array.dtype.kind == "f":
        return null if np.isnan(array).any() else array.astype(dtype)
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if dtype == np.float16 and (np.isinf(cast) & np.isfinite(array.astype(np.float64))).any():
        return Problem(DeadLetterReason.OUT_OF_RANGE, "an element does not fit float16 (-65504 to 65504)")
    return cast


def _whole(array: np.ndarray, dtype: np.dtype, null: Problem) -> np.ndarray | Problem:
    """Whole numbers of a narrower or other type, checked; Arrow gives integers beside nulls as floats with NaN."""
    if array.dtype.kind == "f":
        return null if np.isnan(array).any() else _whole(array.astype(np.int64), dtype, null)
    if array.dtype == object:
        array = np.asarray([int(v) for v in array.flat], dtype=object).reshape(array.shape)
    info = np.iinfo(dtype)
    outside = (array < info.min) | (array > info.max)
    if outside.any():
        first = array[outside].flat[0]
        detail = f"the element {first} does not fit {dtype.name} ({info.min} to {info.max})"
        return Problem(DeadLetterReason.OUT_OF_RANGE, detail)
    return array.astype(dtype)


def _shaped(array: np.ndarray, wanted: tuple[int | None, ...]) -> np.ndarray | Problem:
    if array.ndim == len(wanted) and all(w is None or w == d for w, d in zip(wanted, array.shape, strict=True)):
        return array
    # A flat array fills a tensor of known dimensions in row-major order; one free dimension follows from the length.
    free = [d for d in wanted if d is None]
    known = int(np.prod([d for d in wanted if d is not None], dtype=np.int64))
    whole = known and array.size % known == 0 and (array.size == known or len(free) == 1)
    if array.ndim == 1 and len(wanted) > 1 and len(free) <= 1 and whole and array.size:
        return array.reshape(tuple(-1 if d is None else d for d in wanted))
    shape = [d if d is not None else "?" for d in wanted]
    detail = f"its shape is {list(array.shape)}, the model wants {shape}"
    return Problem(DeadLetterReason.WRONG_SHAPE, detail.replace("'", ""))


def _name(dtype: np.dtype) -> str:
    return "strings" if dtype.kind == "O" else dtype.name
