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

from headgate_runtime.columns import Column, nearest
from headgate_runtime.dtypes import plan_feed
from headgate_runtime.errors import DeadLetterReason, MappingRefused
from headgate_runtime.nested import Ragged, stack_items


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A model input or output: name, numpy dtype and shape (None for a dimension that is not fixed)."""

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """One value that crosses into Python: its SQL, the column it comes from, and how Python treats it.

    ``null``: a SQL condition that is true where the value is null; empty where it never is.
    """

    sql: str
    column: str
    nested: bool = False
    check_range: bool = False
    null: str = ""


@dataclass(frozen=True, slots=True)
class InputPlan:
    """One model input and the arguments (a slice of all of them) that feed it."""

    tensor: TensorSpec
    first: int
    count: int
    nested: bool

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """The shape of one row's tensor; None where each record's own array decides it."""
        wanted = self.tensor.shape[1:]
        if None not in wanted:
            return tuple(d for d in wanted if d is not None)
        if self.nested:
            return None
        known = int(np.prod([d for d in wanted if d is not None], dtype=np.int64))
        return tuple(self.count // known if d is None else d for d in wanted)


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

    def assemble(self, values: Sequence[Any]) -> tuple[dict[str, np.ndarray | Ragged], dict[int, RowError]]:
        """Feeds [n, ...] by input name, and the rows that cannot be fed.

        ``values``: one array or series of n per argument, after the null marker (int16 [n]: 0, or 1 + the index of the
        first argument that was null). A row with an error holds blanks in the feeds; the caller leaves it out. Records
        of several shapes come as :class:`Ragged`.
        """
        errors: dict[int, RowError] = {}
        if self.null_marker:
            marker = np.asarray(values[0])
            values = values[1:]
            for row in np.flatnonzero(marker):
                argument = self.arguments[int(marker[row]) - 1]
                detail = "the feature is null" + (" or holds a null" if argument.nested else "")
                errors[int(row)] = RowError(DeadLetterReason.NULL_FEATURE, argument.column, detail)
        feeds = {plan.tensor.name: self._tensor(plan, values, errors) for plan in self.inputs}
        return feeds, errors

    def _tensor(self, plan: InputPlan, values: Sequence[Any], errors: dict[int, RowError]) -> np.ndarray | Ragged:
        dtype = plan.tensor.dtype
        arguments = self.arguments[plan.first : plan.first + plan.count]
        columns = values[plan.first : plan.first + plan.count]
        if plan.nested:
            tensor, problems = stack_items(columns[0], dtype, plan.tensor.shape[1:], refuse_nan=self.nan_is_dead_letter)
            for row, problem in problems.items():
                errors.setdefault(row, RowError(problem.reason, arguments[0].column, problem.detail))
            return tensor
        table = np.empty((len(columns[0]), plan.count), dtype=dtype)
        for at, (argument, column) in enumerate(zip(arguments, columns, strict=True)):
            data = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
            if argument.check_range:
                data = _in_range(data, dtype, argument.column, errors)
            table[:, at] = data
        if self.nan_is_dead_letter and dtype.kind == "f":
            bad = np.isnan(table)
            for row in np.flatnonzero(bad.any(axis=1)):
                name = arguments[int(bad[row].argmax())].column
                errors.setdefault(int(row), RowError(DeadLetterReason.NAN_FEATURE, name, "the feature is NaN"))
        shape = plan.row_shape
        return table if shape == (plan.count,) else table.reshape((len(table), *(shape or ())))


def _in_range(data: np.ndarray, dtype: np.dtype, column: str, errors: dict[int, RowError]) -> np.ndarray:
    """``data`` with blanks for what ``dtype`` cannot hold; such rows are errors."""
    if dtype.kind == "f":
        low, high = int(np.finfo(dtype).min), int(np.finfo(dtype).max)
        with np.errstate(over="ignore", invalid="ignore"):
            out = np.isinf(data.astype(dtype)) & np.isfinite(data)
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        out = (data < low) | (data > high)
    for row in np.flatnonzero(out):
        detail = f"{data[row]} does not fit {dtype.name} ({low} to {high})"
        errors.setdefault(int(row), RowError(DeadLetterReason.OUT_OF_RANGE, column, detail))
    return np.where(out, np.zeros(1, data.dtype), data)


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
    return Mapping(tuple(arguments), tuple(plans), _null_marker(arguments), nan_is_dead_letter)


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
    return (column.root == "ROW" and bool(column.fields)) or plan_feed(tensor.dtype, leaf.root) is not None


def _arguments(tensor: TensorSpec, chosen: tuple[Column, ...]) -> list[Argument]:
    fed: list[Argument] = []
    for column in chosen:
        if column.root in {"ARRAY", "BINARY", "VARBINARY"}:
            if len(chosen) > 1:
                raise MappingRefused(
                    f"input {tensor.name!r}: array column {column.name!r} must feed it alone, not beside {len(chosen) - 1} others."
                )
            fed.append(_array_argument(tensor, column))
        elif column.root == "ROW" and column.fields:
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
    # A field is null where its row is.
    nullable = column.nullable or name != column.name
    sql = f"CAST({reference} AS {feed.sql_type})"
    if column.root == feed.sql_type and tensor.dtype.kind == "f":
        # Arrow makes NaN of a null float, and the marker says which NaN was one: nothing is computed per row.
        sql = reference
    elif nullable:
        sql = f"COALESCE({sql}, CAST({feed.zero} AS {feed.sql_type}))"
    return Argument(sql, name, check_range=feed.check_range, null=f"{reference} IS NULL" if nullable else "")


def _array_argument(tensor: TensorSpec, column: Column) -> Argument:
    leaf = column
    while leaf.element is not None:
        leaf = leaf.element
    is_bytes = leaf.root in {"BINARY", "VARBINARY"}
    fits = tensor.dtype == np.uint8 and leaf is column if is_bytes else plan_feed(tensor.dtype, leaf.root) is not None
    if not fits:
        raise MappingRefused(
            f"input {tensor.name!r} wants {describe(tensor)}, column {column.name!r} is {column.sql}. "
            "Convert it in spec.pipeline.input or in a function of spec.pipeline.python.module."
        )
    nulls = [f"{column.quoted} IS NULL"] if column.nullable else []
    if column.element is not None and column.element is leaf and leaf.nullable:
        # Arrow hands null elements over as NaN, so they are looked for before.
        nulls.append(f"ARRAY_CONTAINS({column.quoted}, CAST(NULL AS {leaf.sql}))")
    return Argument(column.quoted, column.name, nested=True, null=" OR ".join(nulls))


def _check_width(tensor: TensorSpec, fed: list[Argument]) -> None:
    wanted = tensor.shape[1:]
    if fed[0].nested:
        if wanted:
            return
        raise MappingRefused(
            f"input {tensor.name!r} wants one value a row ({describe(tensor)}), column {fed[0].column!r} holds many."
        )
    width = len(fed)
    known = int(np.prod([d for d in wanted if d is not None], dtype=np.int64))
    free = wanted.count(None)
    fits = width == known if not free else known > 0 and width % known == 0
    if free > 1:
        raise MappingRefused(
            f"input {tensor.name!r} ({describe(tensor)}) has {free} dimensions that plain columns do not decide. "
            "Feed it one ARRAY column, or export the model with fixed dimensions."
        )
    if not fits:
        number = f"a multiple of {known}" if free else str(known)
        raise MappingRefused(
            f"input {tensor.name!r} wants {number} columns ({describe(tensor)}), it would get {width}: "
            f"{', '.join(a.column for a in fed)}. List the right ones, in order, in spec.model.inputs.{tensor.name}."
        )


def _null_marker(arguments: list[Argument]) -> str:
    whens = [f"WHEN {a.null} THEN CAST({at + 1} AS SMALLINT)" for at, a in enumerate(arguments) if a.null]
    return f"CASE {' '.join(whens)} ELSE CAST(0 AS SMALLINT) END" if whens else ""


def describe(tensor: TensorSpec) -> str:
    """Dtype and shape in words, such as ``float32 [?, 12]``."""
    dtype = "string" if tensor.dtype.kind == "O" else tensor.dtype.name
    return f"{dtype} [{', '.join('?' if d is None else str(d) for d in tensor.shape)}]"
