"""CSV and JSON lines: what Headgate parses equals a plain reading, whatever the line holds, and Arrow takes all of it."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_runtime.columns import Column
from headgate_runtime.lines import RecordFormat
from headgate_runtime.records import ERROR, NAN, parse_records

ROOTS = {
    "TINYINT": ("TINYINT", pa.int8()),
    "SMALLINT": ("SMALLINT", pa.int16()),
    "INTEGER": ("INT", pa.int32()),
    "BIGINT": ("BIGINT", pa.int64()),
    "FLOAT": ("FLOAT", pa.float32()),
    "DOUBLE": ("DOUBLE", pa.float64()),
    "BOOLEAN": ("BOOLEAN", pa.bool_()),
    "VARCHAR": ("STRING", pa.utf8()),
    "DECIMAL": ("DECIMAL(10, 2)", pa.decimal128(10, 2)),
    "DATE": ("DATE", pa.date32()),
    "TIME_WITHOUT_TIME_ZONE": ("TIME(0)", pa.time32("s")),
    "TIMESTAMP_WITHOUT_TIME_ZONE": ("TIMESTAMP(9)", pa.timestamp("ns")),
    "TIMESTAMP_WITH_LOCAL_TIME_ZONE": ("TIMESTAMP_LTZ(3)", pa.int64()),
    "BINARY": ("BINARY(3)", pa.binary(3)),
    "VARBINARY": ("BYTES", pa.binary()),
}


def column(name: str, root: str, sql: str = "") -> Column:
    if root == "ARRAY":
        return Column(name, root, f"ARRAY<{sql}>", True, column("", sql))
    return Column(name, root, sql or ROOTS[root][0])


def arrow_type(c: Column) -> pa.DataType:
    return pa.list_(arrow_type(c.element)) if c.element is not None else ROOTS[c.root][1]


def parse(record_format: RecordFormat, *lines: str | bytes | None) -> tuple[list[list[Any]], list[list[str] | None]]:
    """Rows of the good lines and errors of all, after the way through Arrow that PyFlink takes."""
    encoded = [line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line for line in lines]
    frame, unparsable = parse_records(record_format, encoded)
    assert unparsable == sum(1 for e in frame[ERROR] if e)
    passed = []
    for c in record_format.columns:
        series = frame[c.name]
        passed.append(pa.Array.from_pandas(series, mask=series.isnull(), type=arrow_type(c)).to_pylist())
    pa.Array.from_pandas(frame[ERROR], mask=frame[ERROR].isnull(), type=pa.utf8())
    errors = [None if pd.isna(e) else e.split("\x1f") for e in frame[ERROR]]
    rows = [list(row) for row, e in zip(zip(*passed, strict=True), errors, strict=True) if e is None]
    return rows, errors


def csv_format(*columns: Column, **options: Any) -> RecordFormat:
    return RecordFormat("csv", columns, **options)


def json_format(*columns: Column) -> RecordFormat:
    return RecordFormat("json", columns)


# ---- properties ---------------------------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=6)
    | st.sampled_from(["2024-01-31", "0001-01-01 00:00:00", "2024-01-31T10:00:00.123456Z", "9999-12-31 23:59:59+14:00",
                       "10:11:12.5", "1e400", "-1e39", "nan", "Infinity", "1_000", "12345678.905", "99999999.999", "YWJj",
                       "true", "0", "[1, null]", "1;2", "\ud800", "1E+999999"])
)  # fmt: skip
COLUMNS = st.lists(
    st.builds(lambda r: column("c", r), st.sampled_from(sorted(ROOTS)))
    | st.builds(lambda r: column("c", "ARRAY", r), st.sampled_from(["FLOAT", "BIGINT", "VARCHAR", "DECIMAL", "DATE"])),
    min_size=1,
    max_size=4,
).map(lambda cs: tuple(Column(f"c{at}", c.root, c.sql, True, c.element) for at, c in enumerate(cs)))


@given(COLUMNS, st.data())
def test_no_json_line_raises_here_or_in_arrow(columns: tuple[Column, ...], data: st.DataObject) -> None:
    objects = st.dictionaries(st.sampled_from([c.name for c in columns]), SCALARS | st.lists(SCALARS, max_size=3))
    lines = data.draw(st.lists(objects.map(json.dumps) | st.text(max_size=8) | st.binary(max_size=6), max_size=5))
    rows, errors = parse(RecordFormat("json", columns), *lines)
    assert len(errors) == len(lines)
    assert len(rows) == errors.count(None)


@given(COLUMNS, st.booleans(), st.booleans(), st.data())
def test_no_csv_line_raises_here_or_in_arrow(
    columns: tuple[Column, ...], header: bool, comments: bool, data: st.DataObject
) -> None:
    def line(cells: list[Any]) -> str:
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(["" if c is None else c for c in cells])
        return out.getvalue()

    cells = st.lists(SCALARS, min_size=len(columns), max_size=len(columns)).map(line)
    lines = data.draw(st.lists(cells | st.text(max_size=8) | st.binary(max_size=6), max_size=5))
    rows, errors = parse(RecordFormat("csv", columns, header=header, comments=comments), *lines)
    assert len(errors) == len(lines)
    assert len(rows) == errors.count(None)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n\ufeff")),
        )
    )
)
def test_csv_that_is_written_is_read_back(rows: list[tuple[int, float, str]]) -> None:
    lines = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out, lineterminator="", quoting=csv.QUOTE_ALL).writerow(row)
        lines.append(out.getvalue())
    got, errors = parse(csv_format(column("a", "BIGINT"), column("b", "DOUBLE"), column("c", "VARCHAR")), *lines)
    assert errors == [None] * len(rows)
    assert got == [list(row) for row in rows]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"a": st.integers(-128, 127), "b": st.booleans(), "c": st.text(st.characters(codec="utf-8"))}
        )
    )
)
def test_json_that_is_written_is_read_back(rows: list[dict[str, Any]]) -> None:
    read = json_format(column("a", "TINYINT"), column("b", "BOOLEAN"), column("c", "VARCHAR"))
    got, errors = parse(read, *map(json.dumps, rows))
    assert errors == [None] * len(rows)
    assert got == [[row["a"], row["b"], row["c"]] for row in rows]


@given(
    st.lists(
        st.sampled_from(["1.5", "1e39", "nan", "-inf", "x", "", " 2 ", "1_0", "1e400", "0x1"]), min_size=1, max_size=6
    )
)
def test_the_fast_way_for_numbers_says_what_the_slow_way_says(texts: list[str]) -> None:
    for root in ("FLOAT", "DOUBLE"):
        read = csv_format(column("a", root), column("b", "VARCHAR"))
        together, errors = parse(read, *[f"{t},x" for t in texts])
        apart = [parse(read, f"{t},x", ",") for t in texts]
        assert errors == [e[0] for _, e in apart]
        assert str(together) == str([rows[0] for rows, e in apart if e[0] is None])


# ---- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "text", "value"),
    [
        pytest.param("TINYINT", "-128", -128, id="the least TINYINT"),
        pytest.param("BIGINT", "9223372036854775807", 2**63 - 1, id="the greatest BIGINT"),
        pytest.param("INTEGER", " 7 ", 7, id="a number between spaces"),
        pytest.param("INTEGER", "", None, id="an empty field that is no text is null"),
        pytest.param("VARCHAR", "", "", id="an empty field that is text is empty"),
        pytest.param("DOUBLE", "1e308", 1e308, id="a large DOUBLE"),
        pytest.param("DOUBLE", "-Infinity", -math.inf, id="an infinity that is meant"),
        pytest.param("BOOLEAN", "TRUE", True, id="TRUE"),
        pytest.param("BOOLEAN", "0", False, id="0 is false"),
        pytest.param("DECIMAL", "99999999.994", Decimal("99999999.99"), id="a decimal is rounded to its scale"),
        pytest.param("DECIMAL", "1e3", Decimal("1000.00"), id="a decimal with an exponent"),
        pytest.param("DECIMAL", "-0.005", Decimal("-0.01"), id="half a unit is rounded away from zero"),
        pytest.param("DATE", "2024-02-29", dt.date(2024, 2, 29), id="a leap day"),
        pytest.param("TIME_WITHOUT_TIME_ZONE", "10:11:12", dt.time(10, 11, 12), id="a time"),
        pytest.param("TIMESTAMP_WITHOUT_TIME_ZONE", "2024-01-31 10:00:00", pd.Timestamp("2024-01-31 10:00"), id="SQL time"),
        pytest.param("TIMESTAMP_WITHOUT_TIME_ZONE", "2024-01-31T10:00:00Z", pd.Timestamp("2024-01-31 10:00"), id="ISO time"),
        pytest.param("TIMESTAMP_WITHOUT_TIME_ZONE", "2024-01-31T10:00:00+02:00", pd.Timestamp("2024-01-31 08:00"), id="of a zone"),
        pytest.param("TIMESTAMP_WITH_LOCAL_TIME_ZONE", "1970-01-01T00:00:01.5Z", 1500, id="an instant in milliseconds"),
        pytest.param("TIMESTAMP_WITH_LOCAL_TIME_ZONE", "1969-12-31 23:59:59.9999", -1, id="an instant before 1970"),
        pytest.param("VARBINARY", base64.b64encode(b"\x00\xff").decode(), b"\x00\xff", id="bytes are base64"),
    ],
)  # fmt: skip
def test_a_csv_field_becomes_a_value_of_its_column(root: str, text: str, value: Any) -> None:
    rows, errors = parse(csv_format(column("a", root), column("b", "INTEGER")), f"{text},1")
    assert errors == [None]
    assert rows == [[value, 1]]


@pytest.mark.parametrize(
    ("root", "value", "detail"),
    [
        pytest.param("TINYINT", "128", "'128' is not TINYINT: out of range", id="too large"),
        pytest.param("INTEGER", "1.5", "'1.5' is not INT: not a whole number", id="a fraction"),
        pytest.param("INTEGER", 1.5, "'1.5' is not INT: not a whole number", id="a JSON fraction"),
        pytest.param("INTEGER", True, "'true' is not INT: not a whole number", id="a boolean is no number"),
        pytest.param("INTEGER", "1_000", "'1_000' is not INT: not a whole number", id="underscores are Python's"),
        pytest.param("DOUBLE", "1e400", "'1e400' is not DOUBLE: out of range", id="no infinity by accident"),
        pytest.param("FLOAT", "1e39", "'1e39' is not FLOAT: out of range", id="too large for FLOAT"),
        pytest.param("DOUBLE", False, "'false' is not DOUBLE: not a number", id="a boolean is no DOUBLE"),
        pytest.param("DOUBLE", [1], "'[1]' is not DOUBLE: not a number", id="a list is no number"),
        pytest.param("BOOLEAN", "yes", "'yes' is not BOOLEAN: neither true nor false", id="yes"),
        pytest.param("DECIMAL", "100000000", "'100000000' is not DECIMAL(10, 2): out of range", id="too large a decimal"),
        pytest.param("DECIMAL", "99999999.995", "is not DECIMAL(10, 2): out of range", id="too large once rounded"),
        pytest.param("DATE", "2024-02-30", "'2024-02-30' is not DATE: day is out of range", id="no such day"),
        pytest.param("DATE", 20240131, "'20240131' is not DATE: not a text such as", id="a number is no date"),
        pytest.param("TIMESTAMP_WITHOUT_TIME_ZONE", "0001-01-01 00:00:00", "out of range for TIMESTAMP(9)", id="too long ago"),
        pytest.param("TIMESTAMP_WITH_LOCAL_TIME_ZONE", None, "", id="null is null"),
        pytest.param("BINARY", "YWI=", "2 bytes instead of 3", id="too few bytes"),
        pytest.param("VARBINARY", "a", "'a' is not BYTES: ", id="no base64"),
        pytest.param("VARCHAR", "\ud800", "'\\ud800' is not STRING: half of a character", id="half a character"),
        pytest.param("VARCHAR", "x" * 50 + "\ud800", "'" + "x" * 37 + "...' is not STRING", id="a long text is cut"),
    ],
)  # fmt: skip
def test_a_json_value_that_is_none_of_its_column_says_why(root: str, value: Any, detail: str) -> None:
    _, errors = parse(json_format(column("a", root)), json.dumps({"a": value}))
    if not detail:
        assert errors == [None]
        return
    assert errors[0] is not None
    assert errors[0][0] == "a"
    assert detail in errors[0][1]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        pytest.param("json", '{"a": [1, 2.5, null]}', [1.0, 2.5, None], id="a JSON array"),
        pytest.param("csv", "1;2.5;", [1.0, 2.5, None], id="a CSV array as Flink writes it"),
        pytest.param("csv", '"[1, 2.5]"', [1.0, 2.5], id="a JSON array in CSV"),
    ],
)
def test_arrays_are_read_from_both_formats(kind: str, text: str, value: list[Any]) -> None:
    rows, errors = parse(RecordFormat(kind, (column("a", "ARRAY", "FLOAT"),)), text)
    assert errors == [None]
    assert rows == [[value]]


def test_a_nan_is_marked_since_arrow_takes_it_for_null() -> None:
    read = csv_format(column("a", "FLOAT"), column("b", "VARCHAR"), column("c", "DOUBLE"))
    for more in ("", "2,x,\n"):  # the fast way for whole columns, the slow one beside a null
        frame, _ = parse_records(read, [line.encode() for line in f"1,x,2\nNaN,x,3\nnan,x,nan\n{more}".splitlines()])
        assert [None if pd.isna(m) else m for m in frame[NAN]] == [None, "|0|", "|0||2|", None][: len(frame)]


def test_json_in_a_text_column_stays_json_and_decimals_stay_exact() -> None:
    read = json_format(column("a", "VARCHAR"), column("b", "DECIMAL", "DECIMAL(38, 20)"))
    frame, _ = parse_records(read, ['{"a": {"x": [1.5, "ä"]}, "b": 12345678901234567.12345678901234567890}'.encode()])
    assert frame["a"][0] == '{"x": [1.5, "ä"]}'
    assert frame["b"][0] == Decimal("12345678901234567.12345678901234567890")


# ---- lines ------------------------------------------------------------------------------------------------------------

NUMBER_AND_TEXT = (column("Id", "BIGINT"), column("text", "VARCHAR"))


@pytest.mark.parametrize(
    ("line", "options", "error"),
    [
        pytest.param("Id,text", {"header": True}, [""], id="the header is no record"),
        pytest.param(" id , TEXT", {"header": True}, [""], id="the header in other letters"),
        pytest.param("\ufeffId,text", {"header": True}, [""], id="the header behind a byte order mark"),
        pytest.param(
            "Id,text", {}, ["Id", "'Id' is not BIGINT: not a whole number"], id="a header where none is expected"
        ),
        pytest.param("# a,b", {"comments": True}, [""], id="a comment"),
        pytest.param(
            "# a,b", {}, ["Id", "'# a' is not BIGINT: not a whole number"], id="a comment where none is allowed"
        ),
        pytest.param("", {}, [""], id="a blank line"),
        pytest.param(None, {}, [""], id="no line at all"),
        pytest.param("1", {}, ["", "1 fields, the table has 2 columns"], id="too few fields"),
        pytest.param("1,a,b", {}, ["", "3 fields, the table has 2 columns"], id="too many fields"),
        pytest.param('1,"a', {}, ["", "unexpected end of data"], id="a quote that never ends"),
        pytest.param('1,"a"b', {}, ["", "',' expected after '\"'"], id="text behind a quote"),
        pytest.param(b"1,\xff", {}, ["", "not UTF-8 at byte 3"], id="not UTF-8"),
        pytest.param("1,a\r", {}, None, id="a line of Windows"),
        pytest.param('1,"a,""b"""', {}, None, id="quotes within quotes"),
        pytest.param("1|a", {"delimiter": "|"}, None, id="another delimiter"),
        pytest.param("1,'a,b'", {"quote": "'"}, None, id="another quote"),
        pytest.param('1,"a', {"quote": None}, None, id="no quotes at all"),
        pytest.param("1,a\\,b", {"escape": "\\"}, None, id="an escaped delimiter"),
        pytest.param("N,b", {"null_literal": "N"}, None, id="a null by its literal"),
    ],
)
def test_a_csv_line_is_a_record_or_says_what_it_is(
    line: str | bytes | None, options: dict[str, Any], error: Sequence[str] | None
) -> None:
    _, errors = parse(csv_format(*NUMBER_AND_TEXT, **options), line)
    assert errors == [error]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param("  ", [""], id="a blank line"),
        pytest.param("{", ["", "not JSON: Expecting property name"], id="broken"),
        pytest.param("[1]", ["", "a JSON array, not an object"], id="an array"),
        pytest.param("null", ["", "a JSON null, not an object"], id="null"),
        pytest.param("1", ["", "a JSON number, not an object"], id="a number"),
        pytest.param("[" * 100_000, ["", "maximum recursion depth"], id="too deep"),
        pytest.param('{"Id": 1} x', ["", "not JSON: Extra data"], id="more behind"),
    ],
)
def test_a_json_line_that_is_no_object_says_what_it_is(line: str, error: list[str]) -> None:
    _, errors = parse(json_format(*NUMBER_AND_TEXT), line)
    assert errors[0] is not None
    assert [found.startswith(wanted) for found, wanted in zip(errors[0], error, strict=True)] == [True] * len(error)


def test_a_missing_field_is_null_and_an_unknown_one_is_left_alone() -> None:
    assert parse(json_format(*NUMBER_AND_TEXT), '{"Id": 4, "more": 1}') == ([[4, None]], [None])


def test_a_bad_line_leaves_its_neighbours_alone() -> None:
    rows, errors = parse(csv_format(*NUMBER_AND_TEXT), "1,a", "x,b", "3,c")
    assert rows == [[1, "a"], [3, "c"]]
    assert [e is None for e in errors] == [True, False, True]


def test_a_quote_that_does_not_end_in_its_line_takes_no_other_line_with_it() -> None:
    rows, errors = parse(csv_format(*NUMBER_AND_TEXT), '1,"a', 'b",2', "3,c")
    assert rows == [[3, "c"]]
    assert errors[:2] == [["", "unexpected end of data"], ["Id", "'b\"' is not BIGINT: not a whole number"]]
