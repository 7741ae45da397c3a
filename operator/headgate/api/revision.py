"""``ModelRevision``: one immutable version of a ModelDeployment's template, written by the controller alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from headgate.api.base import ApiModel, Rule
from headgate.api.flink import FlinkSpec, ImageSpec
from headgate.api.model import ModelSpec
from headgate.api.pipeline import PipelineSpec
from headgate.api.resources import Metadata
from headgate.api.status import Digest, FailureStatus, ImageName, StatusModel, Time

REVISION_KIND = "ModelRevision"


class RevisionTemplate(ApiModel):
    """The part of a ModelDeployment's spec that a revision is made of."""

    model: ModelSpec
    """The model, with the digest that was found for it in ``sha256``."""
    pipeline: PipelineSpec
    """The SQL on both sides of the model step."""
    flink: FlinkSpec = FlinkSpec()
    """The job's size and behaviour when the revision was made."""
    image: ImageSpec = ImageSpec()
    """Where the image lives."""


class ModelRevisionSpec(ApiModel):
    """What the revision is; never changed."""

    deployment: str = Field(min_length=1, max_length=253)
    """The ModelDeployment that it belongs to."""
    number: int = Field(ge=1)
    """Counts the revisions of one ModelDeployment, from 1; ``undo --to-revision`` takes it."""
    template: RevisionTemplate
    """The template as it was."""

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        message = "a ModelRevision never changes: change the ModelDeployment, and another revision is made"
        return (Rule(cel="self == oldSelf", holds=lambda _: True, message=message),)


class Gate(StrEnum):
    """What a candidate must pass before it meets a live record."""

    LOADS = "Loads"
    SIGNATURE = "Signature"
    SMOKE = "Smoke"
    GOLDENS = "Goldens"


class Outcome(StrEnum):
    """How a gate or a rollout ended."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"


class GateResult(StatusModel):
    """What one gate found."""

    gate: Gate
    """Which gate."""
    outcome: Outcome
    """How it ended."""
    message: str = Field(default="", max_length=32_768)
    """What it saw, for people."""
    time: Time
    """When it ended."""


class RevisionPhase(StrEnum):
    """Where a revision is in its life."""

    PENDING = "Pending"
    BUILDING = "Building"
    CHECKING = "Checking"
    CANDIDATE = "Candidate"
    SERVING = "Serving"
    RETIRED = "Retired"
    FAILED = "Failed"


class ModelRevisionStatus(StatusModel):
    """What became of it."""

    phase: RevisionPhase = RevisionPhase.PENDING
    """One word for people."""
    version: str = Field(default="", max_length=63)
    """The label stamped on records."""
    model_digest: Digest = ""
    """The sha256 of the model."""
    image: ImageName = ""
    """The job's image, by digest."""
    lock_digest: Digest = ""
    """The sha256 of the lock of its Python dependencies."""
    gates: Annotated[
        tuple[GateResult, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["gate"]}),
    ] = Field(default=(), max_length=16)
    """What the gates found."""
    built_at: Time | None = None
    """When the image was complete."""
    served_at: Time | None = None
    """When it last began to serve."""
    retired_at: Time | None = None
    """When it last stopped serving."""
    last_failure: FailureStatus | None = None
    """Why it failed; a revision that failed is not tried again by itself."""


class ModelRevision(ApiModel):
    """An immutable version of a ModelDeployment's template, and what became of it."""

    api_version: Literal["headgate.dev/v1alpha1"] = "headgate.dev/v1alpha1"
    """The group and version of this kind."""
    kind: Literal["ModelRevision"] = "ModelRevision"
    """The kind."""
    metadata: Metadata
    """The object's name and labels."""
    spec: ModelRevisionSpec
    """What the revision is."""
    status: ModelRevisionStatus = ModelRevisionStatus()
    """What became of it."""
