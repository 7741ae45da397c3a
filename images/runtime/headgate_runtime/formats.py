"""How a table's format options say that its lines are to be read, and which of them the parser does not know.

Called by :mod:`headgate_runtime.parsing` when the table is created. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headgate_runtime.columns import Column
from headgate_runtime.errors import PlanRefused
from headgate_runtime.lines import RecordFormat, check_format
from headgate_runtime.values import problem_of

PARSE_ERRORS = "headgate.parse-errors"
HEADER = "headgate.csv.header"

_CSV = {
    "csv.allow-comments", "csv.array-element-delimiter", "csv.disable-quote-character", "csv.escape-character",
    "csv.field-delimiter", "csv.ignore-parse-errors", "csv.null-literal", "csv.quote-character",
}  # fmt: skip


def plan_format(table: str, options: Mapping[str, str], columns: tuple[Column, ...]) -> RecordFormat:
    """The format of a table's lines; raises :class:`PlanRefused` naming the table and the option or column."""
    _check_options(table, options)
    prefix = "" if "format" in options else "value."
    own = {k.removeprefix(prefix): v for k, v in options.items()}
    for column in columns:
        if problem := problem_of(column):
            raise PlanRefused(
                f"table {table}: column {column.name!r} is {column.sql}, which '{PARSE_ERRORS}' does not read: {problem}."
            )
    read = RecordFormat(kind=options[f"{prefix}format"], columns=columns)
    if read.kind == "json":
        return read
    unknown = sorted(k for k in own if k.startswith("csv.") and k not in _CSV)
    if unknown:
        raise PlanRefused(f"table {table}: '{unknown[0]}' does not go together with '{PARSE_ERRORS}'.")
    quoted = own.get("csv.disable-quote-character", "").lower() != "true"
    read = replace(
        read,
        header=options.get(HEADER, "").lower() == "true",
        comments=own.get("csv.allow-comments", "").lower() == "true",
        delimiter=_unescaped(own.get("csv.field-delimiter", ",")),
        quote=own.get("csv.quote-character", '"') if quoted else None,
        escape=own.get("csv.escape-character"),
        null_literal=own.get("csv.null-literal"),
        elements=own.get("csv.array-element-delimiter", ";"),
    )
    try:
        check_format(read)
    except ValueError as error:
        raise PlanRefused(f"table {table}: its csv options cannot be used: {error}.") from error
    return read


def _check_options(table: str, options: Mapping[str, str]) -> None:
    mode = options.get(PARSE_ERRORS, "dead-letter")
    if mode != "dead-letter":
        raise PlanRefused(f"table {table}: '{PARSE_ERRORS}' = '{mode}' is not known; the one value is 'dead-letter'.")
    kind = options.get("format", options.get("value.format"))
    if kind not in {"csv", "json"}:
        raise PlanRefused(f"table {table}: '{PARSE_ERRORS}' works with the formats csv and json, not with {kind!r}.")
    if any(k.startswith("key.") for k in options):
        raise PlanRefused(
            f"table {table}: '{PARSE_ERRORS}' does not go together with key.format; read the key as a metadata column."
        )
    for option, value in options.items():
        if option.endswith(("ignore-parse-errors", "fail-on-missing-field")) and value.lower() == "true":
            raise PlanRefused(f"table {table}: '{option}' = 'true' does not go together with '{PARSE_ERRORS}'.")


def _unescaped(text: str) -> str:
    r"""``\t`` and its like as the character that they mean, as Flink reads them."""
    return text.encode().decode("unicode_escape") if text.isascii() and "\\" in text else text
