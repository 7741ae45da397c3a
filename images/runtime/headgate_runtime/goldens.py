"""The goldens gate: rows with known answers go through the step that live records will go through.

Called by :mod:`headgate_runtime.application` once the plan is made, before any live record. The file holds one JSON object a
line: features by the names of ``spec.pipeline.input``'s columns, expected answers by the names of ``spec.model.outputs``;
other columns of the input may stand beside them. What SQL does to a live row on its way to the model (casts, the marker of
nulls) is done here by the same rules; everything after that is the step itself.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headgate_runtime.answers import Answer
from headgate_runtime.columns import Column, nearest
from headgate_runtime.contract import Goldens
from headgate_runtime.dtypes import plan_feed
from headgate_runtime.errors import GoldensFailed
from headgate_runtime.mapping import Argument, InputPlan
from headgate_runtime.model import Model
from headgate_runtime.stateful import KeyedStep
from headgate_runtime.step import Scorer, StepPlan
from headgate_runtime.tally import Tally
from headgate_runtime.values import REFUSALS, converter

_SHOWN = 3
_LONGEST = 80
_CARRIED: dict[str, Any] = {
    "FLOAT": np.float32, "DOUBLE": np.float64, "TINYINT": np.int8, "SMALLINT": np.int16, "INT": np.int32,
    "BIGINT": np.int64, "BOOLEAN": np.bool_, "STRING": np.object_,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Golden:
    """One row: where it stands in the file (from 1), and its values by name."""

    line: int
    values: dict[str, Any]


def check_goldens(plan: StepPlan, model: Model, columns: Sequence[Column], key: str) -> int:
    """Score every golden row and compare; gives their number.

    ``columns``: those of the input. Rows of a model with state that share their ``key`` are one sequence, in the file's
    order; a row without a key stands alone. Raises :class:`GoldensFailed` naming line, output, what was expected and got.
    """
    goldens = plan.job.goldens
    assert goldens is not None
    rows = _read(goldens)
    _check_names(rows, plan, columns)
    plan = replace(plan, fail_on_error=False)
    marker, values = _values(rows, plan, {c.name: c for c in columns})
    if plan.job.state:
        scored = _sequences(plan, model, [row.values.get(key) for row in rows], marker, values)
    else:
        scored = _batch(plan, model, marker, values)
    problems: list[str] = []
    failed = 0
    for row, answers in zip(rows, scored, strict=True):
        found = list(_differences(row, answers, plan.answers, goldens.tolerance))
        failed += bool(found)
        problems += found
    if problems:
        more = f" … and {len(problems) - _SHOWN} more." if len(problems) > _SHOWN else ""
        raise GoldensFailed(
            f"{failed} of {len(rows)} golden rows do not get their answer: {' '.join(problems[:_SHOWN])}{more} "
            "If the new answers are right, write them into spec.model.goldens."
        )
    return len(rows)


# ---- the file ----------------------------------------------------------------------------------------------------------


def _read(goldens: Goldens) -> tuple[Golden, ...]:
    try:
        data = goldens.path.read_bytes()
    except OSError as error:
        raise GoldensFailed(f"The goldens cannot be read: {error.strerror}. Build again.") from error
    actual = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if actual != goldens.digest:
        raise GoldensFailed(f"The goldens have {actual}, job.json says {goldens.digest}. Build again.")
    rows = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            raise GoldensFailed(f"spec.model.goldens, line {number} is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise GoldensFailed(f"spec.model.goldens, line {number} is no object of names and values.")
        rows.append(Golden(number, values))
    if not rows:
        raise GoldensFailed("spec.model.goldens holds no row, so it says nothing of the model.")
    return tuple(rows)


def _check_names(rows: Sequence[Golden], plan: StepPlan, columns: Sequence[Column]) -> None:
    outputs = {a.name for a in plan.answers}
    fed = dict.fromkeys(a.column for a in plan.mapping.arguments)
    known = tuple(dict.fromkeys((*(c.name for c in columns), *(a.name for a in plan.answers))))
    for row in rows:
        for name in row.values:
            if name not in known:
                raise GoldensFailed(
                    f"spec.model.goldens, line {row.line}: {name!r} is neither a column of spec.pipeline.input nor an "
                    f"output. {nearest(name, known)}"
                )
        missing = [name for name in fed if name not in row.values]
        if missing:
            raise GoldensFailed(f"spec.model.goldens, line {row.line}: the feature {missing[0]!r} is missing.")
        if not outputs & row.values.keys():
            raise GoldensFailed(
                f"spec.model.goldens, line {row.line} expects nothing: give it one of {', '.join(sorted(outputs))}."
            )


# ---- rows as the step gets them ----------------------------------------------------------------------------------------


def _values(
    rows: Sequence[Golden], plan: StepPlan, columns: dict[str, Column]
) -> tuple[np.ndarray, list[np.ndarray | list[Any]]]:
    """The marker of nulls [n], and per argument its n values in the dtype that SQL's cast gives them."""
    marker = np.zeros(len(rows), dtype=np.int16)
    values: list[np.ndarray | list[Any]] = []
    seen: dict[tuple[int, str], int] = {}
    for at, (argument, feeding) in enumerate(_with_inputs(plan)):
        column = columns[argument.column]
        field = None
        if column.fields:
            # A row's fields come one after the other, for each input that it feeds.
            position = seen.get((feeding.first, column.name), 0)
            seen[feeding.first, column.name] = position + 1
            field = column.fields[position]
        found = [_convert(row, argument, field or column, column, field) for row in rows]
        for row, value in enumerate(found):
            if value is None or (argument.nested and isinstance(value, list) and None in value):
                if not argument.null:
                    raise GoldensFailed(
                        f"spec.model.goldens, line {rows[row].line}: {argument.column!r} is null, and the column is NOT NULL."
                    )
                marker[row] = marker[row] or at + 1
        values.append(found if argument.nested else _carried(found, feeding, field or column))
    return marker, values


