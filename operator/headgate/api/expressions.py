"""Parses ``spec.model.outputs``: formulas over a model's outputs such as ``label(argmax(scores))`` or ``scores[1]``.

Called by validation, by whoever compares outputs with a model's signature, and by ``headgate init``. The grammar stands
in :mod:`headgate.api.model`; the runtime has a parser of its own for the same grammar, since the two projects share no
code. It never evaluates anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from headgate.api.names import did_you_mean


class Function(StrEnum):
    """What may be applied to an output; all along the last axis."""

    ARGMAX = "argmax"
    MAX = "max"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    THRESHOLD = "threshold"
    LABEL = "label"
    TOPK = "topk"


NUMBERED = frozenset({Function.THRESHOLD, Function.TOPK})
"""Functions with a number as second argument."""

_NEEDS_VECTOR = frozenset({Function.ARGMAX, Function.MAX, Function.SOFTMAX, Function.TOPK})
_GIVES_NUMBER = frozenset({Function.ARGMAX, Function.MAX})
_GIVES_TEXT = frozenset({Function.LABEL, Function.TOPK})
_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"[^"]+")|(?P<name>[A-Za-z_][A-Za-z0-9_.:/]*)'
    r"|(?P<number>[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)|(?P<mark>[()\[\],]))",
    re.ASCII,
)
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/]*", re.ASCII)
_MAX_DEPTH = 16


class ExpressionError(ValueError):
    """An expression that cannot be read; ``column`` counts characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.column = column


@dataclass(frozen=True, slots=True)
class Output:
    """A model output by name, with an optional index into its dimensions after the batch."""

    name: str
    index: tuple[int, ...] = ()

    def __str__(self) -> str:
        name = self.name if _BARE.fullmatch(self.name) else f'"{self.name}"'
        return name + (f"[{', '.join(map(str, self.index))}]" if self.index else "")


@dataclass(frozen=True, slots=True)
class Call:
    """A function of an expression; ``number`` is given exactly for the functions in :data:`NUMBERED`."""

    function: Function
    argument: Expression
    number: float | None = None

    def __str__(self) -> str:
        if self.number is None:
            return f"{self.function}({self.argument})"
        number = str(int(self.number)) if self.number.is_integer() else repr(self.number)
        return f"{self.function}({self.argument}, {number})"


Expression = Output | Call


def parse_expression(text: str) -> Expression:
    """Parse one expression.

    Raises:
        ExpressionError: with the column of what is not understood, or of a function that cannot take its argument.
    """
    parser = _Parser(text)
    expression = parser.expression(0)
    if parser.here[0] != "end":
        raise parser.error(parser.unexpected())
    return expression


def output_names(expression: Expression) -> tuple[str, ...]:
    """The model outputs that an expression reads (today exactly one)."""
    return (expression.name,) if isinstance(expression, Output) else output_names(expression.argument)


def functions(expression: Expression) -> tuple[Function, ...]:
    """The functions of an expression, outermost first."""
    return () if isinstance(expression, Output) else (expression.function, *functions(expression.argument))


def gives_number(expression: Expression) -> bool:
    """False where the value is no number per row whatever the model is: labels, top-k, whole vectors of softmax."""
    return isinstance(expression, Output) or expression.function not in _GIVES_TEXT | {Function.SOFTMAX}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
                raise ExpressionError(self._unreadable(text[column - 1]), column)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind], match.start(kind) + 1))
            at = match.end()
        self.tokens.append(("end", "", len(text.rstrip()) + 1))
        self.at = 0

    @staticmethod
    def _unreadable(character: str) -> str:
        if character == '"':
            return "a double quote opens a name that never ends"
        named = "a name with other characters than letters, digits and _ . : / needs double quotes"
        return f'"{character}" has no meaning here; {named}'

    @property
    def here(self) -> tuple[str, str, int]:
        return self.tokens[self.at]

    def error(self, message: str) -> ExpressionError:
        return ExpressionError(message, self.here[2])

    def unexpected(self, wanted: str = "") -> str:
        kind, value, _ = self.here
        found = "the end" if kind == "end" else f'"{value}"' if kind != "quoted" else value
        if kind == "number" and value.startswith("-") and not wanted:
            return f"{found} is not expected here; a name with a - in it needs double quotes"
        return f"expected {wanted}, not {found}" if wanted else f"{found} is not expected here"

    def take(self, mark: str) -> None:
        if self.here[:2] != ("mark", mark):
            raise self.error(self.unexpected(f'"{mark}"'))
        self.at += 1

    def expression(self, depth: int) -> Expression:
        kind, value, column = self.here
        if kind not in ("name", "quoted"):
            raise self.error(self.unexpected("an output or a function"))
        if depth > _MAX_DEPTH:
            raise self.error(f"more than {_MAX_DEPTH} functions inside one another")
        self.at += 1
        if kind == "name" and self.here[:2] == ("mark", "("):
            return self._call(value, column, depth)
        name = value[1:-1] if kind == "quoted" else value
        return Output(name, self._index())

    def _index(self) -> tuple[int, ...]:
        if self.here[:2] != ("mark", "["):
            return ()
        index: list[int] = []
        while not index or self.here[:2] == ("mark", ","):
            self.at += 1
            kind, value, _ = self.here
            if kind != "number" or not value.lstrip("+-").isdigit():
                raise self.error(self.unexpected("a whole number"))
            index.append(int(value))
            self.at += 1
        self.take("]")
        return tuple(index)

    def _call(self, name: str, column: int, depth: int) -> Expression:
        if name not in Function.__members__.values():
            known = did_you_mean(name, Function) or f"; there are {', '.join(Function)}"
            raise ExpressionError(f'there is no function "{name}"{known}', column)
        function = Function(name)
        self.take("(")
        argument = self.expression(depth + 1)
        number = self._number(function) if function in NUMBERED else None
        if function not in NUMBERED and self.here[:2] == ("mark", ","):
            raise self.error(f"{function} takes one argument")
        self.take(")")
        if self.here[:2] == ("mark", "["):
            raise self.error("an index follows an output's name, not a function")
        _check(function, argument, column)
        return Call(function, argument, number)

    def _number(self, function: Function) -> float:
        wanted = "k, a whole number from 1" if function is Function.TOPK else "a number to compare with"
        if self.here[:2] == ("mark", ")"):
            raise self.error(f"{function} takes two arguments; the second is {wanted}")
        self.take(",")
        kind, value, _ = self.here
        if kind != "number" or (function is Function.TOPK and not (value.isdigit() and int(value))):
            raise self.error(self.unexpected(wanted))
        self.at += 1
        return float(value)


def _check(function: Function, argument: Expression, column: int) -> None:
    """Refuse what no model can make meaningful: the argument's own function gives the wrong kind of value."""
    if isinstance(argument, Output):
        return
    inner = argument.function
    if inner in _GIVES_TEXT:
        raise ExpressionError(f"{inner} comes last: {function} cannot take its result", column)
    if function in _NEEDS_VECTOR and inner in _GIVES_NUMBER:
        raise ExpressionError(f"{function} needs several numbers a row; {inner} gives one", column)
    if function is Function.LABEL and inner not in (Function.ARGMAX, Function.THRESHOLD):
        message = f"label needs the number of a class, such as label(argmax(x)); {inner} gives none"
        raise ExpressionError(message, column)
