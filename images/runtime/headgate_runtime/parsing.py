"""Reads CSV and JSON records so that one that does not parse becomes a dead letter, not a failed job.

The table is created a second time as raw lines; a vectorised function parses them (:mod:`headgate_runtime.records`), a
barrier keeps that to one evaluation, and the table's own name becomes a view of the good rows, watermark and computed
columns included. The others go to ``dead_letters``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, StreamTableEnvironment, Table
from pyflink.table.udf import FunctionContext, ScalarFunction, udf

from headgate_runtime.bridge import _column, barrier, stream_to_table, table_to_stream
from headgate_runtime.columns import literal, quote
from headgate_runtime.errors import DeadLetterReason, PlanRefused, RecordRefused
from headgate_runtime.formats import HEADER, PARSE_ERRORS, plan_format
from headgate_runtime.lines import FLOATS, RecordFormat
from headgate_runtime.records import ERROR, NAN, nan_mark, parse_records
from headgate_runtime.tally import Tally

_OWN = re.compile(r"'headgate\.(parse-errors|csv\.header)'\s*=\s*'([^']*)'", re.IGNORECASE)
_LINE = "hg_line"
_PARSED = "hg_parsed"


@dataclass(frozen=True, slots=True)
class Parser:
    """What the parser needs besides the format: the model version that it counts under, and whether a bad line fails the job."""

    version: str
    fail_on_error: bool


@dataclass(frozen=True, slots=True)
class ParsedTable:
    """A table read through the parser: its name and a query for its dead letters (reason, column_name, detail, record)."""

    name: str
    dead_letters: str


def wants_parsing(statement: str) -> bool:
    """Whether a CREATE TABLE asks for dead letters instead of parse failures."""
    return _OWN.search(statement) is not None


def parsed_table(
    t_env: StreamTableEnvironment, statement: str, resolve: Callable[[dict[str, str]], dict[str, str]], parser: Parser
) -> ParsedTable:
    """Create the raw table, the parser and the view for one statement."""
    operation = t_env._j_tenv.getParser().parse(statement).get(0)
    table, name = operation.getCatalogTable(), operation.getTableIdentifier().getObjectName()
    options = resolve({str(k): str(table.getOptions()[k]) for k in table.getOptions()})
    schema = table.getUnresolvedSchema().resolve(t_env._j_tenv.getCatalogManager().getSchemaResolver())
    physical = [c for c in schema.getColumns() if c.isPhysical()]
    columns = [_column(c.getName(), c.getDataType().getLogicalType()) for c in physical]
    metadata = [c for c in schema.getColumns() if c.getClass().getSimpleName() == "MetadataColumn"]
    record_format = plan_format(name, options, tuple(columns))
    if not table.getPartitionKeys().isEmpty():
        raise PlanRefused(f"table {name}: '{PARSE_ERRORS}' does not go together with PARTITIONED BY.")
    raw = f"{name}_hg_raw"
    _create_raw(t_env, raw, options, metadata)
    function = f"hg_parse_{name}"
    t_env.create_temporary_function(function, _parser(record_format, physical, parser))
    carried = "".join(f"{quote(c.getName())}, " for c in metadata)
    lines = t_env.sql_query(f"SELECT {carried}{_LINE} FROM {quote(raw)}")
    parsed = barrier(
        t_env,
        t_env.sql_query(
            f"SELECT {carried}{_LINE}, {function}({_LINE}) AS {_PARSED} FROM {barrier(t_env, lines, name=name)}"
        ),
        name=name,
    )
    t_env.create_temporary_view(f"{name}_hg_parsed", parsed)
    _create_view(t_env, name, table, schema, [c.getName() for c in physical])
    error = f"{quote(_PARSED)}.{quote(ERROR)}"
    dead = (
        f"SELECT {literal(DeadLetterReason.UNPARSABLE_RECORD.value)} AS reason, SPLIT_INDEX({error}, '\x1f', 0) AS column_name, "
        f"SPLIT_INDEX({error}, '\x1f', 1) AS detail, JSON_OBJECT(KEY 'line' VALUE DECODE({_LINE}, 'UTF-8')) AS record "
        f"FROM {quote(f'{name}_hg_parsed')} WHERE {error} <> ''"
    )
    return ParsedTable(name, dead)


def _create_raw(t_env: StreamTableEnvironment, raw: str, options: dict[str, str], metadata: list[Any]) -> None:
    own = ("headgate.", "csv.", "json.", "value.csv.", "value.json.")
    kept = {
        k: v
        for k, v in options.items()
        if not k.startswith(own) and k not in {"format", "value.format", "value.fields-include"}
    }
    kept["format"] = "raw"
    columns = [f"{_LINE} BYTES"]
    for column in metadata:
        key = column.getMetadataKey()
        source = f" FROM {literal(key.get())}" if key.isPresent() else ""
        columns.append(
            f"{quote(column.getName())} {column.getDataType().getLogicalType().asSerializableString()} METADATA{source} VIRTUAL"
        )
    pairs = ", ".join(f"{literal(k)} = {literal(v)}" for k, v in sorted(kept.items()))
    t_env.execute_sql(f"CREATE TEMPORARY TABLE {quote(raw)} ({', '.join(columns)}) WITH ({pairs})")


def _create_view(t_env: StreamTableEnvironment, name: str, table: Any, schema: Any, physical: list[str]) -> None:
    """The table's own name over the good rows; a declared watermark or computed column is declared again on them."""
    fields = ", ".join(
        f"{_parsed_value(c, physical)} AS {quote(c.getName())}" if c.isPhysical() else quote(c.getName())
        for c in schema.getColumns()
        if c.getClass().getSimpleName() != "ComputedColumn"
    )
    good = t_env.sql_query(
        f"SELECT {fields} FROM {quote(f'{name}_hg_parsed')} WHERE {quote(_PARSED)}.{quote(ERROR)} IS NULL"
    )
    if all(c.isPhysical() for c in schema.getColumns()) and schema.getWatermarkSpecs().isEmpty():
        t_env.create_temporary_view(name, good)
        return
    builder = get_gateway().jvm.org.apache.flink.table.api.Schema.newBuilder()
    computed = {
        c.getName(): c
        for c in table.getUnresolvedSchema().getColumns()
        if c.getClass().getSimpleName() == "UnresolvedComputedColumn"
    }
    for column in schema.getColumns():
        if column.getName() in computed:
            builder.columnByExpression(column.getName(), computed[column.getName()].getExpression())
        else:
            builder.column(column.getName(), column.getDataType())
    for spec in table.getUnresolvedSchema().getWatermarkSpecs():
        builder.watermark(spec.getColumnName(), spec.getWatermarkExpression())
    stream = table_to_stream(t_env, good, name=name)
    t_env.create_temporary_view(name, Table(t_env._j_tenv.fromDataStream(stream, builder.build()), t_env))


