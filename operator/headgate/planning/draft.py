"""A plan in the making: the status so far, the actions and events so far. Lives for the length of one ``plan`` call.

What it offers is bookkeeping: fields of the status, actions, events, what is waited for, what went wrong. It decides nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.api.quantities import parse_duration
from headgate.api.revision import ModelRevision, ModelRevisionStatus, RevisionPhase
from headgate.api.status import ConditionType, FailureStatus, ModelDeploymentStatus
from headgate.planning.actions import Action, ApplyRun, DeleteRun, Event, EventType, LetGo, UpdateRevision
from headgate.planning.observation import Observation
from headgate.planning.places import run_folder
from headgate.planning.reasons import Reason, reason_or
from headgate.planning.runspec import Owner, PodSettings, RunSpec

WATCHING = timedelta(seconds=1)
"""How soon to look again while a stream stops or starts: Flink tells nothing by itself."""
STANDING_STILL = timedelta(milliseconds=500)
"""The same while a stream makes the savepoint that it stops with: every moment of it counts."""
WAITING = timedelta(seconds=3)
STEADY = timedelta(seconds=15)

_LONGEST_MESSAGE = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reconcile decided: the status to write first, what to do then, what to tell, when to look again."""

    status: ModelDeploymentStatus
    actions: tuple[Action, ...]
    events: tuple[Event, ...]
    requeue: timedelta | None


