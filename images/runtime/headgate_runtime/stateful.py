"""The model step for recurrent models: one record at a time, its key's tensors in Flink's keyed state.

Records of one key are scored in their order, and the state travels with savepoints. The state is kept as bytes with dtype
and shape, so that a version with another architecture is refused by name rather than misread.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import Schema, StreamTableEnvironment, Table

from headgate_runtime.answers import Field, values_of
from headgate_runtime.columns import Column
from headgate_runtime.errors import DeadLetterReason, MappingRefused, PlanRefused, RecordRefused
from headgate_runtime.mapping import RowError
from headgate_runtime.model import MODEL_ERRORS, POOL, Model, first_line, initial_state
from headgate_runtime.step import ERROR, PAST_LIMIT, StepPlan, plain, shown_answers
from headgate_runtime.tally import Tally

UID = "headgate-model-step"
"""The operator's id: the same for every version, so that savepoints carry the state over."""

_PASSED = {
    "CHAR": "STRING", "VARCHAR": "STRING", "BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT",
    "INTEGER": "INT", "BIGINT": "BIGINT", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE",
}  # fmt: skip
_AS_TEXT = {
    "DECIMAL",
    "DATE",
    "TIME_WITHOUT_TIME_ZONE",
    "TIMESTAMP_WITHOUT_TIME_ZONE",
    "TIMESTAMP_WITH_LOCAL_TIME_ZONE",
}

_INFO = {
    "STRING": Types.STRING, "BOOLEAN": Types.BOOLEAN, "TINYINT": Types.BYTE, "SMALLINT": Types.SHORT,
    "INT": Types.INT, "BIGINT": Types.LONG, "FLOAT": Types.FLOAT, "DOUBLE": Types.DOUBLE,
}  # fmt: skip


def stateful_step(
    t_env: StreamTableEnvironment, source: Table, columns: tuple[Column, ...], plan: StepPlan, key: str
) -> Table:
    """The step over keyed state; gives a table shaped like the stateless step's."""
    carried = [_carried(c) for c in columns]
    marker = plan.mapping.null_marker or "CAST(0 AS SMALLINT)"
    arguments = [f"{a.sql} AS hg_a{at}" for at, a in enumerate(plan.mapping.arguments)]
    fields = [
        f"CAST({c.quoted} AS {sql}) AS {c.quoted}" if sql != c.sql else c.quoted
        for c, (sql, _) in zip(columns, carried, strict=True)
    ]
    rows = t_env.sql_query(f"SELECT {', '.join([*fields, f'{marker} AS hg_null', *arguments])} FROM {source}")
    answered = [f for a in plan.answers for f in a.fields]
    names = [c.name for c in columns] + [f.name for f in answered] + [ERROR]
    infos = [info for _, info in carried] + [_info_of(f) for f in answered] + [Types.STRING()]
    position = [c.name for c in columns].index(key)
    blank = _blank_key(columns[position])
    stream = (
        t_env.to_data_stream(rows)
        # Flink has no null keys; such records become dead letters, wherever they are sent.
        .key_by(lambda row: blank if row[position] is None else row[position], key_type=carried[position][1])
        .process(KeyedStep(plan, len(columns), (position, key)), output_type=Types.ROW_NAMED(names, infos))
        .uid(UID)
        .name("headgate model step")
    )
    schema = Schema.new_builder()
    for c, (sql, _) in zip(columns, carried, strict=True):
        schema.column(c.name, sql)
    for f in answered:
        schema.column(f.name, f.sql_type)
    schema.column(ERROR, "STRING")
    scored = t_env.from_data_stream(stream, schema.build())
    back = [
        f"CAST({c.quoted} AS {c.sql}) AS {c.quoted}" if sql != c.sql else c.quoted
        for c, (sql, _) in zip(columns, carried, strict=True)
    ]
    answers = ", ".join([f"`{f.name}`" for f in answered] + [f"`{ERROR}`"])
    types = ", ".join([f"`{f.name}` {f.sql_type}" for f in answered] + [f"`{ERROR}` STRING"])
    return t_env.sql_query(
        f"SELECT {', '.join(back)}, CAST(ROW({answers}) AS ROW<{types}>) AS hg_answers FROM {scored}"
    )


def _carried(column: Column) -> tuple[str, Any]:
    if column.rowtime:
        raise PlanRefused(
            f"spec.pipeline.input: column {column.name!r} is a time attribute, which a model with state cannot carry yet. "
            f"CAST it to TIMESTAMP(3) in the query."
        )
    if column.root in _PASSED:
        sql = _PASSED[column.root]
        return (column.sql.removesuffix(" NOT NULL") if sql == "STRING" and column.root == "CHAR" else sql), _INFO[
            sql
        ]()
    if column.root in _AS_TEXT:
        return "STRING", Types.STRING()
    if column.root in {"BINARY", "VARBINARY"}:
        return "BYTES", Types.PRIMITIVE_ARRAY(Types.BYTE())
    if column.root == "ARRAY" and column.element is not None and column.element.root in _PASSED:
        sql = _PASSED[column.element.root]
        return f"ARRAY<{sql}>", Types.OBJECT_ARRAY(_INFO[sql]())
    raise PlanRefused(
        f"spec.pipeline.input: column {column.name!r} is {column.sql}, which cannot pass a model with state. "
        "Leave it out, or CAST it to STRING."
    )


