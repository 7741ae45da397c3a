"""Output expressions: small formulas over a model's outputs, such as ``label(argmax(scores))`` or ``scores[1]``.

Parsed once when the job is planned, evaluated on whole batches. Grammar::

    expr  = call | ref
    call  = NAME "(" expr ("," NUMBER)? ")"
    ref   = (IDENT | '"' any '"') ("[" INT ("," INT)* "]")?

Functions, all along the last axis: ``argmax``, ``max``, ``softmax``, ``sigmoid``, ``threshold(x, t)`` (true where x >= t),
``label(i)`` (the label file's line i), ``topk(x, k)`` (the k best as rows of label or index and score).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace

import numpy as np

from headgate_runtime.errors import MappingRefused

FUNCTIONS = {"argmax": 0, "max": 0, "softmax": 0, "sigmoid": 0, "label": 0, "threshold": 1, "topk": 1}

_NEEDS_VECTOR = frozenset({"argmax", "max", "softmax", "topk"})
_GIVES_NUMBER = frozenset({"argmax", "max"})
_GIVES_TEXT = frozenset({"label", "topk"})
_MAX_DEPTH = 16

_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"[^"]+")|(?P<name>[A-Za-z_][A-Za-z0-9_.:/]*)'
    r"|(?P<number>[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)|(?P<mark>[()\[\],]))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Output:
    """A model output by name, with an optional index into the dimensions after the batch.

    ``flat``: the output has one number a row in a dimension of its own ([n, 1]), and is read as [n].
    """

    name: str
    index: tuple[int, ...] = ()
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one expression and, for some, a number."""

    function: str
    argument: Expression
    parameter: float | None = None


Expression = Output | Call


@dataclass(frozen=True, slots=True)
class TopK:
    """The result of ``topk``: ``indices`` and ``scores`` [n, k], and the labels (empty: none given)."""

    indices: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]


