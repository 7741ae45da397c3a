"""Columns to tensors: the vectorised way equals a naive one, row by row, and every refusal names its input."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_runtime.columns import Column
from headgate_runtime.dtypes import ORT_TO_NUMPY, plan_feed
from headgate_runtime.errors import DeadLetterReason, MappingRefused
from headgate_runtime.mapping import Mapping, RowError, TensorSpec, plan_mapping

DTYPES = tuple(np.dtype(d) for d in ORT_TO_NUMPY.values())
SQL = {
    "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INTEGER": "INT", "BIGINT": "BIGINT", "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN", "VARCHAR": "STRING",
}  # fmt: skip
NUMPY = {"TINYINT": np.int8, "SMALLINT": np.int16, "INT": np.int32, "BIGINT": np.int64, "FLOAT": np.float32,
         "DOUBLE": np.float64, "BOOLEAN": np.bool_, "STRING": np.object_}  # fmt: skip
VALUES = {
    "TINYINT": st.integers(-128, 127), "SMALLINT": st.integers(-(2**15), 2**15 - 1),
    "INTEGER": st.integers(-(2**31), 2**31 - 1), "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "FLOAT": st.floats(width=32), "DOUBLE": st.floats(), "BOOLEAN": st.booleans(), "VARCHAR": st.text(max_size=3),
}  # fmt: skip


def column(name: str, root: str, *, nullable: bool = True, of: str | None = None) -> Column:
    element = column("", of) if of else None
    return Column(name, root, f"ARRAY<{SQL[of]}>" if of else SQL.get(root, root), nullable, element)


def tensor(name: str, dtype: Any, *shape: int | None) -> TensorSpec:
    return TensorSpec(name, np.dtype(dtype), shape)


def plan(signature: list[TensorSpec], columns: list[Column], *, nan: bool = False, **given: list[str]) -> Mapping:
    """A plan with the column ``id`` as key and the keyword arguments as ``model.inputs``."""
    return plan_mapping(signature, columns, key="id", given=given, fed_otherwise=frozenset(), nan_is_dead_letter=nan)


# ---- the property: equal to row by row --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    signature: list[TensorSpec]
    columns: list[Column]
    given: dict[str, list[str]]
    rows: list[dict[str, Any]]
    nan: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One to three inputs of any dtype and rank, the columns that feed them, and rows with nulls among them."""
    signature, columns, given = [], [], {}
    for at in range(draw(st.integers(1, 3))):
        dtype = draw(st.sampled_from(DTYPES))
        shape = draw(st.sampled_from([(), (1,), (2,), (None,), (2, 2), (None, 2), (3, None), (1, 1, 2)]))
        width = int(np.prod([2 if d is None else d for d in shape]))
        first = draw(st.sampled_from([None, 1, 7]))
        signature.append(TensorSpec(f"x{at}", dtype, (first, *shape)))
        given[f"x{at}"] = []
        for number in range(width):
            root = draw(st.sampled_from([r for r in SQL if plan_feed(dtype, r) is not None]))
            columns.append(column(f"c{at}_{number}", root, nullable=draw(st.booleans())))
            given[f"x{at}"].append(columns[-1].name)
    cells = {c.name: st.none() | VALUES[c.root] if c.nullable else VALUES[c.root] for c in columns}
    return Case(
        signature, columns, given, draw(st.lists(st.fixed_dictionaries(cells), max_size=6)), draw(st.booleans())
    )


def as_sql_does(mapping: Mapping, case: Case) -> list[Any]:
    """What Flink evaluates for the mapping's SQL: casts, blanks for nulls, and the marker in front."""
    arrays: list[Any] = []
    if mapping.null_marker:
        marks = [
            next((at + 1 for at, a in enumerate(mapping.arguments) if a.null and row[a.column] is None), 0)
            for row in case.rows
        ]
        arrays.append(pd.Series(marks, dtype=np.int16))
    feeds = {name: t.dtype for t in case.signature for name in case.given[t.name]}
    roots = {c.name: c.root for c in case.columns}
    for argument in mapping.arguments:
        feed = plan_feed(feeds[argument.column], roots[argument.column])
        assert feed is not None
        target = NUMPY[feed.sql_type]
        zero: Any = "" if target is np.object_ else 0
        if "COALESCE" not in argument.sql and feed.sql_type in {"FLOAT", "DOUBLE"}:
            zero = float("nan")  # what Arrow makes of a null float
        with np.errstate(over="ignore"):
            values = [zero if row[argument.column] is None else row[argument.column] for row in case.rows]
            arrays.append(pd.Series(np.array([np.array(v, dtype=object).astype(target) for v in values], dtype=target)))
    return arrays


