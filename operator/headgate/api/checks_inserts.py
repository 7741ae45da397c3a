"""Checks of ``spec.pipeline.output``: INSERT statements that read what Headgate gives and write what is declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headgate.api.checks_tables import as_name, report
from headgate.api.names import did_you_mean, listing
from headgate.api.pipeline import OnError
from headgate.api.problems import Problem
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.rollout import Strategy
from headgate.api.sqlquery import Columns, column_count, plain_columns, reserved_aliases
from headgate.api.sqlschema import DEAD_LETTERS, VIEWS, Part, Schema, read_schema, scored_columns
from headgate.api.sqlsources import TableName, tables_read
from headgate.api.sqlstatements import Statement
from headgate.api.sqltables import Declares, closing, read_path, split_list
from headgate.api.sqltokens import Misread, Token

_QUERY = ("SELECT", "WITH", "VALUES")
_ELSEWHERE = {
    "SELECT": "a query goes nowhere by itself; write INSERT INTO table SELECT …",
    "WITH": "WITH stands behind the table: INSERT INTO table WITH … SELECT …",
    "CREATE": "a CREATE belongs in spec.pipeline.tables (a view of scored is written as WITH or as a subquery)",
    "EXECUTE": "all inserts run as one statement set already; write the INSERT statements alone",
    "BEGIN": "all inserts run as one statement set already; write the INSERT statements alone",
    "END": "all inserts run as one statement set already; write the INSERT statements alone",
    "SET": "options of Flink belong in spec.flink.config",
    "UPSERT": "Flink has no UPSERT INTO; a table with a PRIMARY KEY is upserted by INSERT INTO",
    "DELETE": "a stream takes nothing back by DELETE; output takes INSERT INTO",
    "UPDATE": "a stream takes nothing back by UPDATE; output takes INSERT INTO",
}


@dataclass(frozen=True, slots=True)
class Insert:
    """One INSERT: where it writes, the columns that it names, and its query."""

    path: tuple[str, ...]
    at: Token
    columns: tuple[Token, ...]
    partitioned: bool
    query: tuple[Token, ...]


def read_insert(statement: Statement) -> Insert | None:
    """The parts of an INSERT INTO; None when it is none or its target has no name."""
    tokens = statement.tokens
    path, at = read_path(tokens, 2)
    if not statement.begins("INSERT", "INTO") or not path:
        return None
    partitioned, columns = False, tuple[Token, ...]()
    if at + 1 < len(tokens) and tokens[at].upper == "PARTITION" and tokens[at + 1].is_mark("("):
        partitioned, at = True, closing(tokens, at + 1) + 1
    if at + 1 < len(tokens) and tokens[at].is_mark("(") and not _opens_query(tokens, at):
        end = closing(tokens, at)
        columns = tuple(item[0] for item in split_list(tokens[at + 1 : end]) if item)
        at = end + 1
    return Insert(path, tokens[2], columns, partitioned, tuple(tokens[at:]))


def _opens_query(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at + 1].upper in _QUERY or tokens[at + 1].is_mark("(")


def check_output(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The output is INSERT statements and nothing else, and nothing in them is broken."""
    part = read_schema(spec).output
    yield from map(part.problem, part.misread)
    if not part.sound:
        return
    if not part.statements:
        yield Problem(part.path, "holds no statement; write INSERT INTO table SELECT … FROM scored")
    for statement in part.statements:
        if (wrong := _shape(statement)) is not None:
            yield part.problem(wrong)
        elif (insert := read_insert(statement)) is not None:
            yield from (report(part, alias, as_name(alias)) for alias in reserved_aliases(insert.query))


def _shape(statement: Statement) -> Misread | None:
    first = statement.tokens[0]
    second = statement.tokens[1] if len(statement.tokens) > 1 else first
    if first.upper != "INSERT":
        reason = _ELSEWHERE.get(first.upper) or f'output takes INSERT INTO, not "{first.text}"'
        hint = did_you_mean(first.upper, ["INSERT"]) if first.upper not in _ELSEWHERE else ""
        return Misread(f"{reason}{hint}", first.line, first.column)
    if second.upper == "OVERWRITE":
        return Misread("a stream cannot OVERWRITE; write INSERT INTO", second.line, second.column)
    if second.upper != "INTO":
        hint = did_you_mean(second.upper, ["INTO"])
        return Misread(f"INSERT is followed by INTO and a table{hint}", second.line, second.column)
    insert = read_insert(statement)
    if insert is None or insert.path == ("TABLE",):
        return Misread("INSERT INTO names no table", second.line, second.column)
    if not insert.query:
        return Misread(f"there is no query after INSERT INTO {'.'.join(insert.path)}", second.line, second.column)
    begins = insert.query[0]
    if begins.upper not in (*_QUERY, "TABLE") and not begins.is_mark("("):
        hint = did_you_mean(begins.upper, _QUERY) if begins.upper else ""
        return Misread(
            f'a query begins with SELECT or WITH, not with "{begins.text}"{hint}', begins.line, begins.column
        )
    return None


