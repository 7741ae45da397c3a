"""Tells a ModelDeployment's status as text and as JSON. Values in, values out; ``status`` fetches and shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headgate.api.revision import ModelRevision
from headgate.api.status import Condition, ConditionStatus, ModelDeploymentStatus
from headgate.cli.console import pairs, table
from headgate.cli.remedies import remedy_for
from headgate.planning.draft import moment_of
from headgate.planning.places import describe

_DIGEST_SHOWN = 19
"""``sha256:`` and twelve digits."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at an object."""

    namespace: str
    name: str
    generation: int
    spec: dict[str, Any]
    """As it stands in the cluster: it may be invalid."""
    status: ModelDeploymentStatus
    revisions: tuple[ModelRevision, ...]
    now: datetime


def as_json(seen: Seen) -> dict[str, Any]:
    """All of it, for programs."""
    status = seen.status
    failure = status.last_failure
    return {
        "name": seen.name,
        "namespace": seen.namespace,
        "generation": seen.generation,
        "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        "remedy": remedy_for(failure.reason) if failure is not None else "",
        "revisions": [
            {
                "number": one.spec.number,
                "name": one.metadata.name,
                "status": one.status.model_dump(mode="json", by_alias=True, exclude_none=True),
            }
            for one in seen.revisions
        ],
    }


def as_text(seen: Seen) -> str:
    """All of it, for a person."""
    parts = [_head(seen), _stream(seen), _versions(seen), _conditions(seen), _failure(seen)]
    return "\n\n".join(part for part in parts if part)


def _head(seen: Seen) -> str:
    status = seen.status
    ready = _condition(seen, "Ready")
    stale = status.observed_generation < seen.generation
    rows: list[tuple[str, Any]] = [("phase", str(status.phase))]
    if ready is not None:
        rows.append(("ready", f"{_word(ready)}: {ready.message or ready.reason}"))
    if stale:
        rows.append(("spec", "was changed, and the operator has not looked at it yet; is it running?"))
    elif (moving := _condition(seen, "Reconciling")) is not None:
        rows.append(("now", moving.message))
    if (stalled := _condition(seen, "Stalled")) is not None:
        rows.append(("stalled", f"{stalled.reason}: {stalled.message}"))
        if remedy := remedy_for(stalled.reason):
            rows.append(("to do", remedy))
    if seen.spec.get("suspend"):
        rows.append(("held", f"spec.suspend; headgate resume {seen.name} goes on"))
    if (seen.spec.get("rollout") or {}).get("paused"):
        rows.append(("held", f"spec.rollout.paused; headgate resume {seen.name} goes on"))
    return f"{seen.namespace}/{seen.name}\n{pairs(rows)}"


def _stream(seen: Seen) -> str:
    status, rows = seen.status, list[tuple[str, Any]]()
    if status.run is not None:
        restarts = f", {status.run.restarts} restarts" if status.run.restarts else ""
        rows.append(("run", f"{status.run.name} ({status.run.state or 'unknown'}{restarts})"))
    if status.records_per_second is not None:
        rows.append(("records", f"{status.records_per_second:,.1f} a second"))
    if status.pending_records is not None:
        rows.append(("lag", f"{status.pending_records:,} records"))
    if status.scale is not None and status.scale.replicas:
        rows.append(("parallelism", status.scale.replicas))
    if status.hand_over is not None:
        hand_over = status.hand_over
        since = _ago(hand_over.since, seen.now)
        rows.append(("hand-over", f"{hand_over.purpose}, {hand_over.stage} since {since}"))
    if status.hand_over_seconds is not None:
        rows.append(("last pause", f"{status.hand_over_seconds:.1f} s"))
    if status.savepoint is not None:
        rows.append(("savepoint", f"{describe(status.savepoint.path)} ({_ago(status.savepoint.time, seen.now)} ago)"))
    if status.checkpoint:
        rows.append(("checkpoint", status.checkpoint))
    return f"Stream\n{pairs(rows)}" if rows else ""


def _versions(seen: Seen) -> str:
    status = seen.status
    serving = status.serving.revision if status.serving is not None else ""
    candidate = status.candidate.revision if status.candidate is not None else ""
    rows = []
    for one in sorted(seen.revisions, key=lambda one: -one.spec.number):
        name = one.metadata.name
        role = "serving" if name == serving else "candidate" if name == candidate else ""
        said = one.status
        gates = [gate for gate in said.gates if gate.outcome.value == "Failed"]
        failed = said.last_failure.reason if said.last_failure is not None else ""
        rows.append(
            (
                one.spec.number,
                said.version,
                role or str(said.phase).lower(),
                said.model_digest[:_DIGEST_SHOWN],
                said.image.rpartition("@")[2][:_DIGEST_SHOWN],
                _ago(said.served_at, seen.now),
                f"{gates[0].gate} gate: {failed}" if gates else failed,
            )
        )
    headers = ("revision", "version", "is", "model", "image", "served since", "failed")
    return f"Versions\n{table(headers, rows)}" if rows else ""


def _conditions(seen: Seen) -> str:
    rows = [(c.type, c.status.value, c.reason, _ago(c.last_transition_time, seen.now)) for c in seen.status.conditions]
    return f"Conditions\n{table(('condition', 'is', 'reason', 'for'), rows)}" if rows else ""


def _failure(seen: Seen) -> str:
    failure = seen.status.last_failure
    if failure is None:
        return ""
    rows = [("when", f"{_ago(failure.time, seen.now)} ago, in stage {failure.stage}"), ("reason", failure.reason)]
    if failure.revision:
        rows.append(("revision", failure.revision))
    rows.append(("message", failure.message))
    if remedy := remedy_for(failure.reason):
        rows.append(("to do", remedy))
    return f"Last failure\n{pairs(rows)}"


def _condition(seen: Seen, kind: str) -> Condition | None:
    return next((c for c in seen.status.conditions if c.type == kind), None)


def _word(condition: Condition) -> str:
    return {ConditionStatus.TRUE: "yes", ConditionStatus.FALSE: "no"}.get(condition.status, "unknown")


def _ago(text: str | None, now: datetime) -> str:
    """How long ago, in the two largest units: ``3d4h``, ``12m5s``; empty where there is no such time."""
    moment = moment_of(text)
    if moment is None:
        return ""
    seconds = max(0, int((now - moment).total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), 3)
    return "".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count or first == 3)