@dataclass(slots=True)
class Draft:
    """Accumulates a plan over one observation."""

    seen: Observation
    status: ModelDeploymentStatus
    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    requeue: timedelta = STEADY
    waiting_for: str = ""
    stalled: tuple[str, str] | None = None
    """Reason and message of what only a person can change."""

    # ---- the status and what is to be done ----------------------------------------------------------------------------

    def set(self, **changes: Any) -> None:
        """Replace fields of the status."""
        self.status = self.status.model_copy(update=changes)

    def act(self, *actions: Action) -> None:
        """Add actions, in order, each once."""
        self.actions.extend(action for action in actions if action not in self.actions)

    def take_away(self, *runs: str) -> None:
        """Remove runs, and take back what this round meant to do for them."""
        for run in runs:
            self.actions = [a for a in self.actions if not (isinstance(a, ApplyRun | LetGo) and a.run.name == run)]
            self.act(DeleteRun(run))

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Add an event."""
        self.events.append(Event(EventType.WARNING if warning else EventType.NORMAL, reason, clip(message)))

    def wait(self, what: str, soon: timedelta = WAITING) -> None:
        """Say what is waited for, and look again soon."""
        self.waiting_for = self.waiting_for or what
        self.requeue = min(self.requeue, soon)

    def stall(self, stage: str, reason: Reason, message: str, revision: str = "") -> None:
        """Say that only a person can change something; it is noted as a failure when it is said first."""
        self.stalled = (reason.value, clip(message))
        if not any(c.type == ConditionType.STALLED and c.reason == reason for c in self.status.conditions):
            self.failed(stage, reason, message, revision)

    def failed(
        self, stage: str, reason: str, message: str, revision: str = "", *, again: bool = False
    ) -> FailureStatus:
        """Note a failure and tell it; one that is noted already is not told twice (``again``: its time is renewed)."""
        failure = FailureStatus(
            reason=reason_or(reason, Reason.GATE_FAILED), stage=stage[:63], message=clip(message), time=self.now, revision=revision
        )  # fmt: skip
        known = self.status.last_failure
        if known is None or known.model_copy(update={"time": self.now}) != failure:
            self.tell(failure.reason, failure.message, warning=True)
        elif not again:
            return known
        self.set(last_failure=failure)
        return failure

    def succeeded(self, *stages: str, revision: str = "") -> None:
        """Forget the last failure where it belongs to one of these stages, and (``revision``) not to another revision."""
        failure = self.status.last_failure
        if failure is not None and failure.stage in stages and (not revision or failure.revision in {"", revision}):
            self.set(last_failure=None)

    def mark(self, revision: ModelRevision, phase: RevisionPhase, **changes: Any) -> None:
        """Say what became of a revision, where it is not said yet."""
        name = revision.metadata.name
        said = [a for a in self.actions if isinstance(a, UpdateRevision) and a.name == name]
        before = said[-1].status if said else revision.status
        status: ModelRevisionStatus = before.model_copy(update={"phase": phase, **changes})
        if status != before:
            self.actions = [action for action in self.actions if action not in said]
            self.act(UpdateRevision(name, status))

    # ---- what was asked for -------------------------------------------------------------------------------------------

    @property
    def suspended(self) -> bool:
        """Whether the stream is to stand still; while the spec is invalid, it stays as it is."""
        if self.seen.spec is not None:
            return self.seen.spec.suspend
        before = self.seen.status
        return before.serving is not None and before.run is None and before.hand_over is None

    @property
    def deadline(self) -> timedelta:
        """``spec.rollout.progressDeadline``."""
        return timedelta(milliseconds=parse_duration(self.deadline_text))

    @property
    def deadline_text(self) -> str:
        """The same as it was written."""
        return self.seen.spec.rollout.progress_deadline if self.seen.spec is not None else "10m"

    def annotation(self, name: str) -> str:
        """The value of an annotation; empty where there is none."""
        return dict(self.seen.annotations).get(name, "")

    # ---- names, times, places -----------------------------------------------------------------------------------------

    @property
    def now(self) -> str:
        """The moment of the observation, RFC 3339."""
        return stamp(self.seen.now)

    def older_than(self, since: str | None, age: timedelta) -> bool:
        """Whether ``since`` lies longer back than ``age``; a time that cannot be read does not."""
        moment = moment_of(since)
        return moment is not None and self.seen.now - moment > age

    def new_run(self) -> str:
        """The name of a run that was never made before."""
        prefix, before, hand_over = f"{self.seen.name}-r", self.seen.status, self.seen.status.hand_over
        names = [run.name for run in self.seen.runs]
        names += [one.name for one in (before.run,) if one is not None]
        names += [one.run for one in (before.candidate,) if one is not None]
        names += [hand_over.from_run, hand_over.to_run] if hand_over is not None else []
        known = (re.fullmatch(rf"{re.escape(prefix)}(\d{{1,9}})", name) for name in names)
        number = max([self.status.last_run, *(int(found[1]) for found in known if found)]) + 1
        self.set(last_run=number)
        return f"{prefix}{number}"

    def trigger(self, run: str, job_id: str, purpose: str) -> str:
        """An id for a savepoint that follows from what it is for, so that a second asking is the same asking."""
        text = f"{self.seen.uid}/{run}/{job_id}/{purpose}/{self.now}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def folder(self, run: str, revision: str) -> str:
        """Where a run's data lies; the storage is that of its revision."""
        found = self.seen.revision(revision)
        spec = self.seen.spec
        flink = found.spec.template.flink if found is not None else (spec.flink if spec is not None else None)
        storage = flink.storage.uri if flink is not None else ""
        return run_folder(storage, self.seen.namespace, self.seen.name, self.seen.uid, run)

    def run_spec(self, run: str, revision: ModelRevision, pods: PodSettings | None = None) -> RunSpec:
        """What a run of ``revision`` is made of; the parallelism is the present spec's."""
        template = revision.spec.template
        flink = template.flink
        if self.seen.spec is not None:
            flink = flink.model_copy(update={"parallelism": self.seen.spec.flink.parallelism})
        return RunSpec(
            name=run,
            namespace=self.seen.namespace,
            deployment=self.seen.name,
            revision=revision.metadata.name,
            image=revision.status.image,
            flink=flink,
            folder=self.folder(run, revision.metadata.name),
            tables=template.pipeline.tables,
            owner=Owner("headgate.dev/v1alpha1", "ModelDeployment", self.seen.name, self.seen.uid),
            pods=pods or PodSettings(pull_secrets=(template.image.pull_secret,) if template.image.pull_secret else ()),
        )


def clip(message: str) -> str:
    """A message that fits where it is written."""
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def stamp(moment: datetime) -> str:
    """RFC 3339 with whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_stamp(moment: datetime) -> str:
    """RFC 3339 with milliseconds, for what is measured."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def read_stamp(text: str) -> datetime:
    """The moment that :func:`stamp` wrote; ValueError where it is none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def moment_of(text: str | None) -> datetime | None:
    """The moment of a status' field; None where there is none or it cannot be read."""
    try:
        return read_stamp(text) if text else None
    except ValueError:
        return None
