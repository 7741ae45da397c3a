"""Whether a value of ``spec.model.constants`` fits the model input that it is given to. Pure; called by the signature
check."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from headgate.models.signature import TensorInfo


def constant_problem(value: JsonValue, tensor: TensorInfo) -> str:
    """What is wrong with ``value`` for ``tensor``, or an empty text. Ragged lists are another check's business."""
    shape = _shape(value)
    # A single number fills a tensor whose dimensions are all one.
    filling = shape == () and all(size == 1 or not isinstance(size, int) for size in tensor.shape)
    if tensor.ranked and not filling and not _fits(shape, tensor):
        given = f"a tensor of shape {list(shape)}" if shape else "a single value"
        return f"the model input {tensor} cannot take {given}"
    wrong = next((leaf for leaf in _leaves(value) if not _is_of(leaf, tensor.dtype)), None)
    return f"the model input {tensor} cannot take {wrong!r}" if wrong is not None else ""


def _shape(value: JsonValue) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    return (len(value), *(_shape(value[0]) if value else ()))


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _fits(shape: tuple[int, ...], tensor: TensorInfo) -> bool:
    return len(shape) == len(tensor.shape) and all(
        not isinstance(own, int) or own == given for own, given in zip(tensor.shape, shape, strict=True)
    )


def _is_of(leaf: JsonValue, dtype: str) -> bool:
    if dtype == "string":
        return isinstance(leaf, str)
    if dtype == "bool":
        return isinstance(leaf, bool)
    if isinstance(leaf, bool) or not isinstance(leaf, int | float):
        return False
    if dtype.startswith("float"):
        return True
    bits = int(dtype.lstrip("uint"))
    low, high = (0, 2**bits) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return float(leaf).is_integer() and low <= leaf < high
