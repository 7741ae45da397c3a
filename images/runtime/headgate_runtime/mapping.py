"""Columns to tensors: decides, from the model's signature and the columns of ``input``, what crosses into Python and how.

The decision (:func:`plan_mapping`) is pure and made once; :meth:`Mapping.assemble` applies it to every batch. SQL does the
casting and replaces nulls, so that Arrow carries exactly the tensor's dtype; a marker column tells where a null stood.
Nothing here knows onnxruntime or Flink.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headgate_runtime.columns import Column, nearest, quote
from headgate_runtime.dtypes import plan_feed
from headgate_runtime.errors import DeadLetterReason, MappingRefused


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A model input or output: name, numpy dtype and shape (None for a dimension that is not fixed)."""

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """One value that crosses into Python: its SQL, the column it comes from, and how Python treats it."""

    sql: str
    column: str
    nested: bool = False
    check_range: bool = False


@dataclass(frozen=True, slots=True)
class InputPlan:
    """One model input and the arguments (a slice of all of them) that feed it."""

    tensor: TensorSpec
    first: int
    count: int
    nested: bool


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row cannot be scored."""

    reason: DeadLetterReason
    column: str
    detail: str

    def encode(self) -> str:
        """One string that crosses back; SQL splits it at the unit separator."""
        clean = " ".join(self.detail.split())
        return "\x1f".join((self.reason.value, self.column, clean))


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a batch of column values becomes the model's feeds."""

    arguments: tuple[Argument, ...]
    inputs: tuple[InputPlan, ...]
    null_marker: str
    nan_is_dead_letter: bool

    def assemble(self, values: Sequence[Any]) -> tuple[dict[str, np.ndarray], dict[int, RowError]]:
        """Feeds [n, ...] by input name, and the rows that cannot be fed.

        ``values``: one array or series of n per argument, after the null marker (int16 [n]: 0, or 1 + the index of the
        first argument that was null). A row with an error holds zeros in the feeds; the caller leaves it out.
        """
        errors: dict[int, RowError] = {}
        if self.null_marker:
            marker = np.asarray(values[0])
            values = values[1:]
            for row in np.flatnonzero(marker):
                argument = self.arguments[int(marker[row]) - 1]
                errors[int(row)] = RowError(DeadLetterReason.NULL_FEATURE, argument.column, "the feature is null")
        rows = len(values[0])
        feeds = {plan.tensor.name: self._tensor(plan, values, rows, errors) for plan in self.inputs}
        return feeds, errors

    def _tensor(self, plan: InputPlan, values: Sequence[Any], rows: int, errors: dict[int, RowError]) -> np.ndarray:
        dtype, shape = plan.tensor.dtype, plan.tensor.shape
        arguments = self.arguments[plan.first : plan.first + plan.count]
        columns = values[plan.first : plan.first + plan.count]
        if plan.nested:
            return _nested(arguments[0].column, columns[0], plan.tensor, errors, self.nan_is_dead_letter)
        tensor = np.empty((rows, plan.count), dtype=dtype)
        for at, (argument, column) in enumerate(zip(arguments, columns, strict=True)):
            data = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
            if argument.check_range:
                data = _in_range(data, dtype, argument.column, errors)
            tensor[:, at] = data
        if self.nan_is_dead_letter and dtype.kind == "f":
            bad = np.isnan(tensor)
            for row in np.flatnonzero(bad.any(axis=1)):
                name = arguments[int(bad[row].argmax())].column
                errors.setdefault(int(row), RowError(DeadLetterReason.NAN_FEATURE, name, "the feature is NaN"))
        if len(shape) <= 1:
            return tensor[:, 0]
        return (
            tensor.reshape((rows, *(d if d is not None else plan.count for d in shape[1:])))
            if len(shape) > 2
            else tensor
        )


def _in_range(data: np.ndarray, dtype: np.dtype, column: str, errors: dict[int, RowError]) -> np.ndarray:
    info = np.iinfo(dtype)
    out = (data < info.min) | (data > info.max)
    for row in np.flatnonzero(out):
        detail = f"{data[row]} does not fit {dtype.name} ({info.min} to {info.max})"
        errors.setdefault(int(row), RowError(DeadLetterReason.OUT_OF_RANGE, column, detail))
    return np.where(out, 0, data)