def naive(case: Case, spec: TensorSpec, row: dict[str, Any]) -> np.ndarray | None:
    """One row's tensor element by element; None where it must be a dead letter."""
    cells = [row[name] for name in case.given[spec.name]]
    out = []
    for cell in cells:
        if cell is None:
            return None
        if spec.dtype.kind in "iu":
            info = np.iinfo(spec.dtype)
            if not info.min <= int(cell) <= info.max:
                return None
        if spec.dtype.kind == "f":
            if case.nan and float(cell) != float(cell):
                return None
            with np.errstate(over="ignore"):
                first = np.float64(cell) if spec.dtype.itemsize == 8 else np.float32(cell)
                if spec.dtype.itemsize == 2 and np.isfinite(first) and np.isinf(np.float16(first)):
                    return None
                cell = first.astype(spec.dtype)
        out.append(cell)
    return np.array(out, dtype=spec.dtype).reshape([-1 if d is None else d for d in spec.shape[1:]])


@given(cases())
def test_tensors_equal_those_made_row_by_row(case: Case) -> None:
    mapping = plan(case.signature, case.columns, nan=case.nan, **case.given)
    values = as_sql_does(mapping, case)
    feeds, errors = mapping.assemble(values)
    for spec in case.signature:
        assert feeds[spec.name].dtype == spec.dtype
        assert len(feeds[spec.name]) == len(case.rows)
    for at, row in enumerate(case.rows):
        wanted = {spec.name: naive(case, spec, row) for spec in case.signature}
        assert (at in errors) == any(w is None for w in wanted.values())
        if at in errors:
            blamed = next(s for s in case.signature if errors[at].column in case.given[s.name])
            assert wanted[blamed.name] is None
            continue
        for name, tensor_ in wanted.items():
            np.testing.assert_array_equal(feeds[name][at], tensor_)


@given(
    st.sampled_from(DTYPES),
    st.lists(st.sampled_from([None, 1, 2, 12]), max_size=4),
    st.lists(st.sampled_from([*SQL, "ARRAY", "DECIMAL", "DATE", "MAP", "ROW", "VARBINARY"]), min_size=1, max_size=4),
    st.booleans(),
)
def test_planning_raises_nothing_but_a_refusal_that_names_the_input(
    dtype: np.dtype, shape: list[int | None], roots: list[str], named: bool
) -> None:
    columns = [column("id", "BIGINT")]
    columns += [column(f"c{at}", root, of="FLOAT" if root == "ARRAY" else None) for at, root in enumerate(roots)]
    given = {"features": [c.name for c in columns[1:]]} if named else {}
    with contextlib.suppress(MappingRefused), _naming("'features'"):
        mapping = plan([TensorSpec("features", dtype, tuple(shape))], columns, **given)
        assert {a.column for a in mapping.arguments} <= {c.name for c in columns[1:]}


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except MappingRefused as refused:
        if what not in refused.message:
            raise AssertionError(f"{refused.message!r} does not name {what}") from refused
        raise


# ---- refusals and choices ---------------------------------------------------------------------------------------------

ID, A, B, TEXT = column("id", "BIGINT"), column("a", "FLOAT"), column("b", "DOUBLE"), column("text", "VARCHAR")
ROW = Column("r", "ROW", "ROW<`a` FLOAT, `b` INT>", True, None, (column("a", "FLOAT"), column("b", "INTEGER")))


F4, V = np.float32, column("v", "ARRAY", of="FLOAT")


def x(dtype: Any, *shape: int | None) -> TensorSpec:
    return tensor("x", dtype, *shape)


