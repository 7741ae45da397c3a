"""The model step: scores a batch of rows, and gives every row either its answers or the reason why it has none.

Called by Flink as a vectorised function, once per batch; :class:`Scorer` is the part that knows nothing of Flink.
It never raises for a bad record unless the resource says ``onError: Fail``.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyflink.table.udf import FunctionContext, ScalarFunction

from headgate_runtime.answers import Answer, scatter, values_of
from headgate_runtime.contract import ModelJob
from headgate_runtime.errors import DeadLetterReason, MappingRefused, RecordRefused
from headgate_runtime.mapping import Mapping, RowError
from headgate_runtime.model import MODEL_ERRORS, POOL, Model, first_line
from headgate_runtime.nested import Ragged
from headgate_runtime.tally import Tally

ERROR = "hg_error"
"""The field of the step's row that is null exactly where the row was scored."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """All that a worker needs to score: shipped with the job, decided before it starts."""

    job: ModelJob
    mapping: Mapping
    answers: tuple[Answer, ...]
    fail_on_error: bool
    row_limit: int | None = None


class Scorer:
    """Scores batches with one loaded model."""

    def __init__(self, plan: StepPlan, model: Model, tally: Tally) -> None:
        self.plan, self.model, self.tally = plan, model, tally

    def score(self, values: Sequence[Any]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Answers [n] by field and errors [n] (None or NaN where scored) for n rows of the mapping's arguments."""
        feeds, errors = self.plan.mapping.assemble(values)
        total = len(values[0])
        good = np.arange(total)
        if errors:
            good = np.delete(good, list(errors))
        answers, good = self._run_by_shape(feeds, good, total, errors)
        if errors and self.plan.fail_on_error:
            row, error = next(iter(errors.items()))
            raise RecordRefused(
                f"spec.pipeline.onError is Fail and a record cannot be scored: {error.reason} in column {error.column!r}: "
                f"{error.detail} (row {row} of its batch)."
            )
        spread = {name: scatter(column, good, total) for name, column in answers.items()}
        # A column of NaN is Arrow's cheapest way to "no text at all"; objects are looked at one by one.
        reasons = np.full(total, np.nan) if not errors else np.full(total, None, dtype=object)
        for row, error in errors.items():
            reasons[row] = error.encode()
        self.tally.add(len(good), Counter(e.reason.value for e in errors.values()))
        if self.plan.job.histogram is not None and len(good):
            self.tally.observe(answers[self.plan.job.histogram])
        if self.tally.wants_sample and len(good):
            self.tally.show(_first_rows(self.plan, values, good, answers))
        return spread, reasons

    def _run_by_shape(
        self, feeds: dict[str, np.ndarray | Ragged], rows: np.ndarray, total: int, errors: dict[int, RowError]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Answers for ``rows`` in their order; only rows whose tensors have one shape share a batch."""
        ragged = [v.shapes() for v in feeds.values() if isinstance(v, Ragged)]
        if not ragged:
            dense = {k: v for k, v in feeds.items() if isinstance(v, np.ndarray)}
            return self._run(dense if len(rows) == total else {k: v[rows] for k, v in dense.items()}, rows, errors)
        groups: dict[Any, list[int]] = {}
        for row in rows.tolist():
            groups.setdefault(tuple(shapes[row] for shapes in ragged), []).append(row)
        parts = [(self._blank(), rows[:0])]
        for members in map(np.asarray, groups.values()):
            chosen = {k: v.stacked(members) if isinstance(v, Ragged) else v[members] for k, v in feeds.items()}
            parts.append(self._run(chosen, members, errors))
        answers, scored = _joined(parts)
        order = np.argsort(scored)
        return {name: column[order] for name, column in answers.items()}, scored[order]

    def _run(
        self, feeds: dict[str, np.ndarray], rows: np.ndarray, errors: dict[int, RowError]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Answers for ``rows``; a batch that the model refuses is halved until the rows to blame stand alone."""
        limit = self.plan.job.execution.max_batch_rows
        if len(rows) > limit:
            parts = [
                self._run({k: v[at : at + limit] for k, v in feeds.items()}, rows[at : at + limit], errors)
                for at in range(0, len(rows), limit)
            ]
            return _joined(parts)
        if not len(rows):
            return self._blank(), rows
        started = time.perf_counter()
        try:
            answers = values_of(self.plan.answers, self.model.run(feeds), self.plan.job.labels)
        except (*MODEL_ERRORS, MappingRefused) as error:
            if len(rows) == 1:
                column = self.plan.mapping.arguments[0].column if len(self.plan.mapping.arguments) == 1 else ""
                errors[int(rows[0])] = RowError(DeadLetterReason.INFERENCE_ERROR, column, first_line(error))
                return self._blank(), rows[:0]
            half = len(rows) // 2
            return _joined(
                [
                    self._run({k: v[:half] for k, v in feeds.items()}, rows[:half], errors),
                    self._run({k: v[half:] for k, v in feeds.items()}, rows[half:], errors),
                ]
            )
        self.tally.batch(len(rows), time.perf_counter() - started)
        return answers, rows

    def _blank(self) -> dict[str, np.ndarray]:
        return {f.name: np.empty(0, dtype=_NUMPY.get(f.sql_type, object)) for a in self.plan.answers for f in a.fields}


_NUMPY: dict[str, Any] = {
    "FLOAT": np.float32, "DOUBLE": np.float64, "TINYINT": np.int8, "SMALLINT": np.int16,
    "INT": np.int32, "BIGINT": np.int64, "BOOLEAN": np.bool_,
}  # fmt: skip


def _joined(parts: list[tuple[dict[str, np.ndarray], np.ndarray]]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    names = parts[0][0]
    return {n: np.concatenate([p[0][n] for p in parts]) for n in names}, np.concatenate([p[1] for p in parts])


def _first_rows(
    plan: StepPlan, values: Sequence[Any], good: np.ndarray, answers: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    mapping = plan.mapping
    features = values[1:] if mapping.null_marker else values
    rows = []
    for at, row in enumerate(good[:5]):
        shown = {a.column: plain(np.asarray(v)[row]) for a, v in zip(mapping.arguments, features, strict=True)}
        rows.append(shown | shown_answers(plan.answers, {name: column[at] for name, column in answers.items()}))
    return rows


def shown_answers(answers: Sequence[Answer], fields: dict[str, Any]) -> dict[str, Any]:
    """One row's answers as a summary shows them, by column; a top-k as its names with their scores."""
    shown: dict[str, Any] = {}
    for answer in answers:
        values = [fields[f.name] for f in answer.fields]
        pairs = zip(*values, strict=True) if answer.size else ()
        shown[answer.name] = [f"{which} {score:.4g}" for which, score in pairs] if answer.size else plain(values[0])
    return shown


def plain(value: Any) -> Any:
    """A value as JSON shows it; long arrays are cut."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(v) for v in list(value)[:4]] + (["…"] if len(value) > 4 else [])
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class ModelStep(ScalarFunction):
    """The vectorised function that Flink calls: series in, a frame of the answers and the error out."""

    def __init__(self, plan: StepPlan) -> None:
        self.plan = plan
        self._scorer: Scorer | None = None
        self._left = plan.row_limit

    def open(self, function_context: FunctionContext) -> None:
        """Take the model from the worker's pool; it was loaded and tested before the job started."""
        job = self.plan.job
        tally = Tally(function_context.get_metric_group(), job.version, histogram=job.histogram is not None)
        self._scorer = Scorer(self.plan, POOL.acquire(job), tally)

    def close(self) -> None:
        """Give the model back and leave the last counts."""
        if self._scorer is not None:
            self._scorer.tally.write()
            POOL.release(self.plan.job)
            self._scorer = None

    def is_deterministic(self) -> bool:
        """The same row gives the same answer, but it must never be asked twice."""
        return False

    def eval(self, *values: Any) -> pd.DataFrame:
        """Score one batch."""
        assert self._scorer is not None
        total = len(values[0])
        if self._left is not None:
            values = tuple(v[: self._left] for v in values)
        answers, errors = self._scorer.score(values)
        if self._left is not None:
            self._left -= len(values[0])
            if self._left == 0:
                self._scorer.tally.write()
            answers, errors = _past_limit(answers, errors, total)
        frame: dict[str, Any] = {f.name: answers[f.name] for a in self.plan.answers for f in a.fields}
        frame[ERROR] = errors
        index = pd.RangeIndex(total)
        return pd.DataFrame(
            {n: pd.Series(v, index=index, copy=False) for n, v in frame.items()}, index=index, copy=False
        )


PAST_LIMIT = "PastLimit"
"""The error of rows beyond ``--rows``: they are neither scored nor dead letters."""


def _past_limit(
    answers: dict[str, np.ndarray], errors: np.ndarray, total: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    kept = np.arange(len(errors))
    if len(kept) == total:
        return answers, errors
    beyond = np.full(total, PAST_LIMIT, dtype=object)
    beyond[kept] = errors if errors.dtype == object else None
    return {n: scatter(c, kept, total) for n, c in answers.items()}, beyond
