"""Reads ``spec.pipeline`` once for all checks of its SQL: statements, declarations, and the columns that can be told.

Called by the checks of the SQL. ``sound`` says that a text has nothing wrong that would make conclusions from it unsafe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from headgate.api.problems import Path, Problem
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.sqlquery import Columns, columns_yielded
from headgate.api.sqlsources import TableName, own_name
from headgate.api.sqlspelling import misspelt
from headgate.api.sqlstatements import Statement, split, structure
from headgate.api.sqltables import Declared, Declares, read_declaration
from headgate.api.sqltokens import Misread

STAMP = ("model_version", "model_digest", "revision")
"""Columns that the model step itself adds to ``scored`` and ``dead_letters``."""

DEAD_LETTERS = ("reason", "column_name", "detail", "record", *STAMP)
"""The columns of ``dead_letters``."""

VIEWS = ("scored", "dead_letters", "shadow")
"""What ``output`` reads from Headgate."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the three texts: its path, its statements and what no SQL has."""

    path: Path
    statements: tuple[Statement, ...]
    misread: tuple[Misread, ...]

    @property
    def sound(self) -> bool:
        """Whether its tokens and parentheses are what they seem."""
        return not self.misread

    def problem(self, at: Misread) -> Problem:
        """A finding with its place in the text."""
        return Problem(self.path, f"line {at.line}, column {at.column}: {at.message}", at.line)


@dataclass(frozen=True, slots=True)
class Schema:
    """What the three texts say."""

    tables: Part
    input: Part
    output: Part
    declared: tuple[Declared, ...]
    complete: bool
    """Whether every statement of ``tables`` was understood, so that what is not declared is not there."""
    columns: Mapping[str, Columns]
    """The columns of tables and views by name; None where they cannot be told."""
    input_columns: Columns
    names: frozenset[str]
    """Every name that ``tables`` gives to anything."""

    def knows(self, table: TableName, *more: str) -> bool:
        """False for a table that is certainly not there."""
        name = own_name(table.path)
        return not self.complete or name is None or name in self.columns or name in more

    def find(self, path: tuple[str, ...]) -> Declared | None:
        """The table or view of that name that ``tables`` declares."""
        name = own_name(path)
        return next((one for one in self.declared if one.name == name and one.declares is not Declares.FUNCTION), None)


def scored_columns(schema: Schema, spec: ModelDeploymentSpec) -> Columns:
    """The columns of ``scored``; None when the input's cannot be told or only the model knows its outputs."""
    if schema.input_columns is None or not spec.model.outputs:
        return None
    return (*schema.input_columns, *spec.model.outputs, *STAMP)


def read_schema(spec: ModelDeploymentSpec) -> Schema:
    """What the pipeline's SQL says; the last few answers are kept, since several checks ask."""
    return _read(spec.pipeline.tables, spec.pipeline.input, spec.pipeline.output)


@lru_cache(maxsize=8)
def _read(tables: str, query: str, output: str) -> Schema:
    parts = {"tables": _part("tables", tables)}
    words = parts["tables"].statements
    declared = tuple(one for statement in words if (one := read_declaration(statement)) is not None)
    names = frozenset(token.name for statement in words for token in statement.tokens if token.is_name())
    parts |= {name: _spelt(_part(name, text), names) for name, text in (("input", query), ("output", output))}
    columns: dict[str, Columns] = {}
    for one in declared:
        if one.declares is Declares.TABLE:
            columns[one.name] = tuple(column.name for column in one.columns) if one.columns is not None else None
        elif one.declares is Declares.VIEW:
            columns[one.name] = one.names or columns_yielded(one.query, columns)
    single = parts["input"].sound and len(parts["input"].statements) == 1
    return Schema(
        tables=parts["tables"],
        input=parts["input"],
        output=parts["output"],
        declared=declared,
        complete=parts["tables"].sound and len(declared) == len(parts["tables"].statements),
        columns=columns,
        input_columns=columns_yielded(parts["input"].statements[0].tokens, columns) if single else None,
        names=names,
    )


def _part(name: str, text: str) -> Part:
    statements, misread = split(text)
    broken = list(misread)
    if not misread:
        for statement in statements:
            broken += structure(statement)
    return Part(("pipeline", name), statements, tuple(broken))


def _spelt(part: Part, names: frozenset[str]) -> Part:
    """The part with its misspelt keywords, which make any conclusion from it unsafe."""
    if not part.sound:
        return part
    wrong = tuple(found for one in part.statements if (found := misspelt(one, names)) is not None)
    return replace(part, misread=wrong)
