"""``spec.flink`` and ``spec.image``: the job's size, its storage and where its image lives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import ApiModel, Change, Duration, Quantity, Rule, SecretName

ConfigKey = Annotated[str, StringConstraints(min_length=1, max_length=253)]
ConfigValue = Annotated[str, StringConstraints(max_length=4096)]


class JobManagerResources(ApiModel):
    """What the JobManager's pod asks for; request and limit are the same."""

    cpu: Quantity = "1"
    """Cores, such as ``500m`` or ``2``."""
    memory: Quantity = "1Gi"
    """Memory of the whole pod, such as ``1536Mi``."""


class TaskManagerResources(ApiModel):
    """What one TaskManager's pod asks for; request and limit are the same."""

    cpu: Quantity = "1"
    """Cores, such as ``500m`` or ``2``."""
    memory: Quantity = "2Gi"
    """Memory of the whole pod: JVM, Python workers and the model in each of them."""


class StorageSpec(ApiModel):
    """Where checkpoints, savepoints and high-availability data live."""

    uri: str = Field(default="", max_length=2048, examples=["s3://flink-state/churn"])
    """A directory that every pod reaches: ``s3://``, ``gs://``, ``abfs://`` or ``file:///`` on a mounted claim."""
    secret: SecretName = ""
    """A Secret of the same namespace with the credentials, mounted as files."""
    claim: SecretName = ""
    """A PersistentVolumeClaim mounted at the ``file:///`` directory."""

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        return (
            Rule(
                cel="!has(self.claim) || self.claim == '' || (has(self.uri) && self.uri.startsWith('file:///'))",
                holds=lambda storage: not storage.claim or storage.uri.startswith("file:///"),
                message="a claim is mounted at a local directory: uri must be file:///…, such as file:///state",
                field="claim",
            ),
        )


class FlinkSpec(ApiModel):
    """The Flink job's size and behaviour."""

    parallelism: Annotated[int, Change.SCALE] = Field(default=1, ge=1, le=1024)
    """Parallel instances of the pipeline; the scale subresource."""
    job_manager: JobManagerResources = JobManagerResources()
    """One JobManager pod."""
    task_manager: TaskManagerResources = TaskManagerResources()
    """Each TaskManager pod."""
    slots_per_task_manager: int = Field(default=1, ge=1, le=64)
    """Parallel instances in one TaskManager."""
    storage: StorageSpec = StorageSpec()
    """Where state is kept."""
    checkpoint_interval: Duration = "10s"
    """Also how often an exactly-once sink shows its results."""
    config: dict[ConfigKey, ConfigValue] = Field(
        default_factory=dict, max_length=200, examples=[{"table.exec.state.ttl": "1 d"}]
    )
    """Further Flink options. Those that Headgate sets itself are refused."""


class ImageSpec(ApiModel):
    """Where the job's image is pushed to and what it is built on."""

    repository: str = Field(default="", max_length=512, examples=["registry.example.com/models/churn"])
    """An OCI repository, without a tag."""
    base: str = Field(default="", max_length=512, examples=["registry.example.com/headgate/runtime@sha256:…"])
    """The runtime base image, by digest. Default: the operator's own."""
    pull_secret: Annotated[SecretName, Change.UPGRADE] = ""
    """A ``kubernetes.io/dockerconfigjson`` Secret used to push by the build and to pull by the pods."""