def _blank_key(key: Column) -> Any:
    """A value of the key's type to route null keys by."""
    kind = _PASSED.get(key.root, "STRING" if key.root in _AS_TEXT else "")
    if not kind:
        raise PlanRefused(
            f"spec.pipeline.key: {key.name!r} is {key.sql}; the state of a model is kept by a text, a number or a time."
        )
    return {"STRING": "", "BOOLEAN": False, "FLOAT": 0.0, "DOUBLE": 0.0}.get(kind, 0)


def _info_of(answer: Field) -> Any:
    if answer.sql_type in _INFO:
        return _INFO[answer.sql_type]()
    inner = answer.sql_type.removeprefix("ARRAY<").removesuffix(">")
    if inner in _INFO:
        return Types.OBJECT_ARRAY(_INFO[inner]())
    raise MappingRefused(
        f"spec.model.outputs.{answer.name} is {answer.sql_type}; a model with state gives numbers, labels and vectors of them."
    )


class KeyedStep(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Scores one record with its key's state and keeps the next state."""

    def __init__(self, plan: StepPlan, width: int, key: tuple[int, str]) -> None:
        self.plan, self.width, self.key = plan, width, key
        self._left = plan.row_limit

    def open(self, runtime_context: RuntimeContext) -> None:
        """Take the model from the worker's pool and the handle of the state."""
        job = self.plan.job
        self._model: Model = POOL.acquire(job)
        self._tally = Tally(runtime_context.get_metrics_group(), job.version, histogram=job.histogram is not None)
        self._state = runtime_context.get_state(ValueStateDescriptor("tensors", Types.PICKLED_BYTE_ARRAY()))

    def close(self) -> None:
        """Give the model back and leave the last counts."""
        self._tally.write()
        POOL.release(self.plan.job)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:  # noqa: ARG002  # Flink's signature
        """Score one row."""
        fields = list(value)
        passed, arguments = fields[: self.width], fields[self.width :]
        blank = [None] * sum(len(a.fields) for a in self.plan.answers)
        if self._left is not None:
            if self._left == 0:
                yield Row(*passed, *blank, PAST_LIMIT)
                return
            self._left -= 1
        at, name = self.key
        if passed[at] is None:
            answers, error = None, RowError(DeadLetterReason.NULL_FEATURE, name, "the key is null")
        else:
            answers, error = self._score(arguments)
        if error is not None and self.plan.fail_on_error:
            raise RecordRefused(
                f"spec.pipeline.onError is Fail and a record cannot be scored: {error.reason} in column {error.column!r}: {error.detail}."
            )
        self._tally.add(int(error is None), Counter([error.reason.value] if error else []))
        yield Row(*passed, *(answers or blank), error.encode() if error else None)

    def _score(self, arguments: list[Any]) -> tuple[list[Any] | None, RowError | None]:
        mapping = self.plan.mapping
        marker, *values = arguments
        columns = [_single(v, a.nested) for v, a in zip(values, mapping.arguments, strict=True)]
        feeds, errors = mapping.assemble([np.array([marker]), *columns] if mapping.null_marker else columns)
        if errors:
            return None, errors[0]
        kept = self._state.value()
        try:
            feeds |= self._restored(kept)
            started = time.perf_counter()
            outputs = self._model.run_raw(feeds)
            self._tally.batch(1, time.perf_counter() - started)
            state = {s.output for s in self.plan.job.state}
            values_by_name = values_of(
                self.plan.answers, {n: v for n, v in outputs.items() if n not in state}, self.plan.job.labels
            )
        except (*MODEL_ERRORS, MappingRefused) as error:
            return None, RowError(DeadLetterReason.INFERENCE_ERROR, "", first_line(error))
        self._state.update({s.input: _pack(outputs[s.output]) for s in self.plan.job.state})
        answers = {n: c[0] for n, c in values_by_name.items()}
        if self.plan.job.histogram is not None:
            self._tally.observe(np.asarray([answers[self.plan.job.histogram]]))
        if self._tally.wants_sample:
            shown = {a.column: plain(v) for a, v in zip(mapping.arguments, values, strict=True)}
            self._tally.show([shown | shown_answers(self.plan.answers, answers)])
        return [v.tolist() if isinstance(v, np.generic | np.ndarray) else v for v in answers.values()], None

    def _restored(self, kept: dict[str, tuple[str, tuple[int, ...], bytes]] | None) -> dict[str, np.ndarray]:
        state = {s.input: initial_state(self._model, s.input) for s in self.plan.job.state}
        for name, initial in state.items():
            if kept is None or name not in kept:
                continue
            dtype, shape, data = kept[name]
            if (dtype, shape) != (initial.dtype.str, initial.shape):
                raise ValueError(
                    f"the kept state of {name!r} is {dtype} {list(shape)}, this version wants {initial.dtype.str} {list(initial.shape)}"
                )
            state[name] = np.frombuffer(data, dtype=dtype).reshape(shape)
        return state


def _pack(tensor: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    return tensor.dtype.str, tensor.shape, tensor.tobytes()


def _single(value: Any, nested: bool) -> Any:
    if nested or isinstance(value, str):
        column = np.empty(1, dtype=object)
        column[0] = value
        return column
    return np.array([math.nan if value is None else value])  # as Arrow does; only floats come as null
