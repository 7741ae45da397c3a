"""Parses lines of CSV or JSON into columns; a bad line yields its reason, never an exception.

Fields convert as Flink's own formats do: an empty CSV field of a type other than STRING is null, JSON numbers and strings
convert where they can, times are ISO or ``yyyy-MM-dd HH:mm:ss``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from headgate_runtime.columns import Column
from headgate_runtime.lines import FLOATS, RecordFormat, split_lines
from headgate_runtime.values import FLOAT_MAX, REFUSALS, converter

ERROR = "hg_error"
"""Null for a good row, ``column \\x1f detail`` for a bad one, empty for a line that is no record (header, comment, blank)."""

NAN = "hg_nan"
"""Only where columns of floats are: the marks of those that are NaN in this row. Arrow gets a NaN of pandas as null."""

_DOUBLE_MAX = float(np.finfo(np.float64).max)


def nan_mark(position: int) -> str:
    """What stands in :data:`NAN` where the column at ``position`` (from 0) is NaN."""
    return f"|{position}|"


def parse_records(record_format: RecordFormat, lines: Sequence[bytes | None]) -> tuple[pd.DataFrame, int]:
    """A frame of the format's columns and ``hg_error`` for n lines, and how many of them are unparsable."""
    split = split_lines(record_format, lines)
    errors = [None if reason is None else f"\x1f{reason}" if reason else "" for _, reason in split]
    nothing = [None] * len(record_format.columns)
    table = list(zip(*(nothing if fields is None else fields for fields, _ in split), strict=True)) or [()] * len(
        nothing
    )
    nan: list[str | None] = [None] * len(lines)
    frame: dict[str, Any] = {}
    for at, column in enumerate(record_format.columns):
        series = _fast(record_format, column, table[at], nan, at)
        frame[column.name] = _slow(record_format, column, table[at], nan, at, errors) if series is None else series
    if record_format.has_floats:
        frame[NAN] = pd.Series(nan, dtype=object)
    frame[ERROR] = pd.Series(errors, dtype=object)
    return pd.DataFrame(frame), sum(1 for e in errors if e)


def _slow(
    record_format: RecordFormat,
    column: Column,
    values: Sequence[Any],
    nan: list[str | None],
    position: int,
    errors: list[str | None],
) -> pd.Series:
    """A column value by value."""
    converted: list[Any] = [None] * len(values)
    convert = converter(column, csv_elements=record_format.elements if record_format.kind == "csv" else None)
    for at, value in enumerate(values):
        if value is None or errors[at] is not None:
            continue
        try:
            converted[at] = convert(value)
        except REFUSALS as error:
            errors[at] = f"{column.name}\x1f{_shown(value)} is not {column.sql}: {error}"
        else:
            if column.root in FLOATS and converted[at] != converted[at]:
                nan[at] = (nan[at] or "") + nan_mark(position)
    return pd.Series(converted, dtype=object)


def _fast(
    record_format: RecordFormat, column: Column, values: Sequence[Any], nan: list[str | None], position: int
) -> pd.Series | None:
    """A whole column of well-formed numbers at once; None where the slow way must look at each."""
    if record_format.kind != "csv" or column.root not in {"FLOAT", "DOUBLE", "BIGINT"}:
        return None
    # Numbers with underscores are Python's own; joining is the quickest look at all of them.
    missing = [at for at, v in enumerate(values) if not v]
    if (missing and column.root == "BIGINT") or "_" in "".join(v for v in values if v):
        return None
    texts = [v or "nan" for v in values] if missing else values
    try:
        array = np.array(texts, dtype=np.int64 if column.root == "BIGINT" else np.float64)
    except (ValueError, OverflowError):
        return None
    if column.root == "BIGINT":
        return pd.Series(array)
    if (np.abs(array) > (FLOAT_MAX if column.root == "FLOAT" else _DOUBLE_MAX)).any():
        return None
    absent = set(missing)
    for at in np.flatnonzero(np.isnan(array)).tolist():
        if at not in absent:
            nan[at] = (nan[at] or "") + nan_mark(position)
    return pd.Series(array.astype(np.float32) if column.root == "FLOAT" else array)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = text if len(text) <= 40 else text[:37] + "..."
    # What is not printable may not be UTF-8 either.
    return repr(shown) if shown.isprintable() else ascii(shown)
