"""A plan in the making: the status so far, the actions and events so far. Lives for the length of one ``plan`` call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from headgate.api.quantities import parse_duration
from headgate.api.revision import ModelRevision, ModelRevisionStatus, RevisionPhase
from headgate.api.status import FailureStatus, ModelDeploymentStatus
from headgate.planning.actions import Action, Event, EventType, UpdateRevision
from headgate.planning.manifests import Owner, PodSettings, RunSpec
from headgate.planning.observation import Observation

WATCHING = timedelta(seconds=1)
"""How soon to look again while a stream stops or starts: Flink tells nothing by itself."""
WAITING = timedelta(seconds=3)
STEADY = timedelta(seconds=15)


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

    def set(self, **changes: Any) -> None:
        """Replace fields of the status."""
        self.status = self.status.model_copy(update=changes)

    def act(self, *actions: Action) -> None:
        """Add actions, in order."""
        self.actions.extend(actions)

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Add an event."""
        self.events.append(Event(EventType.WARNING if warning else EventType.NORMAL, reason, message))

    def wait(self, what: str, soon: timedelta = WAITING) -> None:
        """Say what is waited for, and look again soon."""
        self.waiting_for = what
        self.requeue = min(self.requeue, soon)

    @property
    def now(self) -> str:
        """The moment of the observation, RFC 3339."""
        return stamp(self.seen.now)

    def older_than(self, since: str | None, duration: str) -> bool:
        """Whether ``since`` lies longer back than ``duration``."""
        return since is not None and self.seen.now - read_stamp(since) > timedelta(
            milliseconds=parse_duration(duration)
        )

    def new_run(self) -> str:
        """The name of a run that was never made before."""
        number = self.status.last_run + 1
        self.set(last_run=number)
        return f"{self.seen.name}-r{number}"

    def trigger(self, run: str, job_id: str, purpose: str) -> str:
        """An id for a savepoint that follows from what it is for, so that a second asking is the same asking."""
        text = f"{self.seen.uid}/{run}/{job_id}/{purpose}/{self.now}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

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
            tables=template.pipeline.tables,
            owner=Owner("headgate.dev/v1alpha1", "ModelDeployment", self.seen.name, self.seen.uid),
            pods=pods or PodSettings(pull_secrets=(template.image.pull_secret,) if template.image.pull_secret else ()),
        )

    def mark(self, revision: ModelRevision, phase: RevisionPhase, **changes: Any) -> None:
        """Say what became of a revision, where it is not said yet."""
        status: ModelRevisionStatus = revision.status.model_copy(update={"phase": phase, **changes})
        if status != revision.status:
            self.act(UpdateRevision(revision.metadata.name, status))

    def failed(self, stage: str, reason: str, message: str, revision: str = "") -> FailureStatus:
        """Note a failure in the status and tell it."""
        failure = FailureStatus(reason=reason, stage=stage, message=message, time=self.now, revision=revision)
        self.set(last_failure=failure)
        self.tell(reason, message, warning=True)
        return failure


def stamp(moment: datetime) -> str:
    """RFC 3339 with whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_stamp(text: str) -> datetime:
    """The moment that :func:`stamp` wrote."""
    return datetime.fromisoformat(text)
