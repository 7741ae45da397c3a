"""Parses lines of CSV or JSON into columns, each line by itself: a bad one yields its reason, never an exception.

Fields convert as Flink's own formats do: an empty CSV field of a type other than STRING is null, JSON numbers and strings
convert where they can, times are ISO or ``yyyy-MM-dd HH:mm:ss``. A quoted field cannot span lines.
"""

from __future__ import annotations

import base64
import csv
import datetime as dt
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd

from headgate_runtime.columns import Column

ERROR = "hg_error"
"""Null for a good row, ``column \\x1f detail`` for a bad one, empty for a line that is no record (header, comment, blank)."""

_RANGES = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How a line is read. ``kind``: csv or json."""

    kind: str
    columns: tuple[Column, ...]
    header: bool = False
    comments: bool = False
    delimiter: str = ","
    quote: str = '"'
    null_literal: str | None = None


def parse_records(record_format: RecordFormat, lines: list[str | None]) -> tuple[pd.DataFrame, int]:
    """A frame of the format's columns and ``hg_error`` for n lines, and how many of them are unparsable."""
    errors: list[str | None] = [None] * len(lines)
    split = _split_csv if record_format.kind == "csv" else _split_json
    rows = split(record_format, lines, errors)
    frame: dict[str, Any] = {}
    for at, column in enumerate(record_format.columns):
        frame[column.name] = _convert(record_format, column, [None if r is None else r[at] for r in rows], errors)
    frame[ERROR] = pd.Series(errors, dtype=object)
    return pd.DataFrame(frame), sum(1 for e in errors if e)


def _split_csv(
    record_format: RecordFormat, lines: list[str | None], errors: list[str | None]
) -> list[list[Any] | None]:
    names = [c.name.lower() for c in record_format.columns]
    rows: list[list[Any] | None] = []
    for at, line in enumerate(lines):
        text = (line or "").rstrip("\r")
        if not text or (record_format.comments and text.startswith("#")):
            errors[at] = ""
            rows.append(None)
            continue
        try:
            fields = next(
                csv.reader([text], delimiter=record_format.delimiter, quotechar=record_format.quote, strict=True)
            )
        except (csv.Error, StopIteration) as error:
            errors[at] = f"\x1f{error}"
            rows.append(None)
            continue
        if record_format.header and [f.strip().lower() for f in fields] == names:
            errors[at] = ""
            rows.append(None)
        elif len(fields) != len(names):
            errors[at] = f"\x1f{len(fields)} fields, the table has {len(names)} columns"
            rows.append(None)
        else:
            rows.append([None if f == record_format.null_literal else f for f in fields])
    return rows


def _split_json(
    record_format: RecordFormat, lines: list[str | None], errors: list[str | None]
) -> list[list[Any] | None]:
    rows: list[list[Any] | None] = []
    for at, line in enumerate(lines):
        if not (line or "").strip():
            errors[at] = ""
            rows.append(None)
            continue
        try:
            value = json.loads(line or "")
        except (ValueError, RecursionError) as error:
            errors[at] = f"\x1fnot JSON: {error}"
            rows.append(None)
            continue
        if not isinstance(value, dict):
            errors[at] = f"\x1fa JSON {type(value).__name__}, not an object"
            rows.append(None)
        else:
            rows.append([value.get(c.name) for c in record_format.columns])
    return rows


def _convert(record_format: RecordFormat, column: Column, values: list[Any], errors: list[str | None]) -> pd.Series:
    fast = _fast(record_format, column, values)
    if fast is not None:
        return fast
    converted: list[Any] = [None] * len(values)
    convert = converter(column, empty_is_null=record_format.kind == "csv")
    for at, value in enumerate(values):
        if value is None or errors[at] is not None:
            continue
        try:
            converted[at] = convert(value)
        except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
            errors[at] = f"{column.name}\x1f{_shown(value)} is not {column.sql}: {error}"
    return pd.Series(converted, dtype=object)


def _fast(record_format: RecordFormat, column: Column, values: list[Any]) -> pd.Series | None:
    """A whole column of well-formed numbers at once; None where the slow way must look at each."""
    if (
        record_format.kind != "csv"
        or column.root not in {"FLOAT", "DOUBLE", "BIGINT"}
        or None in values
        or "" in values
    ):
        return None
    try:
        array = np.array(values, dtype=np.float64 if column.root != "BIGINT" else np.int64)
    except (ValueError, OverflowError):
        return None
    return pd.Series(array.astype(np.float32) if column.root == "FLOAT" else array)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def converter(column: Column, *, empty_is_null: bool) -> Callable[[Any], Any]:
    """A function from a text or JSON value to a Python value of the column's type; raises ValueError with the reason."""
    convert = _converter(column)
    if empty_is_null and column.root not in {"CHAR", "VARCHAR"}:
        return lambda value: None if value == "" else convert(value)
    return convert


def _converter(column: Column) -> Callable[[Any], Any]:
    match column.root:
        case "CHAR" | "VARCHAR":
            return lambda v: v if isinstance(v, str) else json.dumps(v)
        case "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT":
            return _integer(_RANGES[column.root])
        case "FLOAT" | "DOUBLE":
            return _float
        case "BOOLEAN":
            return _boolean
        case "DECIMAL":
            return lambda v: Decimal(str(v).strip())
        case "DATE":
            return lambda v: dt.date.fromisoformat(v.strip())
        case "TIME_WITHOUT_TIME_ZONE":
            return lambda v: dt.time.fromisoformat(v.strip())
        case "TIMESTAMP_WITHOUT_TIME_ZONE":
            return lambda v: pd.Timestamp(dt.datetime.fromisoformat(v.strip()).replace(tzinfo=None))
        case "TIMESTAMP_WITH_LOCAL_TIME_ZONE":
            return _instant
        case "BINARY" | "VARBINARY":
            return lambda v: base64.b64decode(v, validate=True)
        case "ARRAY" if column.element is not None:
            return _list(_converter(column.element))
        case "ROW":
            return _fields({f.name: _converter(f) for f in column.fields})
        case _:
            raise ValueError(f"column {column.name!r}: {column.sql} cannot be read with 'headgate.parse-errors'")


def _integer(bits: int) -> Callable[[Any], int]:
    bound = 1 << (bits - 1)

    def convert(value: Any) -> int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError("not a whole number")
        number = int(value)
        if not -bound <= number < bound:
            raise ValueError("out of range")
        return number

    return convert


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("a boolean")
    number = float(value)
    if math.isinf(number) and "inf" not in str(value).lower():
        raise ValueError("out of range")
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in {"true", "false", "1", "0"}:
        raise ValueError("neither true nor false")
    return text in {"true", "1"}


def _instant(value: str) -> pd.Timestamp:
    moment = dt.datetime.fromisoformat(value.strip())
    return pd.Timestamp(moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC))


def _list(element: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> list[Any]:
        items = json.loads(value) if isinstance(value, str) else value
        if not isinstance(items, list):
            raise ValueError("not an array")
        return [None if i is None else element(i) for i in items]

    return convert


def _fields(fields: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return {name: None if value.get(name) is None else f(value[name]) for name, f in fields.items()}

    return convert