def parse(text: str) -> Expression:
    """Parse one expression; raises :class:`MappingRefused` with the position of what is not understood."""
    tokens: list[tuple[str, str, int]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            start = len(text) - len(text[at:].lstrip())
            raise MappingRefused(f"output expression {text!r}: cannot read {text[start]!r} at column {start + 1}.")
        kind = match.lastgroup or ""
        tokens.append((kind, match.group(kind), match.start(kind)))
        at = match.end()
    parser = _Parser(text, tokens)
    expression = parser.expression()
    parser.end()
    return expression


class _Parser:
    def __init__(self, text: str, tokens: list[tuple[str, str, int]]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0

    def fail(self, what: str) -> MappingRefused:
        column = self.tokens[self.at][2] + 1 if self.at < len(self.tokens) else len(self.text.rstrip()) + 1
        return MappingRefused(f"output expression {self.text!r}: {what} at column {column}.")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at][:2] if self.at < len(self.tokens) else ("end", "")

    def take(self, mark: str) -> None:
        if self.peek() != ("mark", mark):
            raise self.fail(f"expected {mark!r}")
        self.at += 1

    def number(self, wanted: str, accepts: Callable[[str], bool] = lambda _: True) -> str:
        kind, value = self.peek()
        if kind != "number" or not accepts(value):
            raise self.fail(f"expected {wanted}")
        self.at += 1
        return value

    def end(self) -> None:
        if self.at != len(self.tokens):
            raise self.fail(f"unexpected {self.tokens[self.at][1]!r}")

    def expression(self, depth: int = 0) -> Expression:
        kind, value = self.peek()
        if kind not in {"name", "quoted"}:
            raise self.fail("expected an output or a function")
        if depth > _MAX_DEPTH:
            raise self.fail(f"more than {_MAX_DEPTH} functions inside one another")
        self.at += 1
        if kind == "name" and self.peek() == ("mark", "("):
            return self.call(value, depth)
        index: tuple[int, ...] = ()
        if self.peek() == ("mark", "["):
            self.take("[")
            index = (self.whole(),)
            while self.peek() == ("mark", ","):
                self.take(",")
                index += (self.whole(),)
            self.take("]")
        return Output(value[1:-1] if kind == "quoted" else value, index)

    def whole(self) -> int:
        return int(self.number("a whole number", lambda v: v.lstrip("+-").isdigit()))

    def call(self, function: str, depth: int) -> Expression:
        start = self.at - 1
        if function not in FUNCTIONS:
            self.at = start
            raise self.fail(f"no function {function!r} (there are {', '.join(sorted(FUNCTIONS))})")
        self.take("(")
        argument = self.expression(depth + 1)
        parameter = None
        if FUNCTIONS[function]:
            self.take(",")
            k = function == "topk"
            parameter = float(
                self.number("a whole number from 1", lambda v: v.isdigit() and int(v) > 0)
                if k
                else self.number("a number")
            )
        self.take(")")
        if isinstance(argument, Call) and (problem := _unfit(function, argument.function)):
            self.at = start
            raise self.fail(problem)
        return Call(function, argument, parameter)


def _unfit(function: str, inner: str) -> str | None:
    """Why no model can make ``function(inner(...))`` meaningful; None where one can."""
    if inner in _GIVES_TEXT:
        return f"{inner} comes last, {function} cannot take its result"
    if function in _NEEDS_VECTOR and inner in _GIVES_NUMBER:
        return f"{function} needs several numbers a row, {inner} gives one"
    if function == "label" and inner not in {"argmax", "threshold"}:
        return f"label needs the number of a class, such as label(argmax(x)), {inner} gives none"
    return None


def outputs_of(expression: Expression) -> set[str]:
    """The names of the model outputs that an expression reads."""
    return {expression.name} if isinstance(expression, Output) else outputs_of(expression.argument)


def flattened(expression: Expression, names: Set[str]) -> Expression:
    """The expression with the outputs ``names``, where read without an index, as one number a row."""
    if isinstance(expression, Call):
        return replace(expression, argument=flattened(expression.argument, names))
    return replace(expression, flat=expression.name in names and not expression.index)


def evaluate(expression: Expression, outputs: Mapping[str, np.ndarray], labels: tuple[str, ...]) -> np.ndarray | TopK:
    """The expression's values for a batch: [n], [n, ...] or :class:`TopK`; outputs are [n, ...] by name."""
    if isinstance(expression, Output):
        values = outputs[expression.name]
        if expression.index:
            return values[(slice(None), *expression.index)]
        if not expression.flat:
            return values
        if values.ndim != 2 or values.shape[1] != 1:
            raise ValueError(f"output {expression.name!r} gave {list(values.shape[1:])} numbers a row instead of one")
        return values[:, 0]
    argument = evaluate(expression.argument, outputs, labels)
    assert isinstance(argument, np.ndarray), "topk comes last, the parser sees to it"
    return _apply(expression, argument, labels)


def _apply(call: Call, x: np.ndarray, labels: tuple[str, ...]) -> np.ndarray | TopK:
    if x.dtype.kind in "OSUT":
        raise MappingRefused(f"output expression: {call.function}(...) needs numbers, this output holds text.")
    match call.function:
        case "argmax" | "max" | "softmax" | "topk" if x.ndim < 2:
            raise MappingRefused(
                f"output expression: {call.function}(...) needs a vector per row, this one is a single number."
            )
        case "topk" if x.ndim > 2:
            raise MappingRefused(
                f"output expression: topk(...) needs one vector per row, this one has {x.ndim - 1} dimensions."
            )
        case "argmax":
            return x.argmax(axis=-1)
        case "max":
            return x.max(axis=-1)
        case "softmax":
            x = _floating(x)
            with np.errstate(invalid="ignore"):  # an infinite score makes its row NaN, without a word
                powers = np.exp(x - x.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        case "sigmoid":
            # exp of a number that is never positive: neither end overflows.
            wide = _floating(x).astype(np.float64)
            small = np.exp(-np.abs(wide))
            return (np.where(wide >= 0, 1.0, small) / (1.0 + small)).astype(_floating(x).dtype)
        case "threshold":
            return x >= call.parameter
        case "label":
            return _labels_of(x, labels)
        case _:
            return _topk(x, int(call.parameter or 1), labels)


def _floating(x: np.ndarray) -> np.ndarray:
    """Integers and booleans as float64; floats as they are."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _labels_of(x: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    if not labels:
        raise MappingRefused(
            "output expression: label(...) needs spec.model.labels, a text file with one label a line."
        )
    if x.dtype.kind == "f" and not np.array_equal(x, np.floor(x)):
        raise MappingRefused("output expression: label(...) needs the number of a class, this output holds fractions.")
    indices = x.astype(np.int64)
    if indices.size and (indices.min() < 0 or indices.max() >= len(labels)):
        worst = int(indices.min() if indices.min() < 0 else indices.max())
        raise MappingRefused(
            f"output expression: label(...) got class {worst}, the label file has {len(labels)} lines."
        )
    return np.asarray(labels, dtype=object)[indices]


def _topk(x: np.ndarray, k: int, labels: tuple[str, ...]) -> TopK:
    k = min(k, x.shape[-1])
    order = np.argsort(-_floating(x), axis=-1, kind="stable")[..., :k]
    return TopK(order, np.take_along_axis(x, order, axis=-1), labels)
