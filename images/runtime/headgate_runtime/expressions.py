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
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from headgate_runtime.errors import MappingRefused

FUNCTIONS = {"argmax": 0, "max": 0, "softmax": 0, "sigmoid": 0, "label": 0, "threshold": 1, "topk": 1}

_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"[^"]+")|(?P<name>[A-Za-z_][\w.:/]*)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|(?P<mark>[()\[\],]))'
)


@dataclass(frozen=True, slots=True)
class Output:
    """A model output by name, with an optional index into the dimensions after the batch."""

    name: str
    index: tuple[int, ...] = ()


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
            raise MappingRefused(f"output expression {text!r}: cannot read it at column {at + 1}.")
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
        column = self.tokens[self.at][2] + 1 if self.at < len(self.tokens) else len(self.text) + 1
        return MappingRefused(f"output expression {self.text!r}: {what} at column {column}.")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at][:2] if self.at < len(self.tokens) else ("end", "")

    def take(self, mark: str) -> None:
        if self.peek() != ("mark", mark):
            raise self.fail(f"expected {mark!r}")
        self.at += 1

    def number(self) -> str:
        kind, value = self.peek()
        if kind != "number":
            raise self.fail("expected a number")
        self.at += 1
        return value

    def end(self) -> None:
        if self.at != len(self.tokens):
            raise self.fail(f"unexpected {self.tokens[self.at][1]!r}")

    def expression(self) -> Expression:
        kind, value = self.peek()
        if kind not in {"name", "quoted"}:
            raise self.fail("expected an output or a function")
        self.at += 1
        if kind == "name" and self.peek() == ("mark", "("):
            return self.call(value)
        name = value[1:-1] if kind == "quoted" else value
        index: tuple[int, ...] = ()
        if self.peek() == ("mark", "["):
            self.take("[")
            index = (int(self.number()),)
            while self.peek() == ("mark", ","):
                self.take(",")
                index += (int(self.number()),)
            self.take("]")
        return Output(name, index)

    def call(self, function: str) -> Expression:
        if function not in FUNCTIONS:
            self.at -= 1
            raise self.fail(f"no function {function!r} (there are {', '.join(sorted(FUNCTIONS))})")
        self.take("(")
        argument = self.expression()
        parameter = None
        if FUNCTIONS[function]:
            self.take(",")
            parameter = float(self.number())
        self.take(")")
        return Call(function, argument, parameter)


def outputs_of(expression: Expression) -> set[str]:
    """The names of the model outputs that an expression reads."""
    return {expression.name} if isinstance(expression, Output) else outputs_of(expression.argument)


def evaluate(expression: Expression, outputs: Mapping[str, np.ndarray], labels: tuple[str, ...]) -> np.ndarray | TopK:
    """The expression's values for a batch: [n], [n, ...] or :class:`TopK`; outputs are [n, ...] by name."""
    if isinstance(expression, Output):
        values = outputs[expression.name]
        if expression.index:
            return values[(slice(None), *expression.index)]
        # A fixed trailing dimension of one, as regressors give, is a scalar to everyone who reads the answer.
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    argument = evaluate(expression.argument, outputs, labels)
    if isinstance(argument, TopK):
        raise MappingRefused("output expression: topk(...) cannot be an argument of another function.")
    return _apply(expression, argument, labels)


def _apply(call: Call, x: np.ndarray, labels: tuple[str, ...]) -> np.ndarray | TopK:
    match call.function:
        case "argmax" | "max" | "softmax" | "topk" if x.ndim < 2:
            raise MappingRefused(
                f"output expression: {call.function}(...) needs a vector per row, this one is a single number."
            )
        case "argmax":
            return x.argmax(axis=-1)
        case "max":
            return x.max(axis=-1)
        case "softmax":
            powers = np.exp(x - x.max(axis=-1, keepdims=True))
            return powers / powers.sum(axis=-1, keepdims=True)
        case "sigmoid":
            return (1.0 / (1.0 + np.exp(-x.astype(np.float64)))).astype(x.dtype)
        case "threshold":
            return x >= call.parameter
        case "label":
            return _labels_of(x, labels)
        case _:
            return _topk(x, int(call.parameter or 1), labels)


def _labels_of(x: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    if not labels:
        raise MappingRefused(
            "output expression: label(...) needs spec.model.labels, a text file with one label a line."
        )
    indices = x.astype(np.int64)
    if indices.size and (indices.min() < 0 or indices.max() >= len(labels)):
        worst = int(indices.max())
        raise MappingRefused(
            f"output expression: label(...) got class {worst}, the label file has {len(labels)} lines."
        )
    return np.asarray(labels, dtype=object)[indices]


def _topk(x: np.ndarray, k: int, labels: tuple[str, ...]) -> TopK:
    k = min(k, x.shape[-1])
    order = np.argsort(-x, axis=-1, kind="stable")[:, :k]
    return TopK(order, np.take_along_axis(x, order, axis=-1), labels)
