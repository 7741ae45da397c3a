"""Checks of ``spec.pipeline.tables``: what each statement declares, and with which options."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.api.names import did_you_mean, listing, nearest
from headgate.api.problems import Problem
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.secrets import placeholders
from headgate.api.sqlschema import VIEWS, Part, Schema, read_schema
from headgate.api.sqlsources import tables_read
from headgate.api.sqlspelling import misspelt
from headgate.api.sqlstatements import Statement
from headgate.api.sqltables import Declared, Declares, column_problems, declared_kind, read_declaration
from headgate.api.sqltokens import Kind, Misread, Token

_TAKES = "tables takes CREATE TABLE, CREATE VIEW and CREATE FUNCTION"
_ELSEWHERE = {
    "INSERT": "an INSERT belongs in spec.pipeline.output",
    "SELECT": "a query belongs in spec.pipeline.input",
    "WITH": "a query belongs in spec.pipeline.input",
    "SET": "options of Flink belong in spec.flink.config",
}
_OWN_OPTIONS = {"headgate.parse-errors": ("dead-letter",), "headgate.csv.header": ("true", "false")}
_SECRET_WORDS = ("password", "passwd", "secret", "jaas.config", "access-key", "access.key", "token", "api-key")
_HARMLESS_WORDS = ("token.endpoint", "token-endpoint", "key-id", "token.url")


def at(token: Token, message: str) -> Misread:
    """A finding at a token."""
    return Misread(message, token.line, token.column)


def check_tables(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Every statement declares something, once, with a name and options that can be used."""
    schema = read_schema(spec)
    part = schema.tables
    yield from map(part.problem, part.misread)
    if not part.sound:
        return
    if not part.statements:
        yield Problem(part.path, "holds no statement; declare the tables that input reads and output writes")
    names: dict[str, int] = {}
    for statement in part.statements:
        yield from map(part.problem, _statement(statement, names, schema.names))
    yield from _views(schema)


def _statement(statement: Statement, names: dict[str, int], known: frozenset[str]) -> Iterator[Misread]:
    first = statement.tokens[0]
    if first.upper != "CREATE":
        reason = _ELSEWHERE.get(first.upper) or f'this begins with "{first.text}"'
        near = nearest(first.upper, ["CREATE"]) if first.upper not in _ELSEWHERE else None
        yield at(first, f'"{first.text}" is no word of SQL; did you mean {near}?' if near else f"{reason}; {_TAKES}")
        return
    word, position = declared_kind(statement)
    if word.upper() not in Declares.__members__:
        meant = nearest(word, Declares)
        place = statement.tokens[min(position, len(statement.tokens) - 1)]
        reason = f"CREATE {word} is not taken here; {_TAKES}" if word else f"CREATE what? {_TAKES}"
        yield at(place, f'"{word}" is no word of SQL; did you mean {meant}?' if meant else reason)
        return
    declared = read_declaration(statement)
    if declared is None:
        yield at(statement.tokens[position], f"this {word.upper()} has no name")
        return
    yield from _name(declared, names)
    if declared.declares is Declares.TABLE:
        yield from column_problems(statement)
        yield from _table(declared)
    elif declared.declares is Declares.VIEW and not declared.query:
        yield at(declared.at, f'the view "{declared.name}" has no query after AS')
    if declared.declares is Declares.VIEW and (wrong := misspelt(statement, known)) is not None:
        yield wrong


def _name(declared: Declared, names: dict[str, int]) -> Iterator[Misread]:
    if declared.declares is Declares.FUNCTION:
        return
    if declared.name in VIEWS and len(declared.path) == 1:
        yield at(
            declared.at, f'"{declared.name}" is the name of a view that Headgate makes; call this one something else'
        )
    if declared.name in names and len(declared.path) == 1 and not declared.guarded:
        message = f'"{declared.name}" is declared twice; the first one is on line {names[declared.name]}'
        yield at(declared.at, message)
    names.setdefault(declared.name, declared.at.line)