def _is_instant(logical: Any) -> bool:
    return str(logical.getTypeRoot().toString()) == "TIMESTAMP_WITH_LOCAL_TIME_ZONE"


def _parsed_value(column: Any, physical: list[str]) -> str:
    """The column's value in SQL: an instant comes as milliseconds, since PyFlink's rows carry none, a NaN by its mark."""
    value, logical = f"{quote(_PARSED)}.{quote(column.getName())}", column.getDataType().getLogicalType()
    sql = logical.copy(True).asSerializableString()
    if _is_instant(logical):
        return f"CAST(TO_TIMESTAMP_LTZ({value}, 3) AS {sql})"
    if str(logical.getTypeRoot().toString()) not in FLOATS:
        return value
    marks, mark = f"{quote(_PARSED)}.{quote(NAN)}", nan_mark(physical.index(column.getName()))
    # The planner cannot hold a NaN, so it must not see that this is one.
    nan = f"CAST(SQRT(CAST(-CHAR_LENGTH({marks}) AS DOUBLE)) AS {sql})"
    return f"CASE WHEN {marks} IS NULL OR LOCATE('{mark}', {marks}) = 0 THEN {value} ELSE {nan} END"


def _parser(record_format: RecordFormat, physical: list[Any], parser: Parser) -> Any:
    from pyflink.table.types import _from_java_data_type

    fields = [
        DataTypes.FIELD(
            c.getName(),
            DataTypes.BIGINT()
            if _is_instant(c.getDataType().getLogicalType())
            else _from_java_data_type(c.getDataType().nullable()),
        )
        for c in physical
    ]
    fields += [DataTypes.FIELD(NAN, DataTypes.STRING())] if record_format.has_floats else []
    fields.append(DataTypes.FIELD(ERROR, DataTypes.STRING()))
    return udf(
        RecordParser(record_format, parser), result_type=DataTypes.ROW(fields), func_type="pandas", deterministic=False
    )


class RecordParser(ScalarFunction):
    """The vectorised function: lines in, a frame of the columns and the error out."""

    def __init__(self, record_format: RecordFormat, parser: Parser) -> None:
        self.format, self.parser = record_format, parser
        self._tally: Tally | None = None

    def open(self, function_context: FunctionContext) -> None:
        """Open the counters of unparsable records."""
        self._tally = Tally(function_context.get_metric_group(), self.parser.version)

    def close(self) -> None:
        """Leave the last counts."""
        if self._tally is not None:
            self._tally.write()

    def is_deterministic(self) -> bool:
        """Never asked twice for the same line."""
        return False

    def eval(self, lines: Any) -> pd.DataFrame:
        """Parse one batch of lines."""
        texts = list(lines)
        frame, unparsable = parse_records(self.format, texts)
        if unparsable and self.parser.fail_on_error:
            row = next(at for at, error in enumerate(frame[ERROR]) if error)
            column, _, detail = frame[ERROR][row].partition("\x1f")
            where = f" in column {column!r}" if column else ""
            line = texts[row].decode(errors="replace") if isinstance(texts[row], bytes) else texts[row]
            raise RecordRefused(
                f"spec.pipeline.onError is Fail and a line cannot be read{where}: {detail}. The line is {line[:200]!r}."
            )
        if unparsable and self._tally is not None:
            self._tally.add(0, Counter({DeadLetterReason.UNPARSABLE_RECORD.value: unparsable}))
        return frame


__all__ = ["HEADER", "PARSE_ERRORS", "ParsedTable", "parsed_table", "stream_to_table", "wants_parsing"]
