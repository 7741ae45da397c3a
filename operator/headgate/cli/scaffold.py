"""Decides what a first resource for a model looks like: its columns, how they feed the model, what is read from it.

Called by ``headgate init``; pure. The feeding follows the rules of :mod:`headgate.api.model`: one column per feature
where that is readable, an array column where it is not, constants for inputs without a batch dimension, state for
recurrent tensors. Guesses are marked by a comment, and :mod:`headgate.cli.trial` tries them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headgate.api.expressions import Call, Expression, Function, Output
from headgate.api.reserved import identifier
from headgate.models.signature import ModelInfo, TensorInfo

MOST_COLUMNS = 32
"""A wider tensor is one array column."""
UNKNOWN_WIDTH = 4
UNKNOWN_LENGTH = 8
KEY, STAMP = "record_id", ("model_version", "model_digest", "revision")

_SQL = {
    "float16": "FLOAT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "uint8": "SMALLINT",
    "uint16": "INT",
    "uint32": "BIGINT",
    "uint64": "BIGINT",
    "bool": "BOOLEAN",
    "string": "STRING",
}
_RATES = ("sr", "sample_rate", "sampling_rate")


@dataclass(frozen=True, slots=True)
class InputColumn:
    """One column of the source. ``lengths``: of each level of an array, empty for a scalar."""

    name: str
    dtype: str
    lengths: tuple[int, ...] = ()

    @property
    def sql(self) -> str:
        """Name and type as in CREATE TABLE."""
        return f"{identifier(self.name)} {sql_type(self.dtype, len(self.lengths))}"

    @property
    def sample(self) -> tuple[tuple[str, str], ...]:
        """Options of the datagen connector that keep made-up values harmless."""
        options = []
        field = f"fields.{self.name}"
        for length in self.lengths:
            options.append((f"{field}.length", str(length)))
            field += ".element"
        if self.dtype == "string":
            options.append((f"{field}.length", "4"))
        elif self.dtype != "bool":
            options += [(f"{field}.min", "0"), (f"{field}.max", "1")]
        return tuple(options)


@dataclass(frozen=True, slots=True)
class Feed:
    """One model input and the columns that feed it, in order. ``guessed``: the model does not say how many."""

    tensor: TensorInfo
    columns: tuple[InputColumn, ...]
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """One model input that gets the same value at every call."""

    tensor: TensorInfo
    value: int | float | bool | str


@dataclass(frozen=True, slots=True)
class State:
    """One recurrent tensor."""

    input: str
    output: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of ``scored`` that the model gives."""

    name: str
    expression: str
    type: str

    @property
    def sql(self) -> str:
        """Name and type as in CREATE TABLE."""
        return f"{identifier(self.name)} {self.type}"


@dataclass(frozen=True, slots=True)
class Feeding:
    """How every input of the model is fed."""

    feeds: tuple[Feed, ...]
    constants: tuple[Constant, ...]
    states: tuple[State, ...]

    @property
    def columns(self) -> tuple[InputColumn, ...]:
        """All columns of the source but the key."""
        return tuple(column for feed in self.feeds for column in feed.columns)


def sql_type(dtype: str, depth: int = 0) -> str:
    """Flink's type for elements of ``dtype`` in ``depth`` levels of arrays."""
    return "ARRAY<" * depth + _SQL[dtype] + ">" * depth