@pytest.mark.parametrize(
    ("spec", "columns", "given", "sentence"),
    [
        pytest.param(
            x(F4, None, 3),
            [ID, A, B],
            {},
            "wants 3 columns (float32 [?, 3]), it would get 2: a, b",
            id="too few",
        ),
        pytest.param(x(F4, None, 2), [ID, A, B], {"x": ["a", "c"]}, "column 'c' is not among", id="no such column"),
        pytest.param(x(F4, None, 2), [ID, A], {"y": ["a"]}, "names 'y', which is no input", id="no such input"),
        pytest.param(
            x(F4, None, 1),
            [ID, TEXT],
            {"x": ["text"]},
            "column 'text' is STRING. CAST it",
            id="text for numbers",
        ),
        pytest.param(
            x(np.int64, None, 1),
            [ID, A],
            {"x": ["a"]},
            "wants int64 [?, 1], column 'a' is FLOAT",
            id="a fraction for an integer",
        ),
        pytest.param(
            x(np.bool_, None, 1),
            [ID, A],
            {"x": ["id"]},
            "wants bool [?, 1], column 'id' is BIGINT",
            id="a number for a boolean",
        ),
        pytest.param(
            x(np.object_, None, 1),
            [ID, A],
            {"x": ["a"]},
            "wants string [?, 1], column 'a' is FLOAT",
            id="a number for text",
        ),
        pytest.param(x(F4, None, None, 2), [ID, A], {"x": ["a"]}, "a multiple of 2 columns", id="not a multiple"),
        pytest.param(
            x(F4, None, None, None),
            [ID, A, B],
            {},
            "2 dimensions that plain columns do not decide",
            id="two free dimensions",
        ),
        pytest.param(x(F4, None), [ID, V], {}, "column 'v' holds many", id="an array for one value"),
        pytest.param(
            x(F4, None, 4),
            [A, V],
            {"x": ["a", "v"]},
            "'v' must feed it alone",
            id="an array beside others",
        ),
        pytest.param(
            x(F4, None, 4),
            [ID, column("v", "VARBINARY")],
            {"x": ["v"]},
            "column 'v' is VARBINARY",
            id="bytes for floats",
        ),
        pytest.param(
            x(F4, None, 2),
            [Column("v", "ARRAY", "ARRAY<ROW<...>>", True, ROW)],
            {"x": ["v"]},
            "column 'v' is ARRAY<ROW",
            id="an array of rows",
        ),
        pytest.param(
            x(F4, None, 1),
            [Column("m", "MAP", "MAP<INT, INT>")],
            {"x": ["m"]},
            "column 'm' is MAP<INT, INT>",
            id="a map",
        ),
        pytest.param(
            x(F4, None, 1),
            [Column("s", "STRUCTURED_TYPE", "S")],
            {"x": ["s"]},
            "column 's' is S",
            id="a structured type",
        ),
        pytest.param(x(F4, None, 1), [ID, TEXT], {}, "nothing feeds the model's input 'x'", id="nothing fits"),
    ],
)
def test_columns_that_do_not_fit_are_refused_with_what_is_wanted(
    spec: TensorSpec, columns: list[Column], given: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(MappingRefused) as caught:
        plan([spec], columns, **given)
    assert sentence in caught.value.message


def test_a_model_fed_by_constants_alone_is_refused() -> None:
    with pytest.raises(MappingRefused, match="every input is a constant or state"):
        plan_mapping(
            [tensor("x", np.int64)], [ID], key="id", given={}, fed_otherwise=frozenset({"x"}), nan_is_dead_letter=False
        )


def test_a_single_input_takes_the_numeric_columns_but_the_key_in_their_order() -> None:
    mapping = plan([tensor("x", np.float32, None, None)], [B, ID, TEXT, A, column("flag", "BOOLEAN")])
    assert [a.column for a in mapping.arguments] == ["b", "a", "flag"]


def test_several_inputs_take_the_columns_of_their_names() -> None:
    mapping = plan([tensor("b", np.float64, None, 1), tensor("text", np.object_, None)], [ID, A, B, TEXT])
    assert [(p.tensor.name, mapping.arguments[p.first].column) for p in mapping.inputs] == [
        ("b", "b"),
        ("text", "text"),
    ]


def test_the_fields_of_a_row_feed_in_their_order_and_a_null_among_them_is_seen() -> None:
    mapping = plan([tensor("x", np.float32, None, 2)], [ID, ROW], x=["r"])
    assert [a.null for a in mapping.arguments] == ["`r`.`a` IS NULL", "`r`.`b` IS NULL"]
    feeds, errors = mapping.assemble(
        [np.array([0, 2], np.int16), np.array([0.5, 1.5], np.float32), np.array([3, 0], np.float32)]
    )
    np.testing.assert_array_equal(feeds["x"][0], [0.5, 3])
    assert errors == {1: RowError(DeadLetterReason.NULL_FEATURE, "r", "the feature is null")}


def test_null_elements_of_an_array_are_looked_for_before_arrow_makes_them_nan() -> None:
    mapping = plan([tensor("x", np.float32, None, 2)], [column("x", "ARRAY", of="FLOAT")])
    assert mapping.null_marker == (
        "CASE WHEN `x` IS NULL OR ARRAY_CONTAINS(`x`, CAST(NULL AS FLOAT)) THEN CAST(1 AS SMALLINT) "
        "ELSE CAST(0 AS SMALLINT) END"
    )


def test_a_name_with_backticks_stays_one_name() -> None:
    mapping = plan([tensor("x", np.float32, None, 1)], [column("a`b", "DOUBLE")])
    assert mapping.arguments[0].sql == "COALESCE(CAST(`a``b` AS FLOAT), CAST(0 AS FLOAT))"


def test_an_error_crosses_back_as_one_line_of_three_parts() -> None:
    error = RowError(DeadLetterReason.INFERENCE_ERROR, "x", "first\nsecond\x1f  third")
    assert error.encode() == "InferenceError\x1fx\x1ffirst second third"
