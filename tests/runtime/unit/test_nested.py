"""Array and bytes columns: every value is a tensor of its own or a dead letter of its own, and nothing else raises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_runtime.columns import Column
from headgate_runtime.dtypes import ORT_TO_NUMPY, plan_feed
from headgate_runtime.errors import DeadLetterReason
from headgate_runtime.mapping import Mapping, RowError, TensorSpec, plan_mapping

DTYPES = tuple(np.dtype(d) for d in ORT_TO_NUMPY.values())


def plan(spec: TensorSpec, root: str, *, of: str | None = None, nullable: bool = True, nan: bool = False) -> Mapping:
    """A plan of one input that the one column ``x`` feeds."""
    column = Column("x", root, root, nullable, Column("", of, of) if of else None)
    return plan_mapping([spec], [column], key="id", given={}, fed_otherwise=frozenset(), nan_is_dead_letter=nan)


def tensor(dtype: Any, *shape: int | None) -> TensorSpec:
    return TensorSpec("x", np.dtype(dtype), (None, *shape))


ELEMENTS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=2) | st.binary(max_size=4)
)


@given(
    st.sampled_from(DTYPES),
    st.lists(st.sampled_from([None, 1, 2, 3]), min_size=1, max_size=3).map(tuple),
    st.lists(st.recursive(ELEMENTS, lambda inner: st.lists(inner, max_size=4), max_leaves=12), max_size=4),
    st.booleans(),
)
def test_no_value_of_an_array_column_raises(
    dtype: np.dtype, shape: tuple[int | None, ...], values: list[Any], nan: bool
) -> None:
    of = next(r for r in ("FLOAT", "BIGINT", "BOOLEAN", "VARCHAR") if plan_feed(dtype, r) is not None)
    mapping = plan(tensor(dtype, *shape), "ARRAY", of=of, nullable=False, nan=nan)
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    feeds, errors = mapping.assemble([np.zeros(len(values), np.int16), pd.Series(cells, dtype=object)])
    assert len(feeds["x"]) == len(values)
    assert {e.column for e in errors.values()} <= {"x"}


def _array(dtype: Any, values: list[Any], *shape: int | None, nan: bool = False, of: str = "FLOAT") -> tuple[Any, Any]:
    mapping = plan(tensor(dtype, *shape), "ARRAY", of=of, nan=nan)
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    feeds, errors = mapping.assemble([np.zeros(len(values), np.int16), pd.Series(cells, dtype=object)])
    return feeds["x"], {row: (e.reason.value, e.detail) for row, e in errors.items()}


F32 = [np.array([1, 2, 3, 4], np.float32), np.array([5, 6, 7, 8], np.float32)]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        pytest.param((4,), (2, 4), id="as it is"),
        pytest.param((2, 2), (2, 2, 2), id="a flat array fills a matrix in row-major order"),
        pytest.param((None, 2), (2, 2, 2), id="one free dimension follows from the length"),
        pytest.param((1, 4, 1), (2, 1, 4, 1), id="dimensions of one"),
    ],
)
def test_flat_arrays_take_the_shape_of_the_input(shape: tuple[int | None, ...], wanted: tuple[int, ...]) -> None:
    fed, errors = _array(np.float32, F32, *shape)
    assert errors == {}
    np.testing.assert_array_equal(fed, np.stack(F32).reshape(wanted))


@pytest.mark.parametrize(
    ("dtype", "of", "value", "reason", "detail"),
    [
        pytest.param(np.float32, "FLOAT", [1.0], "WrongShape", "its shape is [1], the model wants [2]", id="too short"),
        pytest.param(np.float32, "FLOAT", [], "WrongShape", "its shape is [0], the model wants [2]", id="empty"),
        pytest.param(np.float32, "FLOAT", [[1.0], [1.0, 2.0]], "WrongShape", "rows differ in length", id="ragged"),
        pytest.param(np.float32, "FLOAT", [[1.0], 2.0], "WrongShape", "mixes arrays with single", id="mixed depths"),
        pytest.param(np.float32, "FLOAT", None, "NullFeature", "the feature is null", id="null"),
        pytest.param(np.float32, "FLOAT", [1.0, None], "NullFeature", "an element is null", id="a null within"),
        pytest.param(np.int8, "BIGINT", [1, 200], "OutOfRange", "the element 200 does not fit int8", id="too large"),
        pytest.param(np.uint8, "INTEGER", [-1, 2], "OutOfRange", "the element -1 does not fit uint8", id="negative"),
        pytest.param(
            np.int64, "BIGINT", np.array([1.0, np.nan]), "NullFeature", "an element is null", id="Arrow's null integer"
        ),
        pytest.param(np.float16, "FLOAT", [1.0, 70000.0], "OutOfRange", "fit float16", id="too large for float16"),
        pytest.param(np.float32, "FLOAT", [1.0, np.nan], "NanFeature", "holds NaN", id="NaN where it is refused"),
    ],
)
def test_an_array_that_does_not_fit_is_a_dead_letter_of_its_own(
    dtype: Any, of: str, value: Any, reason: str, detail: str
) -> None:
    good = [1, 2]
    fed, errors = _array(dtype, [good, value, good], 2, nan=True, of=of)
    assert list(errors) == [1]
    assert errors[1][0] == reason
    assert detail in errors[1][1]
    np.testing.assert_array_equal(fed[[0, 2]], np.array([good, good], dtype=dtype))


def test_bytes_feed_a_tensor_of_bytes() -> None:
    mapping = plan(tensor(np.uint8, 3), "VARBINARY")
    feeds, errors = mapping.assemble([np.zeros(2, np.int16), pd.Series([b"\x00\x01\xff", b"\x00"])])
    np.testing.assert_array_equal(feeds["x"][0], np.array([0, 1, 255], np.uint8))
    assert errors == {1: RowError(DeadLetterReason.WRONG_SHAPE, "x", "its shape is [1], the model wants [3]")}
