"""Splits lines of CSV or JSON into fields, each line by itself: a bad one yields its reason, never an exception.

Called by :mod:`headgate_runtime.records` for every batch. A quoted field cannot span lines.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from headgate_runtime.columns import Column

FLOATS = frozenset({"FLOAT", "DOUBLE"})

_MARK = b"\xef\xbb\xbf"
"""Spreadsheets begin their files with a byte order mark."""

# A record may hold a picture; how long a line may be is the source's business.
csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How a line is read. ``kind``: csv or json; the rest is for CSV. ``quote``: None where nothing quotes."""

    kind: str
    columns: tuple[Column, ...]
    header: bool = False
    comments: bool = False
    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    null_literal: str | None = None
    elements: str = ";"

    @property
    def has_floats(self) -> bool:
        """Whether some column is a FLOAT or DOUBLE."""
        return any(c.root in FLOATS for c in self.columns)


Fields = Sequence[Any]
Split = tuple[Fields | None, str | None]
"""The fields of a line, or why there are none: a reason, or an empty text for a line that is no record."""


def split_lines(record_format: RecordFormat, lines: Sequence[bytes | None]) -> list[Split]:
    """What every line holds, in the order of the lines."""
    if record_format.kind == "csv" and (found := _csv_at_once(record_format, lines)) is not None:
        return found
    split = _json_splitter(record_format) if record_format.kind == "json" else _csv_splitter(record_format)
    return [_guarded(split, line) for line in lines]


def check_format(record_format: RecordFormat) -> None:
    """Raise ``ValueError`` where no line could ever be split in this way."""
    try:
        csv.reader([], **_dialect(record_format))
    except (TypeError, ValueError) as error:
        raise ValueError(str(error).replace('"', "")) from error


def _guarded(split: Callable[[str], Split], line: bytes | None) -> Split:
    try:
        return split((line or b"").removeprefix(_MARK).decode())
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 at byte {error.start + 1}"
    except (ValueError, csv.Error, RecursionError) as error:
        return None, str(error)


def _dialect(record_format: RecordFormat) -> dict[str, Any]:
    dialect: dict[str, Any] = {"delimiter": record_format.delimiter, "escapechar": record_format.escape, "strict": True}
    if record_format.quote is None:
        return dialect | {"quoting": csv.QUOTE_NONE, "quotechar": None}
    return dialect | {"quotechar": record_format.quote}


def _csv_at_once(record_format: RecordFormat, lines: Sequence[bytes | None]) -> list[Split] | None:
    """All lines through one reader, three times as fast; None where some line needs to be looked at by itself."""
    try:
        texts = [line.decode() for line in lines]  # type: ignore[union-attr]  # no line at all is an AttributeError
        rows = list(csv.reader([text.rstrip("\r\n") for text in texts], **_dialect(record_format)))
    except (AttributeError, UnicodeDecodeError, csv.Error):
        return None
    # A quoted field that does not end in its line swallows the next one, and there are fewer rows.
    if len(rows) != len(texts):
        return None
    check = _csv_checker(record_format)
    plain = len(record_format.columns)
    null, comments, mark = record_format.null_literal, record_format.comments, _MARK.decode()
    first = record_format.columns[0].name.lower() if record_format.header else None
    found: list[Split] = []
    for text, row in zip(texts, rows, strict=True):
        if text.startswith(mark):
            return None
        ordinary = len(row) == plain and null is None and row[0].strip().lower() != first
        found.append((row, None) if ordinary and not (comments and text[0] == "#") else check(text, row))
    return found


def _csv_splitter(record_format: RecordFormat) -> Callable[[str], Split]:
    dialect, check = _dialect(record_format), _csv_checker(record_format)

    def split(text: str) -> Split:
        text = text.rstrip("\r\n")
        # A comment may hold a quote that never ends.
        commented = record_format.comments and text.startswith("#")
        return check(text, [] if commented else next(csv.reader([text], **dialect), []))

    return split


def _csv_checker(record_format: RecordFormat) -> Callable[[str, list[str]], Split]:
    names = [c.name.lower() for c in record_format.columns]

    def check(text: str, fields: list[str]) -> Split:
        if not fields or (record_format.comments and text.startswith("#")):
            return None, ""
        if record_format.header and [f.strip().lower() for f in fields] == names:
            return None, ""
        if len(fields) != len(names):
            return None, f"{len(fields)} fields, the table has {len(names)} columns"
        return [None if f == record_format.null_literal else f for f in fields], None

    return check


def _json_splitter(record_format: RecordFormat) -> Callable[[str], Split]:
    names = [c.name for c in record_format.columns]
    # A float would not hold every decimal.
    exact = any(c.root == "DECIMAL" for c in record_format.columns)

    def split(text: str) -> Split:
        if not text.strip():
            return None, ""
        try:
            value = json.loads(text, parse_float=Decimal if exact else None)
        except ValueError as error:
            return None, f"not JSON: {error}"
        if not isinstance(value, dict):
            return None, f"a JSON {_KINDS.get(type(value), 'number')}, not an object"
        return [value.get(name) for name in names], None

    return split


_KINDS = {list: "array", str: "string", bool: "boolean", type(None): "null"}
