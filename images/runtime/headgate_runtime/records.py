"""Parses lines of CSV or JSON into columns, each line by itself: a bad one yields its reason, never an exception.

Fields convert as Flink's own formats do: an empty CSV field of a type other than STRING is null, JSON numbers and strings
convert where they can, times are ISO or ``yyyy-MM-dd HH:mm:ss``. A quoted field cannot span lines.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from headgate_runtime.columns import Column
from headgate_runtime.values import FLOAT_MAX, REFUSALS, converter

ERROR = "hg_error"
"""Null for a good row, ``column \\x1f detail`` for a bad one, empty for a line that is no record (header, comment, blank)."""

NAN = "hg_nan"
"""Only where columns of floats are: the marks of those that are NaN in this row. Arrow gets a NaN of pandas as null."""

FLOATS = frozenset({"FLOAT", "DOUBLE"})

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
        """Whether the frame has the field :data:`NAN`."""
        return any(c.root in FLOATS for c in self.columns)


def nan_mark(position: int) -> str:
    """What stands in :data:`NAN` where the column at ``position`` (from 0) is NaN."""
    return f"|{position}|"


def parse_records(record_format: RecordFormat, lines: Sequence[bytes | None]) -> tuple[pd.DataFrame, int]:
    """A frame of the format's columns and ``hg_error`` for n lines, and how many of them are unparsable."""
    errors: list[str | None] = [None] * len(lines)
    split = _csv_splitter(record_format) if record_format.kind == "csv" else _json_splitter(record_format)
    rows: list[list[Any] | None] = []
    for at, line in enumerate(lines):
        row, errors[at] = _split(split, line)
        rows.append(row)
    frame: dict[str, Any] = {}
    nan: list[str | None] = [None] * len(lines)
    for at, column in enumerate(record_format.columns):
        series = _convert(record_format, column, [None if r is None else r[at] for r in rows], errors)
        frame[column.name] = series
        if column.root in FLOATS:
            _mark_nan(series, nan, nan_mark(at))
    if record_format.has_floats:
        frame[NAN] = pd.Series(nan, dtype=object)
    frame[ERROR] = pd.Series(errors, dtype=object)
    return pd.DataFrame(frame), sum(1 for e in errors if e)


Splitter = Callable[[str], list[Any] | None]
"""From a line to its fields, None for a line that is no record; raises ``ValueError`` with the reason."""


def _split(split: Splitter, line: bytes | None) -> tuple[list[Any] | None, str | None]:
    try:
        # Spreadsheets begin their files with a byte order mark.
        fields = split((line or b"").decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return None, f"\x1fnot UTF-8 at byte {error.start + 1}"
    except (ValueError, csv.Error, RecursionError) as error:
        return None, f"\x1f{error}"
    return (None, "") if fields is None else (fields, None)


def check_format(record_format: RecordFormat) -> None:
    """Raise ``ValueError`` where no line could ever be split in this way."""
    try:
        csv.reader([], **_dialect(record_format))
    except (TypeError, ValueError) as error:
        raise ValueError(str(error).replace('"', "")) from error


def _dialect(record_format: RecordFormat) -> dict[str, Any]:
    dialect: dict[str, Any] = {"delimiter": record_format.delimiter, "escapechar": record_format.escape, "strict": True}
    if record_format.quote is None:
        return dialect | {"quoting": csv.QUOTE_NONE, "quotechar": None}
    return dialect | {"quotechar": record_format.quote}


def _csv_splitter(record_format: RecordFormat) -> Splitter:
    names = [c.name.lower() for c in record_format.columns]
    dialect = _dialect(record_format)

    def split(text: str) -> list[Any] | None:
        text = text.rstrip("\r\n")
        if not text or (record_format.comments and text.startswith("#")):
            return None
        fields = next(csv.reader([text], **dialect))
        if record_format.header and [f.strip().lower() for f in fields] == names:
            return None
        if len(fields) != len(names):
            raise ValueError(f"{len(fields)} fields, the table has {len(names)} columns")
        return [None if f == record_format.null_literal else f for f in fields]

    return split


def _json_splitter(record_format: RecordFormat) -> Splitter:
    names = [c.name for c in record_format.columns]
    # A float would not hold every decimal.
    exact = any(c.root == "DECIMAL" for c in record_format.columns)

    def split(text: str) -> list[Any] | None:
        if not text.strip():
            return None
        try:
            value = json.loads(text, parse_float=Decimal if exact else None)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ValueError(f"a JSON {_KINDS.get(type(value), 'number')}, not an object")
        return [value.get(name) for name in names]

    return split


_KINDS = {list: "array", str: "string", bool: "boolean", type(None): "null"}


def _convert(record_format: RecordFormat, column: Column, values: list[Any], errors: list[str | None]) -> pd.Series:
    fast = _fast(record_format, column, values)
    if fast is not None:
        return fast
    converted: list[Any] = [None] * len(values)
    convert = converter(column, csv_elements=record_format.elements if record_format.kind == "csv" else None)
    for at, value in enumerate(values):
        if value is None or errors[at] is not None:
            continue
        try:
            converted[at] = convert(value)
        except REFUSALS as error:
            errors[at] = f"{column.name}\x1f{_shown(value)} is not {column.sql}: {error}"
    return pd.Series(converted, dtype=object)


def _mark_nan(series: pd.Series, marks: list[str | None], mark: str) -> None:
    if series.dtype == object:
        found = [at for at, v in enumerate(series) if v is not None and v != v]
    else:
        found = np.flatnonzero(np.isnan(series.to_numpy())).tolist()
    for at in found:
        marks[at] = (marks[at] or "") + mark


def _fast(record_format: RecordFormat, column: Column, values: list[Any]) -> pd.Series | None:
    """A whole column of well-formed numbers at once; None where the slow way must look at each."""
    if (
        record_format.kind != "csv"
        or column.root not in {"FLOAT", "DOUBLE", "BIGINT"}
        or None in values
        or "" in values
        or any("_" in v for v in values)
    ):
        return None
    try:
        array = np.array(values, dtype=np.int64 if column.root == "BIGINT" else np.float64)
    except (ValueError, OverflowError):
        return None
    if (
        column.root != "BIGINT"
        and (np.abs(array) > (FLOAT_MAX if column.root == "FLOAT" else np.finfo(float).max)).any()
    ):
        return None
    return pd.Series(array.astype(np.float32) if column.root == "FLOAT" else array)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = text if len(text) <= 40 else text[:37] + "..."
    # What is not printable may not be UTF-8 either.
    return repr(shown) if shown.isprintable() else ascii(shown)
