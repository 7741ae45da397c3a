"""Says how a run ended: counts, dead letters with their reasons, where the output lies, the first rows.

Called by ``run``. It reads folders of sinks to count their files, and nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.api.resources import ModelDeployment
from headgate.cli.console import pairs, plural, table
from headgate.local.protocol import SummaryEvent
from headgate.local.tables import TableOptions, sinks_of, tables_of

_ENDINGS = {"FINISHED": "finished", "CANCELED": "cancelled", "FAILED": "failed"}
_MOST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Sink:
    """One table that the run wrote to, and where that is."""

    table: str
    where: str


def sinks(deployment: ModelDeployment, base: Path) -> tuple[Sink, ...]:
    """The tables that ``output`` inserts into, in order."""
    declared = {one.name: one for one in tables_of(deployment.spec.pipeline.tables)}
    names = sinks_of(deployment.spec.pipeline.output)
    return tuple(Sink(name, _where(declared[name], base)) for name in names if name in declared)


def _where(table: TableOptions, base: Path) -> str:
    match table.get("connector"):
        case "filesystem":
            return _folder(table.get("path"), base)
        case "kafka" | "upsert-kafka":
            return f"topic {table.get('topic')}"
        case "print":
            return "the log of the run"
        case "blackhole":
            return "nowhere (blackhole)"
        case other:
            return other


def _folder(path: str, base: Path) -> str:
    if "://" in path and not path.startswith("file://"):
        return path
    folder = base / path.removeprefix("file://").removeprefix("file:")
    # Flink hides a part that is not yet committed behind a leading dot.
    parts = (
        [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".", "_"))] if folder.is_dir() else []
    )
    relative = os.path.relpath(folder)
    return f"{folder if relative.startswith('..') else relative} ({plural(len(parts), 'file')})"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is said of a run that ended well."""

    name: str
    revision: str
    summary: SummaryEvent
    rate: float
    """Scored records a second."""
    written: tuple[Sink, ...]


def as_text(report: Report) -> str:
    """The summary as sections of aligned text."""
    summary, counts = report.summary, report.summary.counts
    facts: list[tuple[str, str]] = [
        ("revision", report.revision),
        ("records in", f"{counts.records_in:,}"),
        ("scored", f"{counts.scored:,}"),
        ("dead letters", f"{counts.dead:,}"),
    ]
    facts += [(f"  {reason}", f"{count:,}") for reason, count in counts.dead_letters]
    facts.append(("throughput", f"{report.rate:,.0f} records/s"))
    if summary.savepoint:
        facts.append(("savepoint", summary.savepoint))
    facts += [(f"output {sink.table}", sink.where) for sink in report.written]
    lines = [
        f"{report.name} {_ENDINGS.get(summary.state, summary.state.lower())} in {counts.seconds:.1f} s",
        pairs(facts),
    ]
    if summary.first_rows:
        rows = summary.first_rows[:_MOST_ROWS]
        headers = list(dict.fromkeys(column for row in rows for column in row))
        lines += ["first rows", table(headers, [[row.get(column) for column in headers] for row in rows])]
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """The same as one JSON object."""
    summary, counts = report.summary, report.summary.counts
    return {
        "name": report.name,
        "revision": report.revision,
        "state": summary.state,
        "in": counts.records_in,
        "scored": counts.scored,
        "deadLetters": dict(counts.dead_letters),
        "seconds": counts.seconds,
        "recordsPerSecond": round(report.rate, 3),
        "savepoint": summary.savepoint,
        "outputs": {sink.table: sink.where for sink in report.written},
        "firstRows": list(summary.first_rows),
    }