def _table(declared: Declared) -> Iterator[Misread]:
    if declared.query:
        yield at(declared.at, "CREATE TABLE … AS would start a job of its own; write the query as a CREATE VIEW")
        return
    options = {key.value: (key, value) for key, value in declared.options or ()}
    if declared.like is None and "connector" not in options:
        yield at(declared.at, f"the table \"{declared.name}\" says no connector: WITH ('connector' = 'kafka', …)")
    for name, (key, value) in options.items():
        if not name.startswith("headgate."):
            continue
        allowed = _OWN_OPTIONS.get(name)
        if allowed is None:
            yield at(key, f"there is no option '{name}'{did_you_mean(name, _OWN_OPTIONS)}")
        elif value.value not in allowed:
            yield at(value, f"'{name}' is {' or '.join(allowed)}, not {value.text}")
    yield from _own_options(options)


def _own_options(options: dict[str, tuple[Token, Token]]) -> Iterator[Misread]:
    """What Headgate's own reading of lines asks of the table: it parses csv and json, of files and of values."""
    own = next((options[name][0] for name in _OWN_OPTIONS if name in options), None)
    found = options.get("format") or options.get("value.format")
    if own is None or found is None:
        return
    if found[1].value not in ("csv", "json"):
        yield at(own, f"{own.text} works with the formats csv and json, not with {found[1].text}")
    elif "headgate.csv.header" in options and found[1].value != "csv":
        yield at(options["headgate.csv.header"][0], f"a header is something of csv, not of {found[1].text}")


def _views(schema: Schema) -> Iterator[Problem]:
    before: list[str] = []
    for declared in schema.declared:
        for table in tables_read(declared.query):
            if table.name in VIEWS and len(table.path) == 1:
                yield schema.tables.problem(
                    at(
                        table.at,
                        f"{table.name} does not exist yet when views are made; read it in output, WITH or a subquery",
                    )
                )
            elif not schema.knows(table):
                hint = did_you_mean(table.name, schema.columns) or f"; declared are {listing(schema.columns)}"
                yield schema.tables.problem(at(table.at, f'no table "{table.name}" is declared{hint}'))
            elif schema.complete and len(table.path) == 1 and table.name not in before:
                yield schema.tables.problem(at(table.at, f'"{table.name}" is declared only after this view of it'))
        if declared.declares is not Declares.FUNCTION:
            before.append(declared.name)


def check_secrets(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Placeholders can be read, and stand where they are filled in: in the options of tables."""
    schema = read_schema(spec)
    options = {value for declared in schema.declared for _, value in declared.options or ()}
    for part in (schema.tables, schema.input, schema.output):
        strings = [one for statement in part.statements for one in statement.tokens if one.kind is Kind.STRING]
        for token in strings if part.sound else ():
            for one in placeholders(token.text):
                if token in options and one.ref is None:
                    yield part.problem(at(token, one.problem))
                elif token not in options and one.text.startswith("${secret:"):
                    message = (
                        "secrets are filled into the options of tables only, so that they reach no log and no plan"
                    )
                    yield part.problem(at(token, message))


def warn_passwords(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """An option that looks like a password and names no Secret. The value itself is never repeated."""
    schema = read_schema(spec)
    for declared in schema.declared:
        for key, value in declared.options or ():
            name = key.value.lower()
            if not any(word in name for word in _SECRET_WORDS) or any(word in name for word in _HARMLESS_WORDS):
                continue
            if not any(one.ref for one in placeholders(value.value)) and _has_secret(name, value.value):
                message = (
                    f"'{key.value}' stands here for all to read; put it into a Secret and write ${{secret:name/key}}"
                )
                yield schema.tables.problem(at(value, message))


def _has_secret(name: str, value: str) -> bool:
    return "password" in value.lower() if "jaas" in name else bool(value) and value.lower() not in ("true", "false")


def warn_unused(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """A table that nothing reads or writes."""
    schema = read_schema(spec)
    mentioned: set[str] = set()
    for part in (schema.input, schema.output):
        mentioned |= {token.name for statement in part.statements for token in statement.tokens if token.is_name()}
    for declared in schema.declared:
        mentioned |= {token.name for token in declared.query if token.is_name()}
        mentioned |= {declared.like.name} if declared.like is not None else set()
    for declared in schema.declared:
        if declared.declares is not Declares.FUNCTION and declared.name not in mentioned:
            yield schema.tables.problem(at(declared.at, f'nothing reads or writes "{declared.name}"'))


def as_name(word: Token) -> str:
    """What to do about a word of SQL that is meant as a name."""
    return f'"{word.text}" is a word of SQL; as a name it is written `{word.text}`'


def report(part: Part, token: Token, message: str) -> Problem:
    """A problem of a text at a token."""
    return part.problem(at(token, message))
