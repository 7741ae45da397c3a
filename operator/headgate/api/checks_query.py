"""Checks of ``spec.pipeline.input`` and of the columns that other fields expect of it."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.api.checks_tables import as_name, report
from headgate.api.names import did_you_mean, listing
from headgate.api.problems import Path, Problem
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.sqlquery import plain_columns, reserved_aliases
from headgate.api.sqlschema import STAMP, VIEWS, read_schema
from headgate.api.sqlsources import own_name, tables_read

_ELSEWHERE = {
    "INSERT": "an INSERT belongs in spec.pipeline.output; input is the query alone",
    "CREATE": "a CREATE belongs in spec.pipeline.tables; input is the query alone",
    "SET": "options of Flink belong in spec.flink.config",
}


def check_input(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The input is one query, and nothing in it is broken."""
    part = read_schema(spec).input
    yield from map(part.problem, part.misread)
    if not part.sound:
        return
    if not part.statements:
        yield Problem(part.path, "holds no query; write SELECT … FROM …")
        return
    if len(part.statements) > 1:
        second = part.statements[1]
        message = f"must be one query, and holds {len(part.statements)} statements; the second begins here"
        yield report(part, second.tokens[0], message)
    first = part.statements[0].tokens[0]
    if first.upper in ("SELECT", "WITH", "VALUES") or first.is_mark("("):
        yield from (report(part, alias, as_name(alias)) for alias in reserved_aliases(part.statements[0].tokens))
        return
    reason = _ELSEWHERE.get(first.upper) or f'a query begins with SELECT or WITH, not with "{first.text}"'
    hint = did_you_mean(first.upper, ["SELECT", "WITH"]) if first.upper not in _ELSEWHERE else ""
    yield report(part, first, f"{reason}{hint}")


def check_input_tables(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The input reads tables that are declared, and of a single one only columns that it has."""
    schema = read_schema(spec)
    part = schema.input
    if not part.sound or len(part.statements) != 1:
        return
    tokens = part.statements[0].tokens
    for table in tables_read(tokens):
        if table.name in VIEWS and len(table.path) == 1 and table.name not in schema.columns:
            yield report(part, table.at, f"{table.name} is what comes out of the model; input is what goes in")
        elif not schema.knows(table):
            hint = did_you_mean(table.name, schema.columns) or f"; declared are {listing(schema.columns)}"
            yield report(part, table.at, f'no table "{table.name}" is declared in spec.pipeline.tables{hint}')
    for column in plain_columns(tokens):
        known = schema.columns.get(own_name(column.table.path) or "")
        if known is not None and column.name not in known:
            hint = did_you_mean(column.name, known) or f"; it has {listing(known)}"
            yield report(part, column.at, f'{column.table.name} has no column "{column.name}"{hint}')


def check_key(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The key is a column of the input."""
    columns = read_schema(spec).input_columns
    if columns is not None and spec.pipeline.key not in columns:
        yield Problem(("pipeline", "key"), _no_column(spec.pipeline.key, columns))


def check_fed_columns(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Every column that feeds a model input is a column of the input."""
    columns = read_schema(spec).input_columns
    if columns is None:
        return
    for name, wanted in spec.model.inputs.items():
        for position, column in enumerate(wanted):
            if column not in columns and column not in STAMP:
                yield Problem(("model", "inputs", name, position), _no_column(column, columns))


def _no_column(name: str, columns: tuple[str, ...]) -> str:
    hint = did_you_mean(name, columns) or f"; it yields {listing(columns) or 'no column with a name'}"
    return f'"{name}" is no column of spec.pipeline.input{hint}'


def check_scored_names(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """``scored`` has no column twice: neither the stamp nor an output has the name of an input column."""
    columns = read_schema(spec).input_columns
    if columns is None:
        return
    for column in STAMP:
        if column in columns:
            message = f'yields a column "{column}", which the model step adds; give it another name with AS'
            yield Problem(("pipeline", "input"), message)
    for column in spec.model.outputs:
        if column in columns and column not in STAMP:
            path: Path = ("model", "outputs", column)
            yield Problem(path, f'"{column}" is a column of spec.pipeline.input already; call this one something else')