def check_output_tables(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The output writes declared tables, reads things that exist, and reads ``scored`` at least once."""
    schema = read_schema(spec)
    part = schema.output
    if not part.sound:
        return
    inserts = [one for statement in part.statements if (one := read_insert(statement)) is not None]
    views = VIEWS if spec.rollout.strategy is Strategy.SHADOW else VIEWS[:2]
    for insert in inserts:
        yield from _target(schema, insert)
        for table in tables_read(insert.query):
            yield from _read(schema, table, views)
        yield from _columns(schema, spec, insert)
    read = {table.name for insert in inserts for table in tables_read(insert.query)}
    if inserts and not read & {"scored", "shadow"}:
        yield Problem(part.path, "no statement reads scored, so no answer of the model goes anywhere")


def _target(schema: Schema, insert: Insert) -> Iterator[Problem]:
    name = insert.path[-1]
    if name in VIEWS and len(insert.path) == 1:
        yield report(schema.output, insert.at, f"{name} is read by output, not written")
        return
    declared = schema.find(insert.path)
    if declared is not None and declared.declares is Declares.VIEW:
        yield report(schema.output, insert.at, f'"{name}" is a view, and nothing can be written to a view')
    elif not schema.knows(TableName(insert.path, insert.at)):
        known = [one.name for one in schema.declared if one.declares is Declares.TABLE]
        hint = did_you_mean(name, known) or f"; declared are {listing(known)}"
        yield report(schema.output, insert.at, f'no table "{name}" is declared in spec.pipeline.tables{hint}')


def _read(schema: Schema, table: TableName, views: Sequence[str]) -> Iterator[Problem]:
    if table.path == ("shadow",) and "shadow" not in views and "shadow" not in schema.columns:
        yield report(schema.output, table.at, "shadow is there with rollout strategy Shadow only")
    elif not schema.knows(table, *views):
        known = (*views, *schema.columns)
        hint = did_you_mean(table.name, known) or f"; there are {listing(known)}"
        yield report(schema.output, table.at, f'there is no table "{table.name}"{hint}')


def _columns(schema: Schema, spec: ModelDeploymentSpec, insert: Insert) -> Iterator[Problem]:
    own: dict[str, Columns] = {"scored": scored_columns(schema, spec), "dead_letters": DEAD_LETTERS}
    for column in plain_columns(insert.query):
        known = own.get(column.table.name) if len(column.table.path) == 1 else None
        if known is not None and column.name not in known:
            hint = did_you_mean(column.name, known) or f"; it has {listing(known)}"
            yield report(schema.output, column.at, f'{column.table.name} has no column "{column.name}"{hint}')
    yield from _written(schema.output, schema, insert, own)


def _written(part: Part, schema: Schema, insert: Insert, own: dict[str, Columns]) -> Iterator[Problem]:
    """The query gives as many columns as the table takes; those that INSERT INTO names are the table's."""
    declared = schema.find(insert.path)
    taken = None
    if declared is not None and declared.declares is Declares.TABLE and declared.columns is not None:
        taken = [column.name for column in declared.columns if column.written]
        for column in insert.columns:
            if column.name not in taken:
                hint = did_you_mean(column.name, taken) or f"; it takes {listing(taken)}"
                yield report(part, column, f'{declared.name} takes no column "{column.name}"{hint}')
    wanted = len(insert.columns) or (len(taken) if taken is not None else None)
    given = column_count(insert.query, {**schema.columns, **own})
    if wanted is None or given is None or insert.partitioned or wanted == given:
        return
    names = [column.name for column in insert.columns] or taken or []
    message = f"number of columns: the query gives {given}, {insert.path[-1]} takes {wanted} ({listing(names)})"
    yield report(part, insert.at, message)


def warn_dead_letters(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Records that cannot be scored are counted, and nobody keeps them."""
    part = read_schema(spec).output
    read = {table.name for statement in part.statements for table in tables_read(statement.tokens)}
    if part.sound and spec.pipeline.on_error is OnError.DEAD_LETTER and "dead_letters" not in read:
        yield Problem(part.path, "never reads dead_letters: records that cannot be scored are counted but not kept")
