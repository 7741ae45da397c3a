"""``status``: what Headgate has seen and done, for people, for ``kubectl wait`` and for its own next reconcile.

Written by the controller alone. Unknown fields are ignored, so that an older operator reads what a newer one wrote.
Conditions follow kstatus: ``Ready``, ``Reconciling`` and ``Stalled`` say all that tools need; the others say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from headgate.api.base import ApiModel

Time = Annotated[str, StringConstraints(max_length=40), Field(json_schema_extra={"format": "date-time"})]
"""A point in time, RFC 3339, such as ``2026-03-01T12:00:00Z``."""

Name = Annotated[str, StringConstraints(max_length=253)]
Digest = Annotated[str, StringConstraints(max_length=71)]
ImageName = Annotated[str, StringConstraints(max_length=600)]
Place = Annotated[str, StringConstraints(max_length=2048)]
Reason = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]


class StatusModel(ApiModel):
    """Base of everything below ``status``."""

    model_config = ConfigDict(extra="ignore")


class ConditionType(StrEnum):
    """The conditions of a ModelDeployment."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    IMAGE_BUILT = "ImageBuilt"
    JOB_RUNNING = "JobRunning"
    ROLLOUT_HEALTHY = "RolloutHealthy"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(StatusModel):
    """One statement about the object, in the form that Kubernetes' own tools read."""

    type: str = Field(min_length=1, max_length=63)
    """What is stated: ``Ready``, ``Reconciling``, ``Stalled``, ``ImageBuilt``, ``JobRunning`` or ``RolloutHealthy``."""
    status: ConditionStatus
    """Whether it holds."""
    observed_generation: int = Field(default=0, ge=0)
    """The generation of the spec that it was said of."""
    last_transition_time: Time
    """When ``status`` last changed."""
    reason: Reason
    """Why, in one word for programs."""
    message: str = Field(default="", max_length=32_768)
    """Why, in sentences for people."""


class Phase(StrEnum):
    """The one word of ``kubectl get``; everything that decides looks at conditions instead."""

    PENDING = "Pending"
    BUILDING = "Building"
    CHECKING = "Checking"
    STARTING = "Starting"
    HANDING_OVER = "HandingOver"
    ROLLING_OUT = "RollingOut"
    ROLLING_BACK = "RollingBack"
    SERVING = "Serving"
    SUSPENDED = "Suspended"
    FINISHED = "Finished"
    FAILED = "Failed"
    DELETING = "Deleting"


class ServingStatus(StatusModel):
    """The revision whose answers count."""

    revision: Name
    """The ModelRevision's name."""
    version: str = Field(default="", max_length=63)
    """The label stamped on records."""
    model_digest: Digest = ""
    """The sha256 of the model."""
    image: ImageName = ""
    """The job's image, by digest."""
    since: Time | None = None
    """When it began to serve."""


class CandidateStatus(StatusModel):
    """The revision being tried."""

    revision: Name
    """The ModelRevision's name."""
    version: str = Field(default="", max_length=63)
    """The label stamped on records that it scores."""
    model_digest: Digest = ""
    """The sha256 of the model."""
    image: ImageName = ""
    """The image that holds it, by digest."""
    weight: int | None = Field(default=None, ge=0, le=100)
    """Percent of keys that it scores now."""
    step: int | None = Field(default=None, ge=0)
    """Position in ``spec.rollout.steps``, from 0."""
    step_since: Time | None = None
    """When that step began."""
    paused: bool = False
    """Waits for a person."""
    run: Name = ""
    """The run that was made for it."""
    since: Time | None = None
    """When its present stage began; ``progressDeadline`` counts from here."""


class HandOverPurpose(StrEnum):
    """Why a stream is being stopped or started."""

    UPGRADE = "Upgrade"
    ROLLBACK = "Rollback"
    RESTORE = "Restore"
    SUSPEND = "Suspend"
    RESUME = "Resume"
    DELETE = "Delete"


class HandOverStage(StrEnum):
    """The two halves of a hand-over: a savepoint is made, then a run starts from it."""

    STOPPING = "Stopping"
    STARTING = "Starting"


class HandOverStatus(StatusModel):
    """A stop, a start, or one after the other, written down before it is done so that a restart of the operator goes on with it."""

    purpose: HandOverPurpose
    """Why."""
    stage: HandOverStage
    """Which half."""
    from_run: Name = ""
    """The run that stops."""
    to_run: Name = ""
    """The run that starts."""
    to_revision: Name = ""
    """The revision that starts."""
    job_id: str = Field(default="", max_length=64)
    """Flink's id of the job that stops."""
    trigger: str = Field(default="", max_length=32)
    """The id under which the savepoint was asked for; asking again under it asks for nothing new."""
    savepoint: Place = ""
    """What to start from, one alternative a line: a savepoint's path, a folder (ending in ``/``) whose newest complete snapshot
    counts, or nothing for a first start."""
    drop_state: bool = False
    """``spec.rollout.allowStateLoss`` lets the new revision start without the state that it has no operator for."""
    asked: Time | None = None
    """When the running job was asked to stop."""
    since: Time
    """When this half began."""


