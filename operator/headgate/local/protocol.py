"""The lines that the runtime prints on stdout, one JSON object each, as values.

Called by ``headgate.local.runner`` for every line. An event of an unknown kind is passed over (a newer runtime may say
more); a line that is not such an object is a stray print and belongs in the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StageEvent:
    """A stage of the start order began or ended."""

    stage: str
    status: str
    """``started``, ``done`` or ``failed``."""
    seconds: float | None
    message: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records went which way, and in how many seconds since the first stage."""

    records_in: int
    scored: int
    dead_letters: tuple[tuple[str, int], ...]
    """(reason, records), most frequent first."""
    seconds: float

    @property
    def dead(self) -> int:
        """All dead letters."""
        return sum(count for _, count in self.dead_letters)

    @property
    def rate(self) -> float:
        """Scored records a second; 0 before any time has passed."""
        return self.scored / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """Where a running job stands."""

    counts: Counts


@dataclass(frozen=True, slots=True)
class SummaryEvent:
    """How a job ended."""

    counts: Counts
    state: str
    """``FINISHED``, ``CANCELED`` or ``FAILED``."""
    first_rows: tuple[Mapping[str, Any], ...]
    savepoint: str | None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of Flink's plan."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """Flink's plan of the job."""

    text: str
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The runtime gives up, and says at which stage and why."""

    stage: str
    reason: str
    message: str


Event = StageEvent | ProgressEvent | SummaryEvent | PlanEvent | ErrorEvent


def parse_event(line: str) -> Event | None:
    """The event of one line; None for a line that holds none."""
    try:
        raw = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(raw, dict):
        return None
    match raw.get("event"):
        case "stage":
            seconds = raw.get("seconds")
            return StageEvent(
                str(raw.get("stage", "")),
                str(raw.get("status", "")),
                None if seconds is None else float(seconds),
                str(raw.get("message") or ""),
            )
        case "progress":
            return ProgressEvent(_counts(raw))
        case "summary":
            rows = tuple(row for row in raw.get("firstRows") or () if isinstance(row, dict))
            return SummaryEvent(_counts(raw), str(raw.get("state", "FINISHED")), rows, raw.get("savepoint"))
        case "plan":
            operators = tuple(Operator(str(one["id"]), str(one["name"])) for one in raw.get("operators") or ())
            return PlanEvent(str(raw.get("text", "")), operators)
        case "error":
            return ErrorEvent(
                str(raw.get("stage") or ""), str(raw.get("reason") or "Failed"), str(raw.get("message") or "")
            )
        case _:
            return None


def _counts(raw: Mapping[str, Any]) -> Counts:
    letters = {str(reason): int(count) for reason, count in (raw.get("deadLetters") or {}).items()}
    return Counts(
        int(raw.get("in") or 0),
        int(raw.get("scored") or 0),
        tuple(sorted(letters.items(), key=lambda item: (-item[1], item[0]))),
        float(raw.get("seconds") or 0.0),
    )