def _nested(column: str, values: Any, tensor: TensorSpec, errors: dict[int, RowError], refuse_nan: bool) -> np.ndarray:
    """Array, row and bytes values, one per record, stacked to [n, ...]; a value that does not fit is a dead letter."""
    wanted = tensor.shape[1:]
    items: list[np.ndarray | None] = []
    for row, value in enumerate(values):
        item, problem = _item(value, tensor.dtype, wanted)
        if problem is not None and row not in errors:
            errors[row] = RowError(DeadLetterReason.WRONG_SHAPE, column, problem)
        elif refuse_nan and item is not None and item.dtype.kind == "f" and np.isnan(item).any():
            errors.setdefault(row, RowError(DeadLetterReason.NAN_FEATURE, column, "the feature holds NaN"))
        items.append(item)
    # Where a dimension is free, the batch's first good value decides it; others of another size wait for their own batch.
    good = next((i for i in items if i is not None), np.zeros(tuple(d or 1 for d in wanted), dtype=tensor.dtype))
    blank = (
        np.zeros(good.shape, dtype=tensor.dtype) if tensor.dtype.kind != "O" else np.full(good.shape, "", dtype=object)
    )
    for row, item in enumerate(items):
        if item is not None and item.shape != good.shape:
            detail = f"its shape is {list(item.shape)}, other rows of the batch have {list(good.shape)}"
            errors.setdefault(row, RowError(DeadLetterReason.WRONG_SHAPE, column, detail))
            items[row] = None
    return (
        np.stack([blank if item is None else item for item in items])
        if items
        else np.empty((0, *good.shape), tensor.dtype)
    )


def _item(value: Any, dtype: np.dtype, wanted: tuple[int | None, ...]) -> tuple[np.ndarray | None, str | None]:
    if value is None:
        return None, "the feature is null"
    try:
        array = np.frombuffer(value, dtype=np.uint8) if isinstance(value, bytes | bytearray) else _dense(value)
        if any(v is None for v in array.flat) if array.dtype == object else False:
            return None, "an element is null"
        array = array.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        return None, f"not a regular array of {dtype.name}: {error}"
    if array.ndim == len(wanted) and all(w is None or w == d for w, d in zip(wanted, array.shape, strict=True)):
        return array, None
    # A flat array fills a tensor of known dimensions in row-major order; one free dimension follows from the length.
    free = [d for d in wanted if d is None]
    known = int(np.prod([d for d in wanted if d is not None], dtype=np.int64))
    fills = array.size == known if not free else known > 0 and array.size % known == 0
    if array.ndim == 1 and len(wanted) != 1 and len(free) <= 1 and fills:
        return array.reshape(tuple(-1 if d is None else d for d in wanted)), None
    return None, f"its shape is {list(array.shape)}, the model wants {[d if d is not None else '?' for d in wanted]}"