def _with_inputs(plan: StepPlan) -> Iterator[tuple[Argument, InputPlan]]:
    for feeding in plan.mapping.inputs:
        for argument in plan.mapping.arguments[feeding.first : feeding.first + feeding.count]:
            yield argument, feeding


def _convert(row: Golden, argument: Argument, leaf: Column, column: Column, field: Column | None) -> Any:
    value = row.values[argument.column]
    try:
        if field is not None and value is not None:
            if not isinstance(value, dict):
                raise ValueError("not an object")
            value = value.get(field.name)
        return None if value is None else converter(leaf)(value)
    except (*REFUSALS, KeyError) as error:
        raise GoldensFailed(
            f"spec.model.goldens, line {row.line}: {argument.column!r} is {_short(value)}, which is not {column.sql}: {error}."
        ) from error


def _carried(found: list[Any], feeding: InputPlan, column: Column) -> np.ndarray:
    feed = plan_feed(feeding.tensor.dtype, column.root)
    assert feed is not None, "the mapping was planned by the same rule"
    dtype = _CARRIED[feed.sql_type]
    absent = math.nan if feed.sql_type in {"FLOAT", "DOUBLE"} else "" if feed.sql_type == "STRING" else 0
    with np.errstate(over="ignore"):
        return np.array([absent if value is None else value for value in found], dtype=dtype)


# ---- scoring -----------------------------------------------------------------------------------------------------------

Scored = dict[str, Any] | str
"""One row's answers by field, or why it has none."""


def _batch(plan: StepPlan, model: Model, marker: np.ndarray, values: list[Any]) -> list[Scored]:
    scorer = Scorer(plan, model, Tally(None, plan.job.version, kept=False))
    answers, errors = scorer.score([marker, *values] if plan.mapping.null_marker else values)
    return [
        _told(error) if isinstance(error, str) else {name: column[at] for name, column in answers.items()}
        for at, error in enumerate(errors.tolist())
    ]


