"""From a model's outputs to the columns of ``scored``: which expressions, which SQL types, which values.

The SQL types follow from the outputs of the smoke batch, so a graph without shape information needs nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headgate_runtime import expressions
from headgate_runtime.columns import nearest, quote
from headgate_runtime.dtypes import output_sql_type, to_output_carrier
from headgate_runtime.errors import MappingRefused


@dataclass(frozen=True, slots=True)
class Field:
    """One value that travels from Python to Flink: a scalar, or an array of scalars (Arrow carries no array of rows here)."""

    name: str
    sql_type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One column of ``scored``: its name, expression and SQL type. ``size``: the k of a top-k, else 0."""

    name: str
    expression: expressions.Expression
    sql_type: str
    size: int = 0

    @property
    def fields(self) -> tuple[Field, ...]:
        """What travels: the value itself, or for a top-k its labels and its scores."""
        if not self.size:
            return (Field(self.name, self.sql_type),)
        (_, first), (_, score) = _pairs(self.sql_type)
        return (Field(f"{self.name}__which", f"ARRAY<{first}>"), Field(f"{self.name}__score", f"ARRAY<{score}>"))

    def sql(self, row: str) -> str:
        """The column as SQL over the row of fields named ``row``."""
        if not self.size:
            return f"{row}.{quote(self.name)}"
        which, score = (f"{row}.{quote(f.name)}" for f in self.fields)
        items = ", ".join(f"ROW({which}[{at}], {score}[{at}])" for at in range(1, self.size + 1))
        return f"CAST(ARRAY[{items}] AS {self.sql_type})"


def _pairs(sql_type: str) -> list[tuple[str, str]]:
    inner = sql_type.removeprefix("ARRAY<ROW<").removesuffix(">>")
    return [(name, kind) for name, kind in (field.strip().split(" ", 1) for field in inner.split(","))]


def plan_answers(
    outputs: Mapping[str, str], names: Sequence[str], sample: Mapping[str, np.ndarray], labels: tuple[str, ...]
) -> tuple[Answer, ...]:
    """Decide the columns: ``outputs`` as the resource gives them, or every output by its name.

    ``sample``: outputs [n, ...] of a smoke batch. Raises :class:`MappingRefused` naming column and expression.
    """
    chosen = dict(outputs) or {_column_name(n): f'"{n}"' for n in names}
    answers = []
    for column, text in chosen.items():
        expression = expressions.parse(text)
        for name in sorted(expressions.outputs_of(expression)):
            if name not in names:
                raise MappingRefused(
                    f"spec.model.outputs.{column}: the model has no output {name!r}. {nearest(name, tuple(names))}"
                )
        # A trailing dimension of one, as regressors give, is a scalar to everyone who reads the answer.
        single = {n for n, v in sample.items() if v.ndim == 2 and v.shape[1] == 1}
        expression = expressions.flattened(expression, single)
        try:
            value = expressions.evaluate(expression, sample, labels)
        except (IndexError, ValueError) as error:
            shapes = ", ".join(f"{n} {list(sample[n].shape)}" for n in sorted(expressions.outputs_of(expression)))
            raise MappingRefused(
                f"spec.model.outputs.{column}: {text} does not fit the outputs ({shapes}): {error}."
            ) from error
        except MappingRefused as error:
            raise MappingRefused(f"spec.model.outputs.{column}: {error.message}") from error
        size = value.indices.shape[1] if isinstance(value, expressions.TopK) else 0
        answers.append(Answer(column, expression, _sql_type(value), size))
    return tuple(answers)


def _column_name(output: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else "_" for c in output)


def _sql_type(value: np.ndarray | expressions.TopK) -> str:
    if isinstance(value, expressions.TopK):
        first = "`label` STRING" if value.labels else "`index` BIGINT"
        return f"ARRAY<ROW<{first}, `score` {output_sql_type(value.scores.dtype)}>>"
    sql = output_sql_type(value.dtype)
    for _ in range(value.ndim - 1):
        sql = f"ARRAY<{sql}>"
    return sql


def values_of(
    answers: Sequence[Answer], outputs: Mapping[str, np.ndarray], labels: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Every field's values, [n] by field name: numbers as they are, arrays as objects."""
    values: dict[str, np.ndarray] = {}
    for answer in answers:
        value = expressions.evaluate(answer.expression, outputs, labels)
        if isinstance(value, expressions.TopK):
            which = (
                np.asarray(value.labels, dtype=object)[value.indices]
                if value.labels
                else value.indices.astype(np.int64)
            )
            parts = (which, value.scores)
        else:
            parts = (value,)
        for field, part in zip(answer.fields, parts, strict=True):
            if part.ndim != 1 + field.sql_type.count("ARRAY<"):
                raise ValueError(
                    f"column {field.name!r} is {field.sql_type}, this batch gave it the shape {list(part.shape)}"
                )
            values[field.name] = column_of(part)
    return values


def column_of(value: np.ndarray) -> np.ndarray:
    """Values [n, ...] as one column of n: scalars stay an array of their dtype, vectors become objects."""
    carried = to_output_carrier(value)
    if carried.ndim == 1:
        return carried
    # Assigned one by one: numpy would read a list of equal arrays or lists as one array of more dimensions.
    column = np.empty(len(carried), dtype=object)
    for at, row in enumerate(carried):
        column[at] = row if carried.ndim == 2 else row.tolist()
    return column


def scatter(column: np.ndarray, rows: np.ndarray, total: int) -> np.ndarray:
    """``column`` [m] spread to [total]; rows that got nothing hold zero, False or None."""
    if len(column) == total:
        return column
    spread = np.zeros(total, dtype=column.dtype) if column.dtype != object else np.full(total, None, dtype=object)
    spread[rows] = column
    return spread
