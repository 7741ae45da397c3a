"""Builds the pipeline in Flink: tables, input, the model step between two barriers, the views, the inserts.

::

    tables -> input -> | barrier | -> model step -> | barrier | -> scored, dead_letters -> output

The barriers make the step's place in the plan certain: the input's filters stay before it, and it runs once per row however
many statements read from ``scored``. Nothing is executed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyflink.table import DataTypes, StreamTableEnvironment, Table
from pyflink.table.statement_set import StatementSet
from pyflink.table.udf import udf

from headgate_runtime.answers import Answer, plan_answers
from headgate_runtime.bridge import JAVA_ERRORS, barrier, cause_of, columns_of
from headgate_runtime.channel import plan_channel
from headgate_runtime.columns import Column, literal, nearest, quote
from headgate_runtime.contract import Job, ModelJob
from headgate_runtime.errors import MappingRefused, PlanRefused
from headgate_runtime.functions import register_module
from headgate_runtime.mapping import plan_mapping
from headgate_runtime.model import Model, smoke
from headgate_runtime.parsing import Parser
from headgate_runtime.pruning import columns_to_pass
from headgate_runtime.stateful import stateful_step
from headgate_runtime.statements import split_statements
from headgate_runtime.step import ERROR, PAST_LIMIT, ModelStep, StepPlan
from headgate_runtime.tables import ParsedTable, Place, create_tables
from headgate_runtime.types import sql_to_data_type

STEP = "hg_step"
SCORED, DEAD_LETTERS = "scored", "dead_letters"
ANSWERS = "hg_answers"
STAMPS = ("model_version", "model_digest", "revision")


@dataclass(frozen=True, slots=True)
class Planned:
    """A pipeline that is ready to run. ``parts``: what stands before a barrier, each with its name."""

    statements: StatementSet
    step: StepPlan
    parts: tuple[tuple[str, Table], ...]

    def explain(self) -> str:
        """Flink's plan of every part, in the order of the records."""
        texts = [(name, table.explain()) for name, table in self.parts]
        texts.append(("spec.pipeline.output", self.statements.explain()))
        return "\n\n".join(f"## {name}\n{_optimized(text)}" for name, text in texts)


def _optimized(explanation: str) -> str:
    return explanation.rpartition("== Optimized Execution Plan ==")[2].strip()


def plan_pipeline(
    t_env: StreamTableEnvironment, job: Job, model: Model, place: Place, *, row_limit: int | None = None
) -> Planned:
    """Register everything and collect the inserts; raises a :class:`PlanRefused` or :class:`MappingRefused`."""
    if job.pipeline.module is not None:
        register_module(t_env, job.pipeline.module)
    parsed = create_tables(t_env, job.pipeline.tables, place, Parser(model.job.version, job.pipeline.fail_on_error))
    source = _query(t_env, job.pipeline.input)
    columns = columns_of(source)
    _check_key(job, columns)
    plan = plan_step(job, model, columns, row_limit=row_limit)
    parts = (("spec.pipeline.input", source), *_build_step(t_env, job, plan, source, columns, parsed))
    return Planned(_inserts(t_env, job.pipeline.output), plan, parts)


def plan_discarded(t_env: StreamTableEnvironment, job: Job, plan: StepPlan, source: Table) -> StatementSet:
    """The step and its views over ``source``, which has the columns of ``input``, with inserts into nothing."""
    _build_step(t_env, job, plan, source, columns_of(source))
    statements = t_env.create_statement_set()
    for view in (SCORED, DEAD_LETTERS):
        table = t_env.from_path(view)
        sink = f"hg_no_{view}"
        fields = ", ".join(f"{c.quoted} {c.sql}" for c in columns_of(table))
        t_env.execute_sql(f"CREATE TEMPORARY TABLE {sink} ({fields}) WITH ('connector' = 'blackhole')")
        statements.add_insert(sink, table)
    return statements


def plan_step(job: Job, model: Model, columns: tuple[Column, ...], *, row_limit: int | None = None) -> StepPlan:
    """Match columns to the model and answers to its outputs."""
    mapping = plan_mapping(
        model.inputs,
        columns,
        key=job.pipeline.key,
        given=dict(model.job.inputs),
        fed_otherwise=model.fed_otherwise,
        nan_is_dead_letter=model.job.nan_is_dead_letter,
    )
    sample = smoke(model, {p.tensor.name: p.row_shape for p in mapping.inputs if p.row_shape is not None})
    state = {s.output for s in model.job.state}
    names = tuple(n for n in model.output_names if n not in state)
    answers = plan_answers(dict(model.job.outputs), names, sample, model.job.labels)
    taken = {c.name for c in columns} | set(STAMPS)
    for answer in answers:
        if answer.name in taken:
            raise MappingRefused(
                f"spec.model.outputs.{answer.name}: 'scored' has a column {answer.name!r} already "
                f"({'a stamp' if answer.name in STAMPS else 'from spec.pipeline.input'}). Give the output another name."
            )
    histogram = model.job.histogram
    if histogram is not None and histogram not in {
        a.name for a in answers if a.sql_type in {"FLOAT", "DOUBLE", "INT", "BIGINT"}
    }:
        raise MappingRefused(
            f"spec.model.histogram: {histogram!r} is no numeric output column. {nearest(histogram, tuple(a.name for a in answers))}"
        )
    return StepPlan(model.job, mapping, answers, job.pipeline.fail_on_error, row_limit)


def _query(t_env: StreamTableEnvironment, text: str) -> Table:
    statements = split_statements(text)
    if len(statements) != 1:
        raise PlanRefused(f"spec.pipeline.input must be one query, it holds {len(statements)} statements.")
    try:
        return t_env.sql_query(statements[0])
    except JAVA_ERRORS as error:
        raise PlanRefused(f"spec.pipeline.input: {cause_of(error)}") from error