def _dense(value: Any) -> np.ndarray:
    """A list, tuple, Row, dict or array of such as one array."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    if isinstance(value, dict):
        return np.asarray([_dense(v) if isinstance(v, list | tuple | dict | np.ndarray) else v for v in value.values()])
    if isinstance(value, list | tuple | np.ndarray):
        return np.asarray([_dense(v) if isinstance(v, list | tuple | dict | np.ndarray) else v for v in value])
    return np.asarray(value)


def plan_mapping(
    signature: Sequence[TensorSpec],
    columns: Sequence[Column],
    *,
    key: str,
    given: MappingType[str, Sequence[str]],
    fed_otherwise: frozenset[str],
    nan_is_dead_letter: bool,
) -> Mapping:
    """Decide how ``columns`` feed the model's inputs.

    ``given``: the resource's ``model.inputs``; ``fed_otherwise``: inputs that constants or state feed. Raises
    :class:`MappingRefused` with the input, what it wants and what it would get.
    """
    by_name = {c.name: c for c in columns}
    needed = [t for t in signature if t.name not in fed_otherwise]
    names = tuple(t.name for t in signature)
    for unknown in [n for n in given if n not in names]:
        raise MappingRefused(
            f"spec.model.inputs names {unknown!r}, which is no input of the model. {nearest(unknown, names)}"
        )
    arguments: list[Argument] = []
    plans: list[InputPlan] = []
    for tensor in needed:
        chosen = _choose(tensor, needed, by_name, columns, key, given)
        fed = _arguments(tensor, chosen)
        _check_width(tensor, fed)
        plans.append(InputPlan(tensor, len(arguments), len(fed), fed[0].nested))
        arguments.extend(fed)
    if not arguments:
        raise MappingRefused("no column feeds the model: every input is a constant or state.")
    return Mapping(tuple(arguments), tuple(plans), _null_marker(arguments, by_name), nan_is_dead_letter)


def _choose(
    tensor: TensorSpec,
    needed: Sequence[TensorSpec],
    by_name: dict[str, Column],
    columns: Sequence[Column],
    key: str,
    given: MappingType[str, Sequence[str]],
) -> tuple[Column, ...]:
    known = tuple(by_name)
    if tensor.name in given:
        for name in given[tensor.name]:
            if name not in by_name:
                raise MappingRefused(
                    f"spec.model.inputs.{tensor.name}: column {name!r} is not among the columns of spec.pipeline.input. "
                    f"{nearest(name, known)}"
                )
        return tuple(by_name[name] for name in given[tensor.name])
    if tensor.name in by_name:
        return (by_name[tensor.name],)
    if len(needed) == 1:
        rest = tuple(c for c in columns if c.name != key and not c.rowtime and _usable(tensor, c))
        if rest:
            return rest
    raise MappingRefused(
        f"nothing feeds the model's input {tensor.name!r} ({describe(tensor)}): no column has its name. "
        f"Name its columns in spec.model.inputs.{tensor.name}, or give it a value in spec.model.constants. {nearest(tensor.name, known)}"
    )


def _usable(tensor: TensorSpec, column: Column) -> bool:
    leaf = column
    while leaf.element is not None:
        leaf = leaf.element
    return column.root in {"ROW", "STRUCTURED_TYPE"} or plan_feed(tensor.dtype, leaf.root) is not None


def _arguments(tensor: TensorSpec, chosen: tuple[Column, ...]) -> list[Argument]:
    fed: list[Argument] = []
    for column in chosen:
        if column.root in {"ARRAY", "BINARY", "VARBINARY"}:
            if len(chosen) > 1:
                raise MappingRefused(
                    f"input {tensor.name!r}: array column {column.name!r} must feed it alone, not beside {len(chosen) - 1} others."
                )
            fed.append(_array_argument(tensor, column))
        elif column.root in {"ROW", "STRUCTURED_TYPE"}:
            fed.extend(_scalar_argument(tensor, f, f"{column.quoted}.{f.quoted}", column.name) for f in column.fields)
        else:
            fed.append(_scalar_argument(tensor, column, column.quoted, column.name))
    return fed


def _scalar_argument(tensor: TensorSpec, column: Column, reference: str, name: str) -> Argument:
    feed = plan_feed(tensor.dtype, column.root)
    if feed is None:
        raise MappingRefused(
            f"input {tensor.name!r} wants {describe(tensor)}, column {name!r} is {column.sql}. CAST it in spec.pipeline.input."
        )
    sql = f"CAST({reference} AS {feed.sql_type})"
    if column.nullable:
        sql = f"COALESCE({sql}, CAST({feed.zero} AS {feed.sql_type}))"
    return Argument(sql, name, check_range=feed.check_range)


def _array_argument(tensor: TensorSpec, column: Column) -> Argument:
    leaf = column
    while leaf.element is not None:
        leaf = leaf.element
    is_bytes = leaf.root in {"BINARY", "VARBINARY"}
    fits = (
        tensor.dtype == np.uint8 if is_bytes else leaf.root == "ROW" or plan_feed(tensor.dtype, leaf.root) is not None
    )
    if not fits:
        raise MappingRefused(
            f"input {tensor.name!r} wants {describe(tensor)}, column {column.name!r} is {column.sql}. "
            "Convert it in spec.pipeline.input or in a function of spec.pipeline.python.module."
        )
    return Argument(column.quoted, column.name, nested=True)


def _check_width(tensor: TensorSpec, fed: list[Argument]) -> None:
    if fed[0].nested:
        return
    wanted = tensor.shape[1:]
    width = len(fed)
    fixed = int(np.prod([d for d in wanted if d is not None], dtype=np.int64))
    if len(tensor.shape) <= 1:
        fits = width == 1
        fixed = 1
    else:
        fits = width == fixed if None not in wanted else len(wanted) == 1 or width % max(fixed, 1) == 0
    if not fits:
        raise MappingRefused(
            f"input {tensor.name!r} wants {fixed} columns ({describe(tensor)}), it would get {width}: "
            f"{', '.join(a.column for a in fed)}. List the right ones, in order, in spec.model.inputs.{tensor.name}."
        )


def _null_marker(arguments: list[Argument], by_name: dict[str, Column]) -> str:
    whens = [
        f"WHEN {quote(a.column)} IS NULL THEN CAST({at + 1} AS SMALLINT)"
        for at, a in enumerate(arguments)
        if by_name[a.column].nullable
    ]
    # Fields of a row column share its name; one WHEN per name is enough.
    unique = list({w.split(" THEN ")[0]: w for w in reversed(whens)}.values())[::-1]
    return f"CASE {' '.join(unique)} ELSE CAST(0 AS SMALLINT) END" if unique else ""


def describe(tensor: TensorSpec) -> str:
    """Dtype and shape in words, such as ``float32 [?, 12]``."""
    dtype = "string" if tensor.dtype.kind == "O" else tensor.dtype.name
    return f"{dtype} [{', '.join('?' if d is None else str(d) for d in tensor.shape)}]"