class _Kept:
    """The state of one key, as Flink's ``ValueState``."""

    def __init__(self) -> None:
        self._value: Any = None

    def value(self) -> Any:
        """What was kept last."""
        return self._value

    def update(self, value: Any) -> None:
        """Keep another value."""
        self._value = value


class _Sequence(KeyedStep):
    """The step for models with state, with a model and states of its own instead of Flink's."""

    def __init__(self, plan: StepPlan, model: Model) -> None:
        super().__init__(plan, 0, (0, ""))
        self._model, self._tally, self._state = model, Tally(None, plan.job.version, kept=False), _Kept()

    def answer(self, arguments: list[Any], kept: _Kept) -> Scored:
        """One row with the state of its key, which is kept."""
        self._state = kept
        answers, error = self._score(arguments)
        if error is not None or answers is None:
            return _told(error.encode() if error is not None else "")
        return dict(zip((f.name for a in self.plan.answers for f in a.fields), answers, strict=True))


def _sequences(plan: StepPlan, model: Model, keys: list[Any], marker: np.ndarray, values: list[Any]) -> list[Scored]:
    step = _Sequence(plan, model)
    states: dict[str, _Kept] = {}
    scored = []
    for row, key in enumerate(keys):
        kept = _Kept() if key is None else states.setdefault(json.dumps(key), _Kept())
        arguments = [v[row].item() if isinstance(v[row], np.generic) else v[row] for v in values]
        scored.append(step.answer([int(marker[row]), *arguments], kept))
    return scored


def _told(error: str) -> str:
    reason, column, detail = error.split("\x1f")
    return f"{reason}{f' in column {column!r}' if column else ''}: {detail}"


# ---- comparing ---------------------------------------------------------------------------------------------------------


def _differences(row: Golden, scored: Scored, answers: Sequence[Answer], tolerance: float) -> Iterator[str]:
    if isinstance(scored, str):
        yield f"Line {row.line} is not scored ({scored})."
        return
    for answer in answers:
        if answer.name not in row.values:
            continue
        got, expected = _plain(answer, scored), row.values[answer.name]
        if not _equal(got, expected, tolerance, single="FLOAT" in answer.sql_type):
            by = f" ({abs(got - expected):.4g} apart, {tolerance:g} allowed)" if _numbers(got, expected) else ""
            yield f"Line {row.line}: {answer.name} is {_short(got)}, expected {_short(expected)}{by}."


def _plain(answer: Answer, scored: dict[str, Any]) -> Any:
    parts = [scored[f.name] for f in answer.fields]
    parts = [p.tolist() if isinstance(p, np.ndarray | np.generic) else p for p in parts]
    return [list(pair) for pair in zip(*parts, strict=True)] if answer.size else parts[0]


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _equal(got: Any, expected: Any, tolerance: float, *, single: bool) -> bool:
    """Whether an answer is as expected: numbers within ``tolerance``, NaN for null, a top-k's pairs as lists or objects."""
    if isinstance(got, list):
        if isinstance(expected, dict):
            expected = list(expected.values())
        if not isinstance(expected, list) or len(got) != len(expected):
            return False
        return all(_equal(g, e, tolerance, single=single) for g, e in zip(got, expected, strict=True))
    if expected is None or got is None:
        return got is expected or (isinstance(got, float) and math.isnan(got))
    if not _numbers(got, expected):
        return type(got) is type(expected) and bool(got == expected)
    if isinstance(got, float) and math.isnan(got):
        return math.isnan(expected)
    # A text such as 0.1 means the number that a float of the column holds for it.
    with np.errstate(over="ignore"):
        wanted = float(np.float32(expected)) if single and isinstance(got, float) else expected
    return bool(got == wanted) or abs(got - wanted) <= tolerance or abs(got - expected) <= tolerance


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
