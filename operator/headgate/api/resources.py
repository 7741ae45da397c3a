"""The ``ModelDeployment`` resource itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from headgate.api.base import ApiModel
from headgate.api.flink import FlinkSpec, ImageSpec
from headgate.api.model import ModelSpec
from headgate.api.pipeline import PipelineSpec
from headgate.api.rollout import RolloutSpec

GROUP = "headgate.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ModelDeploymentSpec(ApiModel):
    """One model in one stream."""

    model: ModelSpec
    """Which model, and how rows become tensors and answers become columns."""
    pipeline: PipelineSpec
    """The SQL on both sides of the model step."""
    flink: FlinkSpec = FlinkSpec()
    """The Flink job's size and behaviour."""
    image: ImageSpec = ImageSpec()
    """Where the job's image lives."""
    rollout: RolloutSpec = RolloutSpec()
    """How a new revision takes over."""
    suspend: bool = False
    """Stop the stream with a savepoint and keep everything else; unset to go on from there."""


class Metadata(ApiModel):
    """The part of Kubernetes' object metadata that Headgate reads; the rest is left alone."""

    model_config = {**ApiModel.model_config, "extra": "ignore"}

    name: str = Field(min_length=1, max_length=40, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    namespace: str = Field(default="default", max_length=63)
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class ModelDeployment(ApiModel):
    """A versioned ONNX model that scores a stream."""

    model_config = {**ApiModel.model_config, "title": "ModelDeployment"}

    api_version: Literal["headgate.dev/v1alpha1"] = "headgate.dev/v1alpha1"
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    metadata: Metadata
    spec: ModelDeploymentSpec
