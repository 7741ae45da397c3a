"""What a plan may ask for: a closed set of effects, each idempotent, each named by what it does to the world.

``controller`` carries them out in order. Carrying one out twice is carrying it out once: objects have deterministic names,
and a savepoint is asked for under an id that the plan chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from headgate.api.revision import ModelRevision, ModelRevisionStatus
from headgate.planning.runspec import RunSpec


class EventType(StrEnum):
    """Kubernetes' two kinds of events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling a person."""

    type: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Keep the object until its stream was ended as its policy says."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the object go."""


@dataclass(frozen=True, slots=True)
class CreateRevision:
    """Write down an immutable revision."""

    revision: ModelRevision


@dataclass(frozen=True, slots=True)
class UpdateRevision:
    """Say what became of a revision."""

    name: str
    status: ModelRevisionStatus


@dataclass(frozen=True, slots=True)
class DeleteRevision:
    """Forget a revision beyond the history limit."""

    name: str


@dataclass(frozen=True, slots=True)
class StartBuild:
    """Build a revision's image."""

    revision: str


@dataclass(frozen=True, slots=True)
class DeleteBuild:
    """Remove a revision's build Job."""

    revision: str


@dataclass(frozen=True, slots=True)
class ApplyRun:
    """Make a run's objects what they should be; a run that waits goes on waiting."""

    run: RunSpec


@dataclass(frozen=True, slots=True)
class LetGo:
    """Let a run start from ``savepoint``.

    One alternative a line, and the first that holds a complete snapshot is taken: a savepoint's or checkpoint's path, a folder
    (ending in ``/``) below which the newest complete snapshot counts, or an empty line: from nothing. ``drop_state``: go on
    where the savepoint holds state that the run has no operator for.
    """

    run: RunSpec
    savepoint: str
    drop_state: bool = False


@dataclass(frozen=True, slots=True)
class StopWithSavepoint:
    """Ask a run's job to stop with a savepoint, under a trigger id (32 hex digits) that makes asking twice asking once."""

    run: str
    job_id: str
    trigger: str
    folder: str
    drain: bool = False


@dataclass(frozen=True, slots=True)
class TakeSavepoint:
    """Ask a run's job for a savepoint while it runs on, under a trigger id as in StopWithSavepoint."""

    run: str
    job_id: str
    trigger: str
    folder: str


@dataclass(frozen=True, slots=True)
class RemoveAnnotation:
    """Take an annotation off the object: what it asked for is done."""

    name: str


@dataclass(frozen=True, slots=True)
class Rescale:
    """Give a running job another parallelism."""

    run: RunSpec
    job_id: str
    parallelism: int


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Remove a run's objects, at last Flink's own ConfigMaps of it; its savepoints and checkpoints stay.

    Asked for again until the run is no longer observed.
    """

    run: str


Action = (
    AddFinalizer
    | RemoveFinalizer
    | CreateRevision
    | UpdateRevision
    | DeleteRevision
    | StartBuild
    | DeleteBuild
    | ApplyRun
    | LetGo
    | StopWithSavepoint
    | TakeSavepoint
    | RemoveAnnotation
    | Rescale
    | DeleteRun
)
