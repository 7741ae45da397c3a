"""The few calls into Flink's JVM that PyFlink has no name for. Everything py4j stands here.

The barrier: a table turned into a ``DataStream<RowData>`` and back. The planner cannot look through it, so what stands
before is evaluated once, and filters stay where the resource put them. Rows are handed over as they are, not copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from py4j.protocol import Py4JJavaError
from pyflink.common import JobClient
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment, Table
from pyflink.util.exceptions import JavaException
from pyflink.util.java_utils import get_field_value

from headgate_runtime.columns import Column
from headgate_runtime.errors import PlanRefused
from headgate_runtime.secrets import HIDDEN

JAVA_ERRORS = (Py4JJavaError, JavaException)

_ANSWERS_S = 10
_ROW_DATA = "org.apache.flink.table.data.RowData"


def columns_of(table: Table) -> tuple[Column, ...]:
    """The columns of a table with their SQL types."""
    return tuple(
        _column(c.getName(), c.getDataType().getLogicalType()) for c in table._j_table.getResolvedSchema().getColumns()
    )


def _column(name: str, logical: Any) -> Column:
    root = logical.getTypeRoot().toString()
    children = list(logical.getChildren()) if root in {"ARRAY", "ROW"} else []
    return Column(
        name=name,
        root=root,
        sql=_in_words(logical.copy(True).asSerializableString())
        if root not in {"STRUCTURED_TYPE", "RAW"}
        else logical.asSummaryString(),
        nullable=logical.isNullable(),
        element=_column("", children[0]) if root == "ARRAY" else None,
        fields=tuple(_column(n, t) for n, t in zip(logical.getFieldNames(), children, strict=True))
        if root == "ROW"
        else (),
        rowtime="*ROWTIME*" in logical.asSummaryString(),
    )


def _in_words(sql: str) -> str:
    """The type as people write it."""
    return sql.replace("VARCHAR(2147483647)", "STRING").replace("VARBINARY(2147483647)", "BYTES")


def data_types_of(table: Table) -> Mapping[str, Any]:
    """Java data types by column name."""
    return {c.getName(): c.getDataType() for c in table._j_table.getResolvedSchema().getColumns()}


def barrier(t_env: StreamTableEnvironment, table: Table, *, name: str) -> Table:
    """The same rows behind a wall that the planner cannot look through; a rowtime column stays one."""
    return stream_to_table(t_env, table_to_stream(t_env, table, name=name), table)


def table_to_stream(t_env: StreamTableEnvironment, table: Table, *, name: str) -> Any:
    """A Java ``DataStream<RowData>`` of the table's rows; refuses a table that updates or deletes."""
    jvm = get_gateway().jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()
    row_data = jvm.java.lang.Class.forName(_ROW_DATA, False, loader)
    row_type = table._j_table.getResolvedSchema().toPhysicalRowDataType().notNull().bridgedTo(row_data)
    try:
        return t_env._j_tenv.toDataStream(table._j_table, row_type)
    except JAVA_ERRORS as error:
        text = cause_of(error)
        if "update and delete changes" in text or "doesn't support consuming" in text:
            raise PlanRefused(
                f"{name} updates or deletes rows ({text}). A model scores records once, so it must only insert: "
                "move aggregations and top-n queries behind the model, into spec.pipeline.output."
            ) from error
        raise PlanRefused(f"{name}: {text}") from error


def stream_to_table(t_env: StreamTableEnvironment, stream: Any, like: Table, *, watermark: bool = True) -> Table:
    """A table over a ``DataStream<RowData>`` that has the columns of ``like``."""
    schema = get_gateway().jvm.org.apache.flink.table.api.Schema.newBuilder()
    for column in like._j_table.getResolvedSchema().getColumns():
        schema.column(column.getName(), column.getDataType())
        if watermark and "*ROWTIME*" in column.getDataType().getLogicalType().asSummaryString():
            schema.watermark(column.getName(), "SOURCE_WATERMARK()")
    return Table(t_env._j_tenv.fromDataStream(stream, schema.build()), t_env)


def create_table(
    t_env: StreamTableEnvironment, statement: str, change: Callable[[dict[str, str]], dict[str, str]]
) -> Any | None:
    """Execute a CREATE TABLE with changed options; gives the catalog table, or None where it is another statement."""
    operation = t_env._j_tenv.getParser().parse(statement).get(0)
    if operation.getClass().getSimpleName() != "CreateTableOperation":
        return None
    table = operation.getCatalogTable()
    options = {str(k): str(table.getOptions()[k]) for k in table.getOptions()}
    changed = change(dict(options))
    if changed != options:
        java_options = get_gateway().jvm.java.util.HashMap()
        for key, value in changed.items():
            java_options.put(key, value)
        table = table.copy(java_options)
    catalog = t_env._j_tenv.getCatalogManager()
    catalog.createTable(table, operation.getTableIdentifier(), operation.isIgnoreIfExists())
    return table


