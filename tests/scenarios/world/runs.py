"""A run: JobManager, main() and its stages, Flink's job with checkpoints and savepoints. Time is told from outside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headgate.planning.observation import (
    FlinkState,
    JobManagerState,
    ObservedRun,
    ObservedSavepoint,
    RuntimeReport,
)
from headgate.planning.runspec import RunSpec
from scenarios.world.behaviour import STAGES, Behaviour
from scenarios.world.stream import ImpossibleWorld, Snapshot, Storage, Stream

POD_START, STAGE, JOB_START, CHECKPOINT, SAVEPOINT, GRACE, LINGER, RESTART = 1, 1, 2, 5, 2, 2, 3, 3
"""Seconds."""

_ACTIVE = {FlinkState.STARTING, FlinkState.RUNNING, FlinkState.RESTARTING}


@dataclass
class Asked:
    """A savepoint that was asked for."""

    path: str
    due: int
    stop: bool
    done: bool = False
    failure: str = ""


@dataclass
class Run:
    """One run. ``clock`` counts seconds since it was made at ``born``; ``since`` is when the present state began."""

    spec: RunSpec
    behaviour: Behaviour
    stream: Stream
    storage: Storage
    born: datetime
    clock: int = 0

    # what Kubernetes does
    job_manager: JobManagerState = JobManagerState.ACTIVE
    intact: bool = True
    go: str | None = None
    drop_state: bool = False
    deleted_at: int | None = None
    job_manager_restarts: int = 0
    replicas: int = 1
    cut_off: bool = False
    """The way from the operator to the JobManager is cut."""
    # what main() does
    up_at: int = POD_START
    stage: int = -1
    reason: str = ""
    # what Flink does
    flink: FlinkState = FlinkState.NONE
    since: int = 0
    restarts: int = 0
    failure: str = ""
    position: int = 0
    begun: int = 0
    """The first id that is read and not yet shown."""
    start: Snapshot | str | None = None
    newest: Snapshot | None = None
    ha: bool = False
    checkpoints: int = 0
    steady_checkpoints: int = 0
    failed_checkpoints: int = 0
    last_checkpoint: int = 0
    parallelism: int = 1
    wanted_parallelism: int = 1
    asked: dict[str, Asked] = field(default_factory=dict)
    heard: bool = False
    over: bool = False
    """The job came to an end for good; main() cannot submit it again."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.spec.name

    @property
    def emits(self) -> bool:
        """Whether tasks may write to the sink."""
        return self.flink in _ACTIVE and not self.gone

    @property
    def gone(self) -> bool:
        """Whether its pods have ended after a deletion."""
        return self.deleted_at is not None and self.clock >= self.deleted_at + GRACE

    @property
    def reachable(self) -> bool:
        """Whether the JobManager answers."""
        return (
            self.job_manager is JobManagerState.ACTIVE
            and self.stage >= 0
            and self.deleted_at is None
            and not self.cut_off
        )

    @property
    def job_id(self) -> str:
        """Flink derives it from the run's name."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:32] if self.flink is not FlinkState.NONE else ""

    # ---- time ------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """One second passes."""
        self.clock += 1
        if self.gone:
            self._end_pods()
        if self.job_manager is not JobManagerState.ACTIVE or self.behaviour.pod_problem or self.gone:
            return
        if self.clock >= self.up_at and self.flink is FlinkState.NONE:
            self._main()
        elif self.flink in _ACTIVE:
            self._job()
        elif self.flink is FlinkState.ENDED and self.clock - self.since >= LINGER:
            self.job_manager = JobManagerState.ENDED
        elif self.flink is FlinkState.FAILED and self.clock - self.since >= LINGER:
            self._restart_main()

    def _main(self) -> None:
        if self.over:
            self._restart_main()
            return
        if self.stage < 0:
            self.stage, self.reason, self.since = 0, "", self.clock
            return
        if self.reason:
            self._restart_main()
            return
        name = STAGES[self.stage]
        if name == self.behaviour.fails_at:
            self.reason = "ModelUnusable"
        elif name == self.behaviour.silent_at:
            self._restart_main()
        elif name == self.behaviour.hangs_at:
            return
        elif name != "wait":
            self.stage += 1
        elif self.go is not None:
            self._execute()

    def _restart_main(self) -> None:
        self.job_manager_restarts += 1
        self.stage, self.reason, self.flink, self.asked = -1, "", FlinkState.NONE, {}
        self.up_at = self.clock + RESTART

    def _execute(self) -> None:
        start = self.newest if self.ha and self.newest is not None else self.storage.find(self.go or "")
        if start is None:
            self.reason = "SavepointMissing"
            return
        self.start, self.ha = start, True
        self._state(FlinkState.STARTING)
        if start == "nothing":
            if self.stream.next and not self.stream.forgiven and self.stream.end is None:
                raise ImpossibleWorld(f"{self.name} starts from nothing after {self.stream.next} ids were shown")
            self.position = self.begun = 0
            if self.stream.end is not None:
                self.stream.shown.clear()
            return
        if not isinstance(start, Snapshot):
            raise ImpossibleWorld(f"{start!r} is no snapshot")
        mine = {operator for operator, _ in self.behaviour.operators}
        lost = [name for operator, name in start.operators if operator not in mine]
        if lost and not self.drop_state:
            self.failure = f"Cannot map state of {lost}"
            self.over = True
            self._state(FlinkState.FAILED)
            return
        self.position = self.begun = start.position

    def _job(self) -> None:
        seconds = self.clock - self.since
        if self.flink is FlinkState.RESTARTING:
            if seconds >= RESTART:
                self._state(FlinkState.STARTING)
        elif self.flink is FlinkState.STARTING:
            if seconds >= JOB_START and not self.behaviour.never_runs:
                self._state(FlinkState.RUNNING)
                self.last_checkpoint = self.clock
                self.steady_checkpoints = 0
        else:
            self._work(seconds)

    def _work(self, seconds: int) -> None:
        capacity = self.behaviour.capacity
        self.position = self.stream.head if capacity is None else min(self.stream.head, self.position + capacity)
        self.parallelism = self.wanted_parallelism
        if self.behaviour.crash_after is not None and seconds >= self.behaviour.crash_after:
            self.crash("ValueError: a row that the model cannot take")
            return
        for asked in [a for a in self.asked.values() if not a.done and self.clock >= a.due]:
            self._savepoint(asked)
            if self.flink is not FlinkState.RUNNING:
                return
        if self.stream.end is not None and self.position >= self.stream.end:
            self._show()
            self._state(FlinkState.ENDED)
            self.over = True
        elif self.clock - self.last_checkpoint >= CHECKPOINT:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self.last_checkpoint = self.clock
        if self.behaviour.checkpoints_fail:
            self.failed_checkpoints += 1
            self.failure = "Checkpoint expired before completing"
            return
        self.checkpoints += 1
        self.steady_checkpoints += 1
        path = f"{self.spec.folder}/checkpoints/job/chk-{self.clock}"
        self.newest = self.storage.write(path, self.position, self.behaviour.operators)
        self._show()

    def _savepoint(self, asked: Asked) -> None:
        asked.done = True
        if asked.failure:
            return
        snapshot = self.storage.write(asked.path, self.position, self.behaviour.operators)
        if asked.stop:
            self._show()
            self.newest = snapshot
            self.over = True
            self._state(FlinkState.ENDED)

    def _show(self) -> None:
        self.stream.show(self.begun, self.position, self.spec.revision, self.name)
        self.begun = self.position

    def _state(self, state: FlinkState) -> None:
        self.flink, self.since = state, self.clock

    # ---- what may happen to it -------------------------------------------------------------------------------------

    def crash(self, failure: str) -> None:
        """The job fails and goes back to its newest checkpoint."""
        self.failure = failure
        for asked in self.asked.values():
            if not asked.done:
                asked.done, asked.failure = True, failure
        if self.behaviour.gives_up:
            self.over = True
            self._state(FlinkState.FAILED)
            return
        self.restarts += 1
        self._state(FlinkState.RESTARTING)
        self._back()

    def _back(self) -> None:
        start = self.newest or self.start
        self.position = self.begun = start.position if isinstance(start, Snapshot) else 0

    def kill_job_manager(self) -> None:
        """Its process dies and is started again; what it knew is gone, its HA data is not."""
        if self.job_manager is JobManagerState.ACTIVE:
            self._restart_main()

    def lose_job_manager(self) -> None:
        """Somebody deleted its Job: its pods go on for a moment, its HA data stays."""
        self.job_manager = JobManagerState.ABSENT
        self.stage, self.flink, self.asked = -1, FlinkState.NONE, {}

    def make_whole(self) -> None:
        """What is missing of it is made again."""
        if self.deleted_at is not None and not self.gone:
            return
        self.intact, self.deleted_at = True, None
        if self.job_manager is JobManagerState.ABSENT:
            self.job_manager = JobManagerState.ACTIVE
            self.stage, self.reason, self.up_at = -1, "", self.clock + POD_START

    def delete(self) -> None:
        """Its objects are deleted; pods end after their grace, Flink's own ConfigMaps stay until asked for again."""
        if self.deleted_at is None:
            self.deleted_at = self.clock
        elif self.gone:
            self.ha = False

    def _end_pods(self) -> None:
        self.flink, self.stage, self.go = FlinkState.NONE, -1, None
        self.job_manager, self.intact = JobManagerState.ABSENT, False

    @property
    def vanished(self) -> bool:
        """Nothing of it is left."""
        return self.gone and not self.ha

    # ---- what is seen ----------------------------------------------------------------------------------------------

    def observe(self, trigger: str) -> ObservedRun:
        """As the adapter would see it."""
        up = self.reachable
        stage = STAGES[max(self.stage, 0)] if self.stage >= 0 else ""
        executing = self.flink is not FlinkState.NONE and stage == "wait"
        report = RuntimeReport(
            stage="execute" if executing or (stage == "wait" and self.reason) else stage,
            reason=self.reason,
            message=f"{stage} failed" if self.reason else "",
            operators=self.behaviour.operators if self.stage >= STAGES.index("wait") else (),
            bounded=self.behaviour.bounded and self.stage >= STAGES.index("wait"),
            signature=self.behaviour.signature if self.stage >= STAGES.index("smoke") else None,
        )
        ready = not self.behaviour.pod_problem and self.clock >= POD_START and self.deleted_at is None and self.intact
        flink = self.flink if up else FlinkState.UNKNOWN
        if self.job_manager is JobManagerState.ENDED:
            flink = FlinkState.ENDED
        deleting = self.deleted_at is not None
        if deleting:
            report, flink = RuntimeReport(), FlinkState.UNKNOWN
        return ObservedRun(
            name=self.name,
            revision=self.spec.revision,
            job_manager=JobManagerState.ABSENT if deleting else self.job_manager,
            job_manager_restarts=self.job_manager_restarts,
            intact=self.intact and not deleting,
            restarts=self.restarts if up else 0,
            pods=0 if self.gone else 2,
            pods_ready=self.replicas if ready else 0,
            pods_wanted=self.replicas,
            pod_problem=self.behaviour.pod_problem,
            report=report,
            go=None if deleting else self.go,
            flink=flink,
            job_id=self.job_id if up else "",
            running_since=self.born + timedelta(seconds=self.since)
            if up and self.flink is FlinkState.RUNNING
            else None,
            failure=self.failure if up else "",
            checkpoints=self.checkpoints if up else None,
            steady_checkpoints=self.steady_checkpoints if up and self.flink is FlinkState.RUNNING else 0,
            failed_checkpoints=self.failed_checkpoints if up else 0,
            newest_checkpoint=self.newest.path if up and self.newest is not None and self.checkpoints else "",
            parallelism=self.parallelism if up and self.flink is FlinkState.RUNNING else 0,
            wanted_parallelism=self.wanted_parallelism if up and self.flink is FlinkState.RUNNING else 0,
            records_per_second=float(self.stream.rate) if up and self.flink is FlinkState.RUNNING else None,
            pending_records=self.stream.head - self.position
            if up and self.flink is FlinkState.RUNNING and self.behaviour.tells_lag
            else None,
            savepoint=self._observe_savepoint(trigger) if trigger and up and self.job_id else None,
        )

    def _observe_savepoint(self, trigger: str) -> ObservedSavepoint:
        asked = self.asked.get(trigger)
        if asked is None:
            return ObservedSavepoint(found=False)
        return ObservedSavepoint(True, asked.done, "" if asked.failure or not asked.done else asked.path, asked.failure)
