"""One text or JSON value as a value of a column's SQL type, or the reason why it is none.

Called by :mod:`headgate_runtime.records` for every field that is not part of a plain column of numbers. What comes out always
passes Arrow: decimals have the column's scale, text is valid UTF-8, moments fit. A NaN inside an array arrives in SQL as
NULL, since pandas knows no difference.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from headgate_runtime.columns import Column

REFUSALS = (ValueError, TypeError, InvalidOperation, OverflowError, RecursionError)
"""What a converter may raise for a bad value."""

FLOAT_MAX = 3.4028234663852886e38
_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
_DECIMALS = Context(prec=80, rounding=ROUND_HALF_UP)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NANOSECOND_YEARS = (1678, 2261)


def problem_of(column: Column) -> str | None:
    """Why a column of this type cannot be parsed; None where it can."""
    if column.root == "ARRAY" and column.element is not None:
        if column.element.root == "TIMESTAMP_WITH_LOCAL_TIME_ZONE":
            return "an array of TIMESTAMP_LTZ cannot pass from Python"
        return problem_of(column.element)
    if column.root in _CONVERTERS or column.root in _BITS:
        return None
    return "declare it STRING and take it apart with JSON_VALUE in spec.pipeline.input"


def converter(column: Column, *, csv_elements: str | None = None) -> Callable[[Any], Any]:
    """A function from a text or JSON value to the column's; it raises one of :data:`REFUSALS` with the reason.

    ``csv_elements``: what stands between the elements of an array in CSV; None for JSON. In CSV an empty field of another
    type than STRING is null. A ``TIMESTAMP_LTZ`` is given as milliseconds since 1970.
    """
    convert = _converter(column, csv_elements)
    if csv_elements is not None and column.root not in {"CHAR", "VARCHAR"}:
        return lambda value: None if value == "" else convert(value)
    return convert


def _converter(column: Column, csv_elements: str | None) -> Callable[[Any], Any]:
    if column.root in _BITS:
        bound = 1 << (_BITS[column.root] - 1)
        return lambda value: _integer(value, bound)
    if column.root == "ARRAY" and column.element is not None:
        element = _converter(column.element, csv_elements)
        return lambda value: [None if i is None else element(i) for i in _elements(value, csv_elements)]
    return _CONVERTERS[column.root](_numbers_in(column.sql))


def _numbers_in(sql: str) -> tuple[int, ...]:
    """Length, or precision and scale, as the type's SQL says: ``DECIMAL(10, 2)`` gives 10 and 2."""
    found = re.search(r"\(([0-9, ]+)\)", sql)
    return tuple(int(n) for n in found[1].split(",")) if found else ()


def _elements(value: Any, csv_elements: str | None) -> list[Any]:
    if isinstance(value, str):
        in_json = csv_elements is None or value.lstrip().startswith("[")
        items = json.loads(value) if in_json else [part or None for part in value.split(csv_elements)]
    else:
        items = value
    if not isinstance(items, list):
        raise ValueError("not an array")
    return items


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=float)
    try:
        # ASCII is told at a glance.
        return text if text.isascii() or text.encode() else ""
    except UnicodeEncodeError:
        raise ValueError("half of a character (a lone surrogate)") from None


def _plain(value: Any) -> str:
    """A text without the underscores that Python alone allows in numbers."""
    if not isinstance(value, str):
        raise ValueError(f"a JSON {type(value).__name__}")
    if "_" in value:
        raise ValueError("not a number")
    return value.strip()


def _integer(value: Any, bound: int) -> int:
    if isinstance(value, bool) or (isinstance(value, float | Decimal) and (not math.isfinite(value) or value % 1)):
        raise ValueError("not a whole number")
    try:
        number = int(value) if isinstance(value, int | float | Decimal) else int(_plain(value))
    except ValueError:
        raise ValueError("not a whole number") from None
    if not -bound <= number < bound:
        raise ValueError("out of range")
    return number


def _float(value: Any, greatest: float) -> float:
    if isinstance(value, bool):
        raise ValueError("not a number")
    try:
        number = float(value) if isinstance(value, int | float | Decimal) else float(_plain(value))
    except OverflowError:
        raise ValueError("out of range") from None
    except ValueError:
        raise ValueError("not a number") from None
    if abs(number) > greatest and (math.isfinite(number) or "inf" not in str(value).lower()):
        raise ValueError("out of range")
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in {"true", "false", "1", "0"}:
        raise ValueError("neither true nor false")
    return text in {"true", "1"}


def _decimal(value: Any, precision: int, scale: int) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("not a number")
    try:
        number = (
            value if isinstance(value, Decimal) else Decimal(_plain(value if isinstance(value, str) else repr(value)))
        )
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not number.is_finite() or (number and number.adjusted() >= precision - scale):
        raise ValueError("out of range")
    rounded = number.quantize(Decimal(1).scaleb(-scale), context=_DECIMALS)
    if rounded and rounded.adjusted() >= precision - scale:
        raise ValueError("out of range")
    return rounded


def _bytes(value: Any, length: int | None) -> bytes:
    data = base64.b64decode(value, validate=True)
    if length is not None and len(data) != length:
        raise ValueError(f"{len(data)} bytes instead of {length}")
    return data


def _date(value: Any) -> dt.date:
    return dt.date.fromisoformat(_moment_text(value))


def _time(value: Any) -> dt.time:
    return dt.time.fromisoformat(_moment_text(value)).replace(tzinfo=None)


def _timestamp(value: Any, precision: int) -> dt.datetime:
    moment = _moment(value).replace(tzinfo=None)
    if precision > 6 and not _NANOSECOND_YEARS[0] <= moment.year <= _NANOSECOND_YEARS[1]:
        raise ValueError(f"out of range for TIMESTAMP({precision})")
    return moment


def _instant(value: Any) -> int:
    return int((_moment(value) - _EPOCH) // dt.timedelta(milliseconds=1))


def _moment(value: Any) -> dt.datetime:
    """ISO or SQL text; without a zone it is UTC, with one it becomes UTC."""
    moment = dt.datetime.fromisoformat(_moment_text(value))
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _moment_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text such as 2026-01-31 12:00:00")
    return value.strip()


_CONVERTERS: dict[str, Callable[[tuple[int, ...]], Callable[[Any], Any]]] = {
    "CHAR": lambda _: _text,
    "VARCHAR": lambda _: _text,
    "FLOAT": lambda _: lambda v: _float(v, FLOAT_MAX),
    "DOUBLE": lambda _: lambda v: _float(v, 1.7976931348623157e308),
    "BOOLEAN": lambda _: _boolean,
    "DECIMAL": lambda n: lambda v: _decimal(v, n[0], n[1] if len(n) > 1 else 0),
    "DATE": lambda _: _date,
    "TIME_WITHOUT_TIME_ZONE": lambda _: _time,
    "TIMESTAMP_WITHOUT_TIME_ZONE": lambda n: lambda v: _timestamp(v, n[0] if n else 6),
    "TIMESTAMP_WITH_LOCAL_TIME_ZONE": lambda _: _instant,
    "BINARY": lambda n: lambda v: _bytes(v, n[0] if n else 1),
    "VARBINARY": lambda _: lambda v: _bytes(v, None),
}
