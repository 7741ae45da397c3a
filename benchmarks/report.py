"""What a benchmark gives back, as values, and how a person or a program reads it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import IO

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.machine import Machine

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller asked of every benchmark. ``quick``: tiny sizes, to see that it works; the figures mean nothing."""

    quick: bool = False
    repeat: int = 3


@dataclass(frozen=True, slots=True)
class Report:
    """One table with what a reader must know beside it. ``checks``: what was asserted on the way, and held."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing: their median, and how far apart they lay."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie: nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_report(report: Report, machine: Machine, stream: IO[str]) -> None:
    """The report as a table for a person."""
    console = Console(file=stream, width=140, highlight=False, soft_wrap=True)
    table = RichTable(title=f"{report.name}: {report.title}", title_justify="left")
    for number, column in enumerate(report.columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in report.rows:
        table.add_row(*(_shown(cell) for cell in row))
    console.print(table)
    for check in report.checks:
        console.print(f"  checked: {check}", markup=False)
    for note in report.notes:
        console.print(f"  note: {note}", markup=False)
    console.print(f"  machine: {machine.sentence()}", markup=False)


def write_json(reports: Sequence[Report], machine: Machine, stream: IO[str]) -> None:
    """All reports as one JSON document."""
    document = {"machine": asdict(machine), "reports": [asdict(report) for report in reports]}
    stream.write(json.dumps(document, indent=1, default=str) + "\n")


def _shown(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.2f}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