def _check_key(job: Job, columns: tuple[Column, ...]) -> None:
    names = tuple(c.name for c in columns)
    if job.pipeline.key not in names:
        raise PlanRefused(
            f"spec.pipeline.key: {job.pipeline.key!r} is no column of spec.pipeline.input. {nearest(job.pipeline.key, names)}"
        )
    reserved = [n for n in names if n in STAMPS or n == ANSWERS]
    if reserved:
        raise PlanRefused(
            f"spec.pipeline.input: column {reserved[0]!r} has the name of a stamp. Give it another with AS."
        )


def _build_step(
    t_env: StreamTableEnvironment,
    job: Job,
    plan: StepPlan,
    source: Table,
    columns: tuple[Column, ...],
    parsed: tuple[ParsedTable, ...] = (),
) -> tuple[tuple[str, Table], ...]:
    """Register the model step between its barriers, and the views over it; gives what stands before the second barrier."""
    passed = columns_to_pass(job.pipeline.output, columns, job.pipeline.key)
    source = barrier(t_env, source, name="spec.pipeline.input")
    parts: tuple[tuple[str, Table], ...] = ()
    if job.model.state:
        step = stateful_step(t_env, source, passed, plan, job.pipeline.key)
    else:
        for option, value in plan_channel(plan.mapping, job.model.execution).options().items():
            t_env.get_config().set(option, value)
        scored = _scored_rows(t_env, source, passed, plan)
        parts = (("the model step", scored),)
        step = barrier(t_env, scored, name="the model step")
    t_env.create_temporary_view(STEP, step)
    _create_views(t_env, job, passed, plan.answers, parsed)
    return parts


def _scored_rows(t_env: StreamTableEnvironment, source: Table, columns: tuple[Column, ...], plan: StepPlan) -> Table:
    fields = [DataTypes.FIELD(f.name, sql_to_data_type(f.sql_type)) for a in plan.answers for f in a.fields]
    function = udf(
        ModelStep(plan),
        result_type=DataTypes.ROW([*fields, DataTypes.FIELD(ERROR, DataTypes.STRING())]),
        func_type="pandas",
        deterministic=False,
        name="headgate model step",
    )
    t_env.create_temporary_function("hg_score", function)
    marker = (plan.mapping.null_marker,) if plan.mapping.null_marker else ()
    arguments = ", ".join((*marker, *(a.sql for a in plan.mapping.arguments)))
    names = ", ".join(c.quoted for c in columns)
    return t_env.sql_query(f"SELECT {names}, hg_score({arguments}) AS {ANSWERS} FROM {source}")


def _create_views(
    t_env: StreamTableEnvironment,
    job: Job,
    columns: tuple[Column, ...],
    answers: tuple[Answer, ...],
    parsed: tuple[ParsedTable, ...],
) -> None:
    error = f"{quote(ANSWERS)}.{quote(ERROR)}"
    stamps = _stamps(job.model, job.revision)
    fields = [c.quoted for c in columns]
    fields += [f"{a.sql(quote(ANSWERS))} AS {quote(a.name)}" for a in answers]
    t_env.create_temporary_view(
        SCORED, t_env.sql_query(f"SELECT {', '.join(fields)}, {stamps} FROM {STEP} WHERE {error} IS NULL")
    )
    record = ", ".join(f"KEY {literal(c.name)} VALUE {_as_json(c)}" for c in columns)
    dead = [
        f"SELECT SPLIT_INDEX({error}, '\x1f', 0) AS reason, SPLIT_INDEX({error}, '\x1f', 1) AS column_name, "
        f"SPLIT_INDEX({error}, '\x1f', 2) AS detail, JSON_OBJECT({record}) AS record, {stamps} "
        f"FROM {STEP} WHERE {error} IS NOT NULL AND {error} <> '{PAST_LIMIT}'"
    ]
    dead += [f"SELECT reason, column_name, detail, record, {stamps} FROM ({p.dead_letters})" for p in parsed]
    t_env.create_temporary_view(DEAD_LETTERS, t_env.sql_query(" UNION ALL ".join(dead)))


def _as_json(column: Column) -> str:
    """The column as a value of JSON_OBJECT; what that does not take, and times as Flink reads them back, as text."""
    if column.root == "TIMESTAMP_WITHOUT_TIME_ZONE" or not _fits_json(column):
        return f"CAST({column.quoted} AS STRING)"
    return column.quoted


def _fits_json(column: Column) -> bool:
    if column.element is not None:
        return _fits_json(column.element)
    if column.fields:
        return all(_fits_json(f) for f in column.fields)
    return column.root in _JSON


_JSON = {
    "CHAR", "VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "BINARY",
    "VARBINARY", "TIMESTAMP_WITHOUT_TIME_ZONE", "TIMESTAMP_WITH_LOCAL_TIME_ZONE",
}  # fmt: skip


def _stamps(model: ModelJob, revision: str) -> str:
    values = (model.version, model.digest, revision)
    return ", ".join(f"CAST({literal(v)} AS STRING) AS {name}" for v, name in zip(values, STAMPS, strict=True))


def _inserts(t_env: StreamTableEnvironment, text: str) -> StatementSet:
    statements = t_env.create_statement_set()
    for number, statement in enumerate(split_statements(text), start=1):
        if not re.match(r"(?is)\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*INSERT\b", statement):
            raise PlanRefused(f"spec.pipeline.output, statement {number} is no INSERT INTO: {statement[:60]!r}.")
        try:
            statements.add_insert_sql(statement)
        except JAVA_ERRORS as error:
            raise PlanRefused(f"spec.pipeline.output, statement {number}: {cause_of(error)}") from error
    return statements
