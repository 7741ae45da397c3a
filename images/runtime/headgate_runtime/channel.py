"""How many rows cross into Python at once, and how many before answers are waited for. Pure; ``planner.py`` asks once.

A batch costs Python a fixed price (one pandas object per column and way), so narrow rows travel by the thousand; the model
still gets at most ``maxBatchRows`` at once. A row that is under way is kept in the JVM until its answer is there, so wide rows
travel in smaller heaps.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate_runtime.contract import Execution
from headgate_runtime.mapping import Mapping

_BATCH_BYTES = 5 << 18
"""Beam's channel gathers a mebibyte before it sends: a batch a little above that leaves at once, and Python scores it while the
next one is written."""
_BATCH_ROWS = 32_768
_BUNDLE_BATCHES = 8
_BUNDLE_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Channel:
    """Rows in one Arrow batch, and rows sent before their answers are waited for."""

    batch_rows: int
    bundle_rows: int

    def options(self) -> dict[str, str]:
        """The same as Flink's options."""
        return {
            "python.fn-execution.arrow.batch.size": str(self.batch_rows),
            "python.fn-execution.bundle.size": str(self.bundle_rows),
        }


def plan_channel(mapping: Mapping, execution: Execution) -> Channel:
    """Sizes for rows of this mapping; where a row's size is not known, ``maxBatchRows`` is one batch."""
    rows = execution.max_batch_rows
    width = _row_bytes(mapping)
    if width is not None:
        rows = max(rows, min(_BATCH_ROWS, _BATCH_BYTES // width))
    return Channel(rows, min(_BUNDLE_ROWS, rows * _BUNDLE_BATCHES))


def _row_bytes(mapping: Mapping) -> int | None:
    total = 2 if mapping.null_marker else 0
    for plan in mapping.inputs:
        if plan.tensor.dtype.kind == "O" or plan.row_shape is None:
            return None
        elements = 1
        for dimension in plan.row_shape:
            elements *= dimension
        total += elements * plan.tensor.dtype.itemsize
    return max(total, 1)