class RunStatus(StatusModel):
    """The Flink application cluster that emits records."""

    name: Name
    """What its JobManager, TaskManagers and Service are called."""
    job_id: str = Field(default="", max_length=64)
    """Flink's id of the job."""
    rest_url: Place = ""
    """Flink's REST API and web page, inside the cluster."""
    state: str = Field(default="", max_length=32)
    """What Flink says: ``Running``, ``Restarting``, …; ``Finished`` where a bounded stream came to its end."""
    restarts: int = Field(default=0, ge=0)
    """How often its job or its JobManager was restarted."""
    unstable_since: Time | None = None
    """Since when its job has not run, or not completed a checkpoint after it did not run."""


class SavepointStatus(StatusModel):
    """The last savepoint taken."""

    path: Place
    """Where it lies."""
    time: Time
    """When it was complete."""
    revision: Name = ""
    """Whose state it holds."""


class SavepointRequestStatus(StatusModel):
    """A savepoint that a person asked for by annotation, while it is being taken."""

    run: Name
    """The run that takes it."""
    job_id: str = Field(default="", max_length=64)
    """Flink's id of its job."""
    trigger: str = Field(default="", max_length=32)
    """The id under which it was asked for."""
    since: Time
    """When it was asked for."""


class ScaleStatus(StatusModel):
    """What ``kubectl scale`` and a HorizontalPodAutoscaler read."""

    replicas: int = Field(default=0, ge=0)
    """The parallelism that runs."""
    selector: str = Field(default="", max_length=1024)
    """A label selector of the TaskManagers' pods."""


class FailureStatus(StatusModel):
    """The last thing that went wrong; it stays until the next success of the same stage."""

    reason: Reason
    """Why, in one word for programs."""
    stage: str = Field(default="", max_length=63)
    """What was being done: ``validate``, ``build``, ``gate``, ``start``, ``handOver``, ``run``, …"""
    message: str = Field(default="", max_length=32_768)
    """What happened and what to do."""
    time: Time
    """When."""
    revision: Name = ""
    """Which revision it happened to."""


class ModelDeploymentStatus(StatusModel):
    """What is the case."""

    phase: Phase = Phase.PENDING
    """One word for people."""
    observed_generation: int = Field(default=0, ge=0)
    """The generation of the spec that all of this is about."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = Field(default=(), max_length=16)
    """Statements for people and programs, one per type."""
    serving: ServingStatus | None = None
    """The revision whose answers count."""
    candidate: CandidateStatus | None = None
    """The revision being tried, while there is one."""
    run: RunStatus | None = None
    """The Flink application cluster that emits records."""
    hand_over: HandOverStatus | None = None
    """A stop or start that is under way."""
    last_run: int = Field(default=0, ge=0)
    """The number of the last run that was made; every run has a name of its own."""
    target: Name = ""
    """The revision that the last valid spec asks for."""
    checkpoint: Place = ""
    """The newest complete checkpoint of the serving run that was seen."""
    savepoint: SavepointStatus | None = None
    """The last savepoint taken."""
    savepoint_request: SavepointRequestStatus | None = None
    """A savepoint that is being taken because the annotation ``headgate.dev/savepoint`` asked for it."""
    hand_over_seconds: float | None = Field(default=None, ge=0)
    """How long the stream stood still at the last hand-over: from the request to stop until every task of the new run ran."""
    scale: ScaleStatus | None = None
    """What the scale subresource shows."""
    records_per_second: float | None = Field(default=None, ge=0)
    """Records scored, over the last minute."""
    pending_records: int | None = Field(default=None, ge=0)
    """The lag: records that the sources have yet to read, over all that tell (Kafka's do). Absent where none tells."""
    last_failure: FailureStatus | None = None
    """The last thing that went wrong."""


def parse_status(raw: Mapping[str, Any]) -> ModelDeploymentStatus:
    """The status of an object as it comes from the API server; an empty mapping gives the empty status.

    Raises:
        pydantic.ValidationError: something other than Headgate wrote it.
    """
    return ModelDeploymentStatus.model_validate(raw)


def dump_status(status: StatusModel) -> dict[str, Any]:
    """A status as it goes on the wire: camelCase, without what is unset."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
