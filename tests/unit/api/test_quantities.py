"""Durations and quantities: what each text is worth, and that what is written can be read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.api.quantities import format_duration, parse_bytes, parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("20ms", 20), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("0s", 0), ("007s", 7_000)],
)
def test_a_duration_is_so_many_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "10", "s", "1.5s", "-1s", "10 s", "1d", "1h30m", "10S", "١s", "10s\n"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500ms or 10s"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", Decimal("0.5")),
        ("2", Decimal(2)),
        ("0.25", Decimal("0.25")),
        ("1k", Decimal(1000)),
        ("1Ki", Decimal(1024)),
        ("1536Mi", Decimal(1536 * 2**20)),
        ("1.5Gi", Decimal(3 * 2**29)),
        ("2G", Decimal(2 * 10**9)),
        ("1Ti", Decimal(2**40)),
    ],
)
def test_a_quantity_is_an_exact_number(text: str, value: Decimal) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "two", "2GB", "2gi", "-1", "1e3", ".5", "1.", "2 Gi", "1ki"])
def test_what_is_no_quantity_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500m, 2 or 1536Mi"):
        parse_quantity(text)


@given(st.integers(min_value=0, max_value=10**9), st.sampled_from(["", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_whole_numbers_give_whole_bytes(number: int, unit: str) -> None:
    text = f"{number}{unit}"
    assert parse_bytes(text) == parse_quantity(text)


def test_parts_of_a_byte_are_rounded_up() -> None:
    assert parse_bytes("1m") == 1
    assert parse_bytes("0.1Ki") == 103
