"""Whether the expressions of ``spec.model.outputs`` make sense for the model's outputs. Pure; called by the signature
check.

Dimensions after the batch decide: an index must lie inside a fixed one, and ``argmax`` needs more than a single
number. What the model does not say (a free dimension, an unknown rank) is never held against the resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from headgate.api.expressions import Expression, ExpressionError, Function, Output, output_names, parse_expression
from headgate.api.model import ModelSpec
from headgate.api.names import did_you_mean, listing
from headgate.api.problems import Problem
from headgate.models.signature import Dimension, ModelSignature, TensorInfo

Row = tuple[Dimension, ...] | None
"""The dimensions of one row's value; None where they are unknown."""

_NEEDS_VECTOR = frozenset({Function.ARGMAX, Function.MAX, Function.SOFTMAX, Function.TOPK})
_NEEDS_NUMBERS = _NEEDS_VECTOR | {Function.SIGMOID, Function.THRESHOLD, Function.LABEL}


class _Misfit(Exception):
    """An expression that does not fit; the message is the problem's."""


def output_problems(spec: ModelSpec, signature: ModelSignature, columns: tuple[str, ...]) -> Iterator[Problem]:
    """Problems of ``outputs`` and ``histogram``. ``columns``: those of ``pipeline.input``, empty when unknown."""
    if not spec.outputs:
        yield from _default_outputs(spec, signature, columns)
        yield from _default_histogram(spec, signature)
    for column, text in spec.outputs.items():
        path = ("model", "outputs", column)
        if column in columns:
            yield Problem(path, f'"{column}" is a column of spec.pipeline.input as well; call this one something else')
        try:
            row = _row(parse_expression(text), signature)
        except ExpressionError:
            continue  # reported where the resource itself is checked
        except _Misfit as misfit:
            yield Problem(path, str(misfit))
            continue
        if column == spec.histogram and row:
            yield Problem(("model", "histogram"), f'"{column}" is {text}, which is not one number a row')


def _default_outputs(spec: ModelSpec, signature: ModelSignature, columns: tuple[str, ...]) -> Iterator[Problem]:
    """Without ``outputs``, every output but state is a column of its own name."""
    state = {one.output for one in spec.state}
    for tensor in signature.outputs:
        column = re.sub(r"\W", "_", tensor.name)
        if tensor.name not in state and column in columns:
            message = (
                f'the model\'s output "{tensor.name}" and a column of spec.pipeline.input have the same name; '
                f"rename the answer here, such as {column}_out: {Output(tensor.name)}"
            )
            yield Problem(("model", "outputs"), message)


def _default_histogram(spec: ModelSpec, signature: ModelSignature) -> Iterator[Problem]:
    if spec.histogram is None:
        return
    tensor = signature.output(spec.histogram)
    if tensor is None:
        names = [one.name for one in signature.outputs]
        hint = did_you_mean(spec.histogram, names) or f"; it has {listing(names)}"
        yield Problem(("model", "histogram"), f'the model has no output "{spec.histogram}"{hint}')
    elif tensor.dtype in ("string", "bool") or _row_of(tensor):
        yield Problem(("model", "histogram"), f"{tensor} is not one number a row")


def _row(expression: Expression, signature: ModelSignature) -> Row:
    """The dimensions that the expression leaves, or ``_Misfit``."""
    if isinstance(expression, Output):
        return _indexed(expression, signature)
    (name,) = output_names(expression)
    row = _row(expression.argument, signature)
    tensor = signature.output(name)
    if tensor is not None and tensor.dtype == "string" and expression.function in _NEEDS_NUMBERS:
        raise _Misfit(f'{expression.function} needs numbers; output "{name}" is {tensor}')
    if expression.function in _NEEDS_VECTOR and row == ():
        raise _Misfit(f"{expression.function} needs several numbers a row; {expression.argument} of {tensor} gives one")
    match expression.function:
        case Function.ARGMAX | Function.MAX:
            return row[:-1] if row is not None else None
        case Function.TOPK:
            return None
        case _:
            return row


def _indexed(output: Output, signature: ModelSignature) -> Row:
    tensor = signature.output(output.name)
    if tensor is None:
        names = [one.name for one in signature.outputs]
        hint = did_you_mean(output.name, names) or f"; it has {listing(names)}"
        raise _Misfit(f'the model has no output "{output.name}"{hint}')
    if not output.index:
        return _row_of(tensor)
    if not tensor.ranked:
        return None
    inner = tensor.shape[1:]
    if len(output.index) > len(inner):
        count = f"{len(inner)} dimension{'' if len(inner) == 1 else 's'}" if inner else "no dimension"
        raise _Misfit(f"{output} has {len(output.index)} in its index; {tensor} has {count} after the batch")
    for position, size in zip(output.index, inner, strict=False):
        if isinstance(size, int) and not -size <= position < size:
            last = f"0 to {size - 1}" if size else "nothing"
            raise _Misfit(f"{output} is outside of {tensor}, which has {last} there")
    return inner[len(output.index) :]


def _row_of(tensor: TensorInfo) -> Row:
    """A whole output; one fixed trailing dimension of one, as regressors give, reads as a single number."""
    if not tensor.ranked:
        return None
    inner = tensor.shape[1:]
    return () if inner == (1,) else inner
