"""The ``ModelDeployment`` resource itself; its status is in :mod:`headgate.api.status`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from headgate.api.base import ApiModel, Change
from headgate.api.flink import FlinkSpec, ImageSpec
from headgate.api.model import ModelSpec
from headgate.api.pipeline import PipelineSpec
from headgate.api.rollout import RolloutSpec

GROUP = "headgate.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
MAX_NAME = 40
"""Children add up to 23 characters (``-7f3a9c21d4-taskmanager``), and Kubernetes allows 63 in a Service's name."""


class DeletionPolicy(StrEnum):
    """How the stream ends when the ModelDeployment is deleted."""

    SAVEPOINT = "Savepoint"
    """Stop with a savepoint, which stays."""
    DRAIN = "Drain"
    """Let windows and timers fire to their end, then stop with a savepoint."""
    CANCEL = "Cancel"
    """Stop at once; what was in flight since the last checkpoint was not shown by an exactly-once sink."""


class ModelDeploymentSpec(ApiModel):
    """One model in one stream."""

    model: ModelSpec
    """Which model, and how rows become tensors and answers become columns."""
    pipeline: PipelineSpec
    """The SQL on both sides of the model step."""
    flink: Annotated[FlinkSpec, Change.UPGRADE] = FlinkSpec()
    """The Flink job's size and behaviour."""
    image: ImageSpec = ImageSpec()
    """Where the job's image lives."""
    rollout: Annotated[RolloutSpec, Change.IGNORE] = RolloutSpec()
    """How a new revision takes over."""
    suspend: Annotated[bool, Change.IGNORE] = False
    """Stop the stream with a savepoint and keep everything else; unset to go on from there."""
    deletion_policy: Annotated[DeletionPolicy, Change.IGNORE] = DeletionPolicy.SAVEPOINT
    """How the stream ends when this object is deleted."""


class Metadata(ApiModel):
    """The part of Kubernetes' object metadata that Headgate reads; the rest is left alone."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=MAX_NAME, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    """What the object is called; also the first part of its children's names."""
    namespace: str = Field(default="default", min_length=1, max_length=63)
    """The namespace, which the Secrets and claims that it names share."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Carried over to everything that Headgate makes for the object."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Free notes; Headgate's verbs are annotations too."""
    uid: str = ""
    """Given by Kubernetes; empty in a file."""
    generation: int = 0
    """Counts changes of the spec; given by Kubernetes, 0 in a file."""


class ModelDeployment(ApiModel):
    """A versioned ONNX model that scores a stream."""

    api_version: Literal["headgate.dev/v1alpha1"] = "headgate.dev/v1alpha1"
    """The group and version of this kind."""
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    """The kind."""
    metadata: Metadata
    """The object's name and labels."""
    spec: ModelDeploymentSpec
    """What is wanted."""
