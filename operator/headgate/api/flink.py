"""``spec.flink`` and ``spec.image``: the job's size, its storage and where its image lives."""

from __future__ import annotations

from pydantic import Field

from headgate.api.base import ApiModel, Duration, Quantity


class ResourcesSpec(ApiModel):
    """What one pod asks for; request and limit are the same."""

    cpu: Quantity = "1"
    memory: Quantity = "2Gi"


class StorageSpec(ApiModel):
    """Where checkpoints, savepoints and high-availability data live."""

    uri: str = Field(default="", max_length=2048, examples=["s3://flink-state/churn"])
    """A directory that every pod reaches: ``s3://``, ``gs://``, ``abfs://`` or ``file:///`` on a mounted claim."""
    secret: str = Field(default="", max_length=253)
    """A Secret of the same namespace with the credentials, mounted as files."""
    claim: str = Field(default="", max_length=253)
    """A PersistentVolumeClaim mounted at the ``file:///`` directory."""


class FlinkSpec(ApiModel):
    """The Flink job's size and behaviour."""

    parallelism: int = Field(default=1, ge=1, le=1024)
    """Parallel instances of the pipeline; the scale subresource."""
    job_manager: ResourcesSpec = ResourcesSpec(memory="1Gi")
    """One JobManager pod."""
    task_manager: ResourcesSpec = ResourcesSpec()
    """Each TaskManager pod."""
    slots_per_task_manager: int = Field(default=1, ge=1, le=64)
    """Parallel instances in one TaskManager."""
    storage: StorageSpec = StorageSpec()
    """Where state is kept."""
    checkpoint_interval: Duration = "10s"
    """Also how often an exactly-once sink shows its results."""
    config: dict[str, str] = Field(default_factory=dict, examples=[{"table.exec.state.ttl": "1 d"}])
    """Further Flink options. Those that Headgate sets itself are refused."""


class ImageSpec(ApiModel):
    """Where the job's image is pushed to and what it is built on."""

    repository: str = Field(default="", max_length=512, examples=["registry.example.com/models/churn"])
    """An OCI repository, without a tag."""
    base: str = Field(default="", max_length=512)
    """The runtime base image, by digest. Default: the operator's own."""
    pull_secret: str = Field(default="", max_length=253)
    """A ``kubernetes.io/dockerconfigjson`` Secret used to push by the build and to pull by the pods."""