def without_checkpoints(env: StreamExecutionEnvironment) -> None:
    """Whatever the options say."""
    env._j_stream_execution_environment.getCheckpointConfig().disableCheckpointing()


def submit_apart(env: StreamExecutionEnvironment, name: str) -> JobClient:
    """Submit what is attached to ``env`` as an application of its own to this application's cluster.

    An application takes one streaming job where it is highly available, and ends when one of its jobs does; of this job it never
    hears. The way is that of a jar handed to a session cluster. Source: Flink 2.3, ``WebSubmissionExecutor`` and
    ``PackagedProgramApplication``.
    """
    jvm = get_gateway().jvm
    java_env = env._j_stream_execution_environment
    job = jvm.org.apache.flink.api.common.JobID.generate()
    graph = env._generate_stream_graph(clear_transformations=True, job_name=name)
    graph.setJobId(job)
    configuration = jvm.org.apache.flink.configuration.Configuration(java_env.getConfiguration())
    configuration.setString("$internal.pipeline.job-id", job.toHexString())
    loader = get_field_value(java_env, "executorServiceLoader")
    dispatcher, executor = get_field_value(loader, "dispatcherGateway"), get_field_value(loader, "retryExecutor")
    deployment = jvm.org.apache.flink.client.deployment.application
    apart = deployment.executors.WebSubmissionExecutorServiceLoader(jvm.java.util.ArrayList(), dispatcher)
    classes = jvm.Thread.currentThread().getContextClassLoader()
    apart.getExecutorFactory(configuration).getExecutor(configuration).execute(graph, configuration, classes).get()
    timeout = jvm.java.time.Duration.ofSeconds(_ANSWERS_S)
    return JobClient(deployment.EmbeddedJobClient(job, dispatcher, executor, timeout, classes))


def cause_of(error: BaseException) -> str:
    """What a Java error says, from its innermost cause, as one line without class names, tracebacks and secrets."""
    return HIDDEN.hide(_cause_of(error))


def _cause_of(error: BaseException) -> str:
    cause = getattr(error, "java_exception", None)
    if isinstance(error, Py4JJavaError) and cause is not None:
        told = [str(cause.toString())]
        while cause.getCause() is not None:
            cause = cause.getCause()
            told.append(str(cause.toString()))
        name = str(cause.getClass().getSimpleName())
        return _with_help(_named(name, _sentence(str(cause.getMessage() or cause.toString()))), told)
    trace = str(getattr(error, "stack_trace", None) or "")
    causes = [line.partition("Caused by: ")[2] for line in trace.splitlines() if line.startswith("Caused by: ")]
    message = causes[-1] if causes else str(error)
    head, _, tail = message.partition(": ")
    if not tail or "." not in head or " " in head:
        return _sentence(message)
    return _with_help(_named(head.rpartition(".")[2], _sentence(tail)), causes)


def _named(name: str, message: str) -> str:
    """A message of a word or two says nothing without the error's name."""
    return f"{name}: {message}" if len(message.split()) < 4 else message


def _with_help(message: str, told: list[str]) -> str:
    if not any("SplitFetcher" in t or "deserialize" in t for t in told):
        return message
    return (
        f"a source cannot read a record ({message}). With 'headgate.parse-errors' = 'dead-letter' in its table's options such "
        "records become dead letters."
    )


def _sentence(message: str) -> str:
    """One line; of a Python worker's traceback only what was raised, of a syntax error only where it is."""
    message, syntax, _ = message.partition("Was expecting")
    if syntax and re.search(r'Encountered "[A-Za-z_]+"', message):
        message += "Where it is a name, write it in backticks: SQL has the word for itself."
    lines = [line for line in message.strip().splitlines() if line.strip()]
    if "Traceback (most recent call last)" in message:
        raised = [
            line for line in lines if not line.startswith((" ", "\t")) and ": " in line and "Traceback" not in line
        ]
        lines = raised[-1:] or lines[-1:]
        name, _, rest = lines[0].partition(": ")
        if rest and "." in name:
            lines = [rest]
    return " ".join(" ".join(lines).split())
