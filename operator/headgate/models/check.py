"""Compares ``spec.model`` with the signature of the model that it names: who feeds each input, and what is read from
outputs.

Called by validation, by the build and by the gate ``signature``. Pure, and it returns every problem at once. It knows
columns by name only; their types are Flink's to tell, so what depends on a type is left to the start of the job: a
single column may be an array that fills a whole tensor. The rules are those of :mod:`headgate.api.model`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from headgate.api.model import ModelSpec
from headgate.api.names import did_you_mean, listing
from headgate.api.problems import Problem
from headgate.api.resources import ModelDeployment
from headgate.api.sqlschema import read_schema
from headgate.models.check_constants import constant_problem
from headgate.models.check_outputs import output_problems
from headgate.models.signature import ModelInfo, ModelSignature, TensorInfo

_MAKES_ROWS = re.compile(r"\bROW\b|\bSTRUCTURED\b|\bCREATE\s+(TEMPORARY\s+)?(SYSTEM\s+)?FUNCTION\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InputColumns:
    """The columns that ``pipeline.input`` yields, in order, as far as the SQL tells."""

    names: tuple[str, ...]
    key: str = ""
    """The key column; it feeds an input only where it is named."""
    nested: frozenset[str] = field(default_factory=frozenset)
    """Columns that are, or may be, rows or arrays, which give more than one element."""


def check_deployment(deployment: ModelDeployment, info: ModelInfo) -> tuple[str, ...]:
    """Every problem of a whole resource with its model, the columns being those that its SQL tells."""
    spec = deployment.spec
    names = read_schema(spec).input_columns
    pipeline = spec.pipeline
    # A row column gives several elements. Where the SQL or a function may make one, fewer columns than wanted may do.
    text = f"{pipeline.tables} {pipeline.input}"
    may_nest = bool(pipeline.python.module or _MAKES_ROWS.search(text))
    known = None if names is None else InputColumns(names, pipeline.key, frozenset(names if may_nest else ()))
    return _sentences(signature_problems(spec.model, info.signature, known))


def check_against_signature(
    spec: ModelSpec, info: ModelInfo, columns: tuple[str, ...] | None, *, key: str = ""
) -> tuple[str, ...]:
    """Every problem as a sentence with its field path. ``columns`` of ``pipeline.input`` in order; None when unknown."""
    known = None if columns is None else InputColumns(columns, key)
    return _sentences(signature_problems(spec, info.signature, known))


def _sentences(problems: tuple[Problem, ...]) -> tuple[str, ...]:
    return tuple(str(Problem(("spec", *one.path), one.message)) for one in problems)


def signature_problems(spec: ModelSpec, signature: ModelSignature, columns: InputColumns | None) -> tuple[Problem, ...]:
    """Every problem, with paths that count from ``spec``."""
    return (
        *_unknown_inputs(spec, signature),
        *_unfed_inputs(spec, signature, columns),
        *_widths(spec, signature, columns),
        *_batches(spec, signature),
        *_constants(spec, signature),
        *_states(spec, signature),
        *output_problems(spec, signature, columns.names if columns else ()),
    )


def _unknown_inputs(spec: ModelSpec, signature: ModelSignature) -> Iterator[Problem]:
    names = [tensor.name for tensor in signature.inputs]
    for place, given in (("inputs", spec.inputs), ("constants", spec.constants)):
        for name in given:
            if name not in names:
                yield Problem(("model", place, name), _no_such("input", name, names))
    for position, state in enumerate(spec.state):
        if state.input not in names:
            yield Problem(("model", "state", position, "input"), _no_such("input", state.input, names))
        outputs = [tensor.name for tensor in signature.outputs]
        if state.output not in outputs:
            yield Problem(("model", "state", position, "output"), _no_such("output", state.output, outputs))


def _no_such(what: str, name: str, names: list[str]) -> str:
    hint = did_you_mean(name, names) or f"; it has {listing(names)}"
    return f'the model has no {what} "{name}"{hint}'


def _fed_by_columns(spec: ModelSpec, signature: ModelSignature) -> tuple[TensorInfo, ...]:
    otherwise = {*spec.constants, *(state.input for state in spec.state)}
    return tuple(tensor for tensor in signature.inputs if tensor.name not in otherwise)


def _unfed_inputs(spec: ModelSpec, signature: ModelSignature, columns: InputColumns | None) -> Iterator[Problem]:
    """Inputs that no column, constant or state feeds. A single one takes all columns but the key."""
    fed = _fed_by_columns(spec, signature)
    if not fed:
        message = (
            f"every model input ({listing(t.name for t in signature.inputs)}) is a constant or state; no row is scored"
        )
        yield Problem(("model", "inputs"), message)
    for tensor in fed:
        if tensor.name in spec.inputs or columns is None or tensor.name in columns.names:
            continue
        if len(fed) > 1:
            hint = did_you_mean(tensor.name, columns.names)
            message = (
                f'nothing feeds the model input "{tensor.name}" ({tensor}): name its columns here, or give it a value in '
                f"constants, for spec.pipeline.input has no column of that name{hint}"
            )
            yield Problem(("model", "inputs"), message)


def _widths(spec: ModelSpec, signature: ModelSignature, columns: InputColumns | None) -> Iterator[Problem]:
    fed = _fed_by_columns(spec, signature)
    for tensor in fed:
        if tensor.name in spec.inputs:
            given = spec.inputs[tensor.name]
            if columns is not None:
                for position, column in enumerate(given):
                    if column not in columns.names:
                        hint = did_you_mean(column, columns.names) or f"; it has {listing(columns.names)}"
                        path = ("model", "inputs", tensor.name, position)
                        yield Problem(path, f'spec.pipeline.input has no column "{column}"{hint}')
            giver = f"spec.model.inputs gives {len(given)}"
        elif columns is None or tensor.name in columns.names or len(fed) > 1:
            continue
        else:
            given = tuple(column for column in columns.names if column != columns.key)
            giver = f"spec.pipeline.input has {len(given)} beside the key"
        wanted = _wants(tensor, len(given), exact=tensor.name in spec.inputs)
        if wanted and columns is not None and columns.nested.intersection(given) and not _too_many(tensor, len(given)):
            continue
        if wanted:
            message = f'input "{tensor.name}" wants {wanted} ({tensor}), {giver}'
            yield Problem(("model", "inputs", tensor.name), message)


def _wants(tensor: TensorInfo, given: int, *, exact: bool) -> str:
    """What the tensor wants instead of ``given`` columns, or an empty text where they may fit.

    One column may be an array. Without ``exact``, columns that are no numbers are left out, so more than wanted may
    fit.
    """
    if not tensor.ranked:
        return ""
    if len(tensor.shape) <= 1:
        return "" if given == 1 or (not exact and given) else "1 column"
    rest = tensor.shape[1:]
    known = [size for size in rest if isinstance(size, int)]
    width = math.prod(known)
    if given == 1 or (given > width and not exact):
        return ""
    if len(known) == len(rest):
        return "" if given == width else f"{width} columns"
    if len(rest) == 1 or given % max(width, 1) == 0:
        return ""
    return f"a multiple of {width} columns"


def _too_many(tensor: TensorInfo, given: int) -> bool:
    """Whether there are more columns than elements, which no nesting mends."""
    sizes = [size for size in tensor.shape[1:] if isinstance(size, int)]
    return len(sizes) == len(tensor.shape[1:]) and given > math.prod(sizes)


def _batches(spec: ModelSpec, signature: ModelSignature) -> Iterator[Problem]:
    """A fixed first dimension must be the same for all inputs; with state, rows are scored one by one."""
    sizes = {
        tensor.shape[0]: tensor
        for tensor in _fed_by_columns(spec, signature)
        if tensor.shape and isinstance(tensor.shape[0], int)
    }
    if len(sizes) > 1:
        listed = ", ".join(str(tensor) for tensor in sizes.values())
        yield Problem(("model", "inputs"), f"the model's inputs disagree on the batch, their first dimension: {listed}")
    elif spec.state and (larger := [tensor for size, tensor in sizes.items() if size != 1]):
        message = f"state is kept per key, row by row, and {larger[0]} wants another batch than 1"
        yield Problem(("model", "state"), message)


def _constants(spec: ModelSpec, signature: ModelSignature) -> Iterator[Problem]:
    for name, value in spec.constants.items():
        tensor = signature.input(name)
        if tensor is not None and (message := constant_problem(value, tensor)):
            yield Problem(("model", "constants", name), message)


def _states(spec: ModelSpec, signature: ModelSignature) -> Iterator[Problem]:
    for position, state in enumerate(spec.state):
        tensor, result = signature.input(state.input), signature.output(state.output)
        if tensor is not None and result is not None and tensor.dtype != result.dtype:
            message = f"input {tensor} and output {result} are of different types, so one cannot become the other"
            yield Problem(("model", "state", position), message)
        if tensor is not None and tensor.dtype in ("string", "bool"):
            yield Problem(("model", "state", position, "input"), f"{tensor} is no tensor of numbers")
        for what, one in (("input", tensor), ("output", result)):
            if one is not None and not _fits(state.shape, one):
                message = f"{list(state.shape)} does not fit the {what} {one}"
                yield Problem(("model", "state", position, "shape"), message)


def _fits(shape: tuple[int, ...], tensor: TensorInfo) -> bool:
    return not tensor.ranked or (
        len(shape) == len(tensor.shape)
        and all(not isinstance(own, int) or own == given for own, given in zip(tensor.shape, shape, strict=True))
    )
