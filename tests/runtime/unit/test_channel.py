"""Narrow rows cross into Python by the thousand, wide ones do not, and the model's own bound is never undercut."""

from __future__ import annotations

import numpy as np
import pytest

from headgate_runtime.channel import Channel, plan_channel
from headgate_runtime.contract import Execution
from headgate_runtime.mapping import Argument, InputPlan, Mapping, TensorSpec


def mapping(width: int | None, dtype: type = np.float32, marker: str = "") -> Mapping:
    tensor = TensorSpec("x", np.dtype(dtype), (None, width))
    return Mapping((Argument("`x`", "x"),), (InputPlan(tensor, 0, 1, nested=True),), marker, nan_is_dead_letter=False)


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [
        pytest.param(mapping(12), 4096, Channel(27_306, 100_000), id="twelve floats: as many as are worth it"),
        pytest.param(mapping(784), 100, Channel(417, 3_336), id="784 floats: a little above a mebibyte"),
        pytest.param(mapping(784), 4096, Channel(4_096, 32_768), id="the resource asks for more than a mebibyte"),
        pytest.param(mapping(3 * 224 * 224), 8, Channel(8, 64), id="an image is wider than a mebibyte"),
        pytest.param(mapping(None), 256, Channel(256, 2_048), id="a record decides its own length"),
        pytest.param(mapping(1, np.object_), 256, Channel(256, 2_048), id="strings"),
        pytest.param(mapping(1, np.int8, "CASE"), 50_000, Channel(50_000, 100_000), id="never beyond Flink's largest bundle"),
    ],
)  # fmt: skip
def test_sizes_follow_the_width_of_a_row(rows: Mapping, given: int, expected: Channel) -> None:
    assert plan_channel(rows, Execution(("CPUExecutionProvider",), 1, given, 50)) == expected
