"""What one reconcile sees of the world: one immutable value, gathered by ``kube.observe`` and judged by ``planning``.

Nothing in here is a decision, and nothing is unknown by accident: what could not be learned is None or UNKNOWN, on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from headgate.api.resources import ModelDeploymentSpec
from headgate.api.revision import ModelRevision
from headgate.api.status import ModelDeploymentStatus


class BuildState(StrEnum):
    """How a revision's build Job is doing."""

    ABSENT = "Absent"
    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build reported: the image by digest, and what is in it."""

    image: str
    version: str
    model_digest: str
    lock_digest: str = ""


@dataclass(frozen=True, slots=True)
class ObservedBuild:
    """A revision's build. ``reason`` and ``message`` where it failed, or (message) why its pod cannot start."""

    revision: str
    state: BuildState
    result: BuildResult | None = None
    reason: str = ""
    message: str = ""
    transient: bool = False
    """It failed for a reason that is likely to pass, such as a registry that did not answer: it is tried again."""
    finished: datetime | None = None
    """When it ended."""


class JobManagerState(StrEnum):
    """The JobManager's Kubernetes Job."""

    ABSENT = "Absent"
    ACTIVE = "Active"
    ENDED = "Ended"
    """The job reached an end by itself: stopped, cancelled or finished."""
    FAILED = "Failed"
    """Kubernetes gave it up."""


class FlinkState(StrEnum):
    """Flink's job, as its REST API tells it."""

    UNKNOWN = "Unknown"
    """Nobody answers there."""
    NONE = "None"
    """main() has not submitted it yet."""
    STARTING = "Starting"
    RUNNING = "Running"
    """Every task runs."""
    RESTARTING = "Restarting"
    ENDED = "Ended"
    FAILED = "Failed"
    """Flink gave the job up for good: its REST API says so, or the JobManager's container ended with 163 (1443 of 256)."""


@dataclass(frozen=True, slots=True)
class ObservedSavepoint:
    """The savepoint that the status says was asked for. Not found: the JobManager forgot it, or it was never asked."""

    found: bool
    done: bool = False
    path: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives: pairs of a name and its type in words, such as ``float32 [?, 12]``."""

    inputs: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """What main() reported: the stage it is in, and why it failed where it did."""

    stage: str = ""
    done: bool = False
    reason: str = ""
    message: str = ""
    operators: tuple[tuple[str, str], ...] = ()
    """Pairs of operator id and task name."""
    bounded: bool = False
    """Every source of the plan comes to an end; False where main() did not say."""
    signature: Signature | None = None
    """The model's, once it is loaded."""

    @property
    def ready(self) -> bool:
        """Planned, loaded, smoke-tested, and waiting for *go* or past it.

        Not at the end of stage ``ready``: main() names its operators after that and before it waits.
        """
        return self.stage in {"wait", "execute"}


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """One run, as long as any of its objects or pods is there, Flink's own ConfigMaps included.

    ``go``: what the run was let start from (empty: from nothing), None while it waits.
    """

    name: str
    revision: str
    job_manager: JobManagerState = JobManagerState.ABSENT
    job_manager_restarts: int = 0
    """How often the JobManager's container was started again."""
    intact: bool = True
    """Whether its other objects (Service, TaskManagers, ConfigMaps, account) are all there."""
    restarts: int = 0
    """How often Flink restarted the job."""
    pods: int = 0
    """Pods of the run that still exist, those that are ending included."""
    pods_ready: int = 0
    pods_wanted: int = 0
    pod_problem: str = ""
    """Why a pod cannot start, such as an image that cannot be pulled or a quota; empty where none is known."""
    report: RuntimeReport = RuntimeReport()
    go: str | None = None
    flink: FlinkState = FlinkState.UNKNOWN
    job_id: str = ""
    running_since: datetime | None = None
    """Since when every task runs."""
    failure: str = ""
    checkpoints: int | None = None
    """Complete checkpoints of this run, the one that it was restored from after a JobManager's end included, the savepoint
    that it was let start from not; None where nobody can tell."""
    steady_checkpoints: int = 0
    """Those that were asked for since every task runs without a restart."""
    failed_checkpoints: int = 0
    newest_checkpoint: str = ""
    parallelism: int = 0
    """What it runs with; 0 where it is not known."""
    wanted_parallelism: int = 0
    """What Flink was last asked to run it with; 0 where it is not known."""
    records: int | None = None
    records_per_second: float | None = None
    pending_records: int | None = None
    """Records that its sources have yet to read; None where none of them tells."""
    savepoint: ObservedSavepoint | None = None

    @property
    def task_managers_ready(self) -> bool:
        """Whether its TaskManagers stand."""
        return self.pods_wanted > 0 and self.pods_ready >= self.pods_wanted

    @property
    def may_emit(self) -> bool:
        """Whether records may still leave it: it was let go, and it is not certain that its job has ended.

        Tasks outlive their JobManager by Flink's heartbeat, and its other objects by their grace: so a run without a
        JobManager may emit as long as it has pods.
        """
        if self.job_manager is JobManagerState.ENDED or self.flink is FlinkState.ENDED:
            return False
        if self.job_manager is JobManagerState.ABSENT:
            return self.pods > 0
        started = self.flink in {FlinkState.STARTING, FlinkState.RUNNING, FlinkState.RESTARTING}
        return self.go is not None or started or self.report.stage == "execute"


@dataclass(frozen=True, slots=True)
class Observation:
    """The world of one ModelDeployment at one moment."""

    now: datetime
    name: str
    namespace: str
    uid: str
    generation: int
    deleting: datetime | None
    finalizers: tuple[str, ...]
    annotations: tuple[tuple[str, str], ...]
    spec: ModelDeploymentSpec | None
    """None where the spec is invalid; ``problems`` says why."""
    problems: tuple[str, ...]
    status: ModelDeploymentStatus
    revisions: tuple[ModelRevision, ...] = ()
    builds: tuple[ObservedBuild, ...] = ()
    runs: tuple[ObservedRun, ...] = ()
    free_builders: int = 1
    resource_version: str = ""
    """Of the object: what is written on the strength of this observation is refused once somebody else has written."""

    def revision(self, name: str) -> ModelRevision | None:
        """The revision of that name."""
        return next((r for r in self.revisions if r.metadata.name == name), None)

    def build(self, revision: str) -> ObservedBuild:
        """A revision's build, ABSENT where there is none."""
        return next((b for b in self.builds if b.revision == revision), ObservedBuild(revision, BuildState.ABSENT))

    def run(self, name: str) -> ObservedRun | None:
        """The run of that name."""
        return next((r for r in self.runs if r.name == name), None)