def resource_name(text: str) -> str:
    """``text`` as an object's name: lower case, at most 40 of letters, digits and ``-``, a letter first."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    name = name if name[:1].isalpha() else f"model-{name}".strip("-")
    return name[:40].rstrip("-")


def plan_feeding(info: ModelInfo) -> Feeding:
    """Columns, constants and state for the inputs of a model that can be served."""
    states = _states(info)
    taken = {state.input for state in states}
    names = _Names((KEY, *STAMP))
    feeds: list[Feed] = []
    constants: list[Constant] = []
    fed = [tensor for tensor in info.signature.inputs if tensor.name not in taken]
    for tensor in fed:
        if tensor.ranked and not tensor.shape and len(fed) > 1:
            constants.append(Constant(tensor, _constant(tensor)))
        else:
            feeds.append(_feed(tensor, names, info, alone=len(fed) == 1))
    return Feeding(tuple(feeds), tuple(constants), states)


class _Names:
    """Column names, each given once."""

    def __init__(self, taken: Sequence[str]) -> None:
        self._taken = set(taken)

    def take(self, wanted: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_]", "_", wanted)[:56] or "column"
        base = base if not base[0].isdigit() else f"c_{base}"
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name


def _feed(tensor: TensorInfo, names: _Names, info: ModelInfo, *, alone: bool) -> Feed:
    dims = tensor.shape[1:]
    if tensor.ranked and len(tensor.shape) <= 1:
        return Feed(tensor, (InputColumn(names.take(tensor.name), tensor.dtype),))
    if not tensor.ranked or len(dims) == 1:
        width = dims[0] if dims else None
        if isinstance(width, int) and width <= MOST_COLUMNS:
            return Feed(tensor, _row(tensor, width, names, info, alone))
        if isinstance(width, int):
            return Feed(tensor, (InputColumn(names.take(tensor.name), tensor.dtype, (width,)),))
        if alone and tensor.dtype.startswith("float") and not info.signature.input("sr"):
            return Feed(tensor, _row(tensor, UNKNOWN_WIDTH, names, info, alone), guessed=True)
        length = 512 if info.signature.input("sr") else UNKNOWN_LENGTH
        return Feed(tensor, (InputColumn(names.take(tensor.name), tensor.dtype, (length,)),), guessed=True)
    free = [one for one in dims if not isinstance(one, int)]
    name = names.take(tensor.name)
    if not free:
        return Feed(
            tensor, (InputColumn(name, tensor.dtype, (math.prod(one for one in dims if isinstance(one, int)),)),)
        )
    # Two free dimensions cannot be told from a flat array's length, so the array is nested.
    lengths = tuple(one if isinstance(one, int) else 4 * UNKNOWN_LENGTH for one in dims)
    return Feed(tensor, (InputColumn(name, tensor.dtype, lengths),), guessed=True)


def _row(tensor: TensorInfo, width: int, names: _Names, info: ModelInfo, alone: bool) -> tuple[InputColumn, ...]:
    known = _feature_names(info) if alone else ()
    if width == 1:
        wanted: Sequence[str] = (known[0] if len(known) == 1 else tensor.name,)
    elif len(known) == width:
        wanted = known
    else:
        wanted = [f"f{number}" if alone else f"{tensor.name}_{number}" for number in range(1, width + 1)]
    return tuple(InputColumn(names.take(one), tensor.dtype) for one in wanted)


def _feature_names(info: ModelInfo) -> tuple[str, ...]:
    """Names that the exporter left in the metadata: a JSON list, or words between commas."""
    metadata = dict(info.metadata)
    text = next((metadata[key] for key in ("feature_names", "features", "columns") if metadata.get(key)), "")
    try:
        parsed = json.loads(text) if text.startswith("[") else text.split(",")
    except ValueError:
        return ()
    return tuple(str(one).strip() for one in parsed if str(one).strip())


def _constant(tensor: TensorInfo) -> int | float | bool | str:
    if tensor.name.lower() in _RATES:
        return 16000
    match tensor.dtype:
        case "bool":
            return False
        case "string":
            return ""
        case dtype:
            return 0.0 if dtype.startswith("float") else 0


def _states(info: ModelInfo) -> tuple[State, ...]:
    """Inputs that come back as an output of the same type and rank, by the names that exporters give them."""
    found = []
    for tensor in info.signature.inputs:
        if len(tensor.shape) < 2 or not tensor.dtype.startswith("float"):
            continue
        back = {f"{tensor.name}n", f"{tensor.name}_n", f"{tensor.name}N", f"{tensor.name}_out", f"new_{tensor.name}"}
        back |= {f"{tensor.name}Out", f"next_{tensor.name}", f"output_{tensor.name}"}
        if tensor.name.endswith("_in"):
            back.add(f"{tensor.name[:-3]}_out")
        for output in info.signature.outputs:
            if output.name in back and output.dtype == tensor.dtype and output.rank in (tensor.rank, None):
                shape = tuple(one if isinstance(one, int) and one > 0 else 1 for one in tensor.shape)
                found.append(State(tensor.name, output.name, shape, tensor.dtype))
                break
    return tuple(found)


def plan_outputs(
    info: ModelInfo, feeding: Feeding, shapes: Mapping[str, tuple[str, tuple[int, ...]]]
) -> tuple[OutputColumn, ...]:
    """Columns for the outputs that are not state. ``shapes``: (dtype, shape after the batch) of those that are known
    from a trial; for the others the signature's word is taken, a free dimension as a vector."""
    returned = {state.output for state in feeding.states}
    names = _Names((KEY, *STAMP, *(column.name for column in feeding.columns)))
    outputs = [tensor for tensor in info.signature.outputs if tensor.name not in returned]
    has_label = any(not tensor.dtype.startswith("float") for tensor in outputs)
    columns: list[OutputColumn] = []
    for tensor in outputs:
        declared = tuple(one if isinstance(one, int) else 0 for one in tensor.shape[1:]) if tensor.ranked else (0,)
        dtype, dims = shapes.get(tensor.name, (tensor.dtype, declared))
        for wanted, expression, sql in _read(tensor.name, dtype, dims, has_label):
            columns.append(OutputColumn(names.take(wanted), str(expression), sql))
    return tuple(columns)


def _read(name: str, dtype: str, dims: tuple[int, ...], has_label: bool) -> list[tuple[str, Expression, str]]:
    whole = Output(name)
    is_probability = "prob" in name.lower()
    if not dims or dims == (1,):
        return [(name, whole, sql_type(dtype))]
    if set(dims) == {1}:
        return [(name, Output(name, tuple(0 for _ in dims)), sql_type(dtype))]
    if len(dims) == 1 and dtype.startswith("float"):
        if dims[0] == 2 and (is_probability or has_label):
            return [("probability" if is_probability else f"{name}_1", Output(name, (1,)), sql_type(dtype))]
        if dims[0] > 2 and (is_probability or has_label):
            return [("confidence" if has_label else f"{name}_max", Call(Function.MAX, whole), sql_type(dtype))]
        if dims[0] > 2:
            best = (f"{name}_class", Call(Function.ARGMAX, whole), "BIGINT")
            return [best, (f"{name}_score", Call(Function.MAX, whole), sql_type(dtype))]
    return [(name, whole, sql_type(dtype, len(dims)))]
