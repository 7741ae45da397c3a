"""The Kubernetes side: the object, its revisions, builds and runs; carries actions out and yields observations.

It refuses what the real one would refuse and what Headgate promises never to do. Deleting what is not there is no mistake.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from headgate.api.resources import ModelDeploymentSpec
from headgate.api.revision import ModelRevision
from headgate.api.status import ModelDeploymentStatus, dump_status, parse_status
from headgate.planning.actions import (
    Action,
    AddFinalizer,
    ApplyRun,
    CreateRevision,
    DeleteBuild,
    DeleteRevision,
    DeleteRun,
    Event,
    LetGo,
    RemoveAnnotation,
    RemoveFinalizer,
    Rescale,
    StartBuild,
    StopWithSavepoint,
    TakeSavepoint,
    UpdateRevision,
)
from headgate.planning.deletion import FINALIZER
from headgate.planning.manifests import task_manager_count
from headgate.planning.observation import BuildResult, BuildState, FlinkState, Observation, ObservedBuild
from headgate.planning.runspec import RunSpec
from scenarios.world.behaviour import Behaviour
from scenarios.world.runs import SAVEPOINT, Asked, Run
from scenarios.world.stream import ImpossibleWorld, Storage, Stream

BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NAME, NAMESPACE, UID = "churn", "shop", "5b0e6f0e-1111-2222-3333-444455556666"


class Refused(Exception):
    """The API server or Flink does not do it now; the round ends here, as in the controller."""


@dataclass
class Build:
    """A build Job."""

    revision: str
    behaviour: Behaviour
    began: int
    ended: int | None = None


@dataclass
class World:
    """One ModelDeployment and all that belongs to it. ``behaviours``: how each version (its label) behaves."""

    spec: ModelDeploymentSpec
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    stream: Stream = field(default_factory=Stream)
    storage: Storage = field(default_factory=Storage)
    clock: int = 0
    generation: int = 1
    problems: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    deleted_at: int | None = None
    gone: bool = False
    status: dict[str, object] = field(default_factory=dict)
    revisions: dict[str, ModelRevision] = field(default_factory=dict)
    builds: dict[str, Build] = field(default_factory=dict)
    builders: int = 1
    runs: dict[str, Run] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    """All that was carried out."""
    conflict: bool = False
    """Somebody else writes first: the next write of the status is refused."""
    savepoints_fail: bool = False

    @property
    def now(self) -> datetime:
        """The world's time."""
        return BEGIN + timedelta(seconds=self.clock)

    # ---- time --------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """One second passes."""
        self.clock += 1
        self.stream.advance(1)
        for build in self.builds.values():
            due = build.began + build.behaviour.build_seconds
            if build.ended is None and self.clock >= due:
                build.ended = self.clock
        for run in list(self.runs.values()):
            run.advance()
            if run.vanished:
                del self.runs[run.name]
        emitting = [run.name for run in self.runs.values() if run.emits]
        if len(emitting) > 1:
            raise ImpossibleWorld(f"{' and '.join(emitting)} emit at once")

    def behaviour_of(self, revision: str) -> Behaviour:
        """How the version of a revision behaves."""
        found = self.revisions.get(revision)
        return self.behaviours.get(found.spec.template.model.version or "", Behaviour()) if found else Behaviour()

    # ---- observe -----------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        """What the adapter would read."""
        status = parse_status(self.status)
        asked = ("", "")
        if status.hand_over is not None:
            asked = status.hand_over.from_run, status.hand_over.trigger
        elif status.savepoint_request is not None:
            asked = status.savepoint_request.run, status.savepoint_request.trigger
        return Observation(
            now=self.now,
            name=NAME,
            namespace=NAMESPACE,
            uid=UID,
            generation=self.generation,
            deleting=BEGIN + timedelta(seconds=self.deleted_at) if self.deleted_at is not None else None,
            finalizers=self.finalizers,
            annotations=tuple(sorted(self.annotations.items())),
            spec=None if self.problems else self.spec,
            problems=self.problems,
            status=status,
            revisions=tuple(sorted(self.revisions.values(), key=lambda r: r.spec.number)),
            builds=tuple(self._observe_build(build) for build in self.builds.values()),
            runs=tuple(run.observe(asked[1] if asked[0] == run.name else "") for run in self.runs.values()),
            free_builders=self.builders - sum(1 for build in self.builds.values() if build.ended is None),
        )

    def _observe_build(self, build: Build) -> ObservedBuild:
        behaviour = build.behaviour
        if build.ended is None:
            return ObservedBuild(build.revision, BuildState.RUNNING)
        ended = BEGIN + timedelta(seconds=build.ended)
        if behaviour.registry_down:
            said = "registry.example.com does not answer."
            return ObservedBuild(
                build.revision, BuildState.FAILED, None, "RegistryUnreachable", said, transient=True, finished=ended
            )
        if behaviour.build_fails:
            return ObservedBuild(
                build.revision, BuildState.FAILED, None, behaviour.build_fails, "It cannot be built.", finished=ended
            )
        version = (
            self.revisions[build.revision].spec.template.model.version or "" if build.revision in self.revisions else ""
        )
        digest = f"sha256:{build.revision[-10:]:0>64}"
        result = BuildResult(f"registry.example.com/churn@{digest}", version, digest)
        return ObservedBuild(build.revision, BuildState.SUCCEEDED, result, finished=ended)

    # ---- act ---------------------------------------------------------------------------------------------------------

    def write_status(self, status: ModelDeploymentStatus) -> None:
        """The status as it would be patched; the API server validates it."""
        if self.conflict:
            self.conflict = False
            raise Refused("the object has been modified")
        wire = dump_status(status)
        ModelDeploymentStatus.model_validate(wire)
        self.status = wire

    def apply(self, action: Action) -> None:
        """Carry one action out."""
        self.actions.append(action)
        match action:
            case AddFinalizer():
                self.finalizers = tuple(dict.fromkeys((*self.finalizers, FINALIZER)))
            case RemoveFinalizer():
                self._let_go_of_object()
            case CreateRevision(revision):
                self.revisions.setdefault(revision.metadata.name, revision)
            case UpdateRevision(name, status):
                if name in self.revisions:
                    self.revisions[name] = self.revisions[name].model_copy(update={"status": status})
            case DeleteRevision(name):
                self.revisions.pop(name, None)
            case StartBuild(revision_name):
                self._start_build(revision_name)
            case DeleteBuild(revision_name):
                self.builds.pop(revision_name, None)
            case ApplyRun(spec):
                self._apply_run(spec)
            case LetGo(spec, place, drop_state):
                self._let_go(spec, place, drop_state=drop_state)
            case StopWithSavepoint(name, job_id, trigger, folder, _):
                self._ask(name, job_id, trigger, folder, stop=True)
            case TakeSavepoint(name, job_id, trigger, folder):
                self._ask(name, job_id, trigger, folder, stop=False)
            case RemoveAnnotation(name):
                self.annotations.pop(name, None)
            case Rescale(spec, job_id, parallelism):
                run = self._running(spec.name, job_id)
                run.wanted_parallelism, run.replicas = parallelism, task_manager_count(spec.flink)
            case DeleteRun(name):
                if name in self.runs:
                    self.runs[name].delete()
            case _:
                assert_never(action)

    def _let_go_of_object(self) -> None:
        self.finalizers = tuple(f for f in self.finalizers if f != FINALIZER)
        if self.deleted_at is not None and not self.finalizers:
            self.gone = True
            for run in self.runs.values():
                run.delete()

    def _start_build(self, revision: str) -> None:
        if revision not in self.revisions:
            raise ImpossibleWorld(f"a build of {revision}, which is not written down")
        busy = [b for b in self.builds.values() if b.ended is None and b.revision != revision]
        if len(busy) >= self.builders:
            raise ImpossibleWorld("more builds than builders")
        self.builds.setdefault(revision, Build(revision, self.behaviour_of(revision), self.clock))

    def _apply_run(self, spec: RunSpec) -> None:
        if "@sha256:" not in spec.image:
            raise ImpossibleWorld(f"{spec.name} has an image without a digest: {spec.image!r}")
        if spec.name in self.runs:
            self.runs[spec.name].make_whole()
            return
        behaviour = self.behaviour_of(spec.revision)
        parallelism = spec.flink.parallelism
        self.runs[spec.name] = Run(
            spec,
            behaviour,
            self.stream,
            self.storage,
            self.now,
            parallelism=parallelism,
            wanted_parallelism=parallelism,
        )

    def _let_go(self, spec: RunSpec, place: str, *, drop_state: bool) -> None:
        others = [run.name for run in self.runs.values() if run.name != spec.name and run.emits]
        if others:
            raise ImpossibleWorld(f"{spec.name} is let go while {others} may emit")
        if spec.name not in self.runs:
            raise ImpossibleWorld(f"{spec.name} is let go and was never made")
        run = self.runs[spec.name]
        if run.go is None:
            run.go, run.drop_state = place, drop_state

    def _ask(self, name: str, job_id: str, trigger: str, folder: str, *, stop: bool) -> None:
        run = self._running(name, job_id)
        failure = "the storage does not answer" if self.savepoints_fail else ""
        run.asked.setdefault(
            trigger, Asked(f"{folder}/savepoint-{trigger[:12]}", run.clock + SAVEPOINT, stop, False, failure)
        )

    def _running(self, name: str, job_id: str) -> Run:
        run = self.runs.get(name)
        if run is None or run.flink is not FlinkState.RUNNING or run.job_id != job_id:
            raise ImpossibleWorld(f"{name} is asked for something, and no job {job_id!r} runs there")
        if run.cut_off:
            raise Refused("Flink does not answer")
        return run

    # ---- what people do ----------------------------------------------------------------------------------------------

    def change(self, spec: ModelDeploymentSpec) -> None:
        """kubectl apply."""
        if spec != self.spec or self.problems:
            self.spec, self.problems = spec, ()
            self.generation += 1

    def break_spec(self) -> None:
        """A spec that the API server lets through and validation refuses."""
        self.problems = ("spec.pipeline.output: reads no_such_view",)
        self.generation += 1

    def delete(self) -> None:
        """kubectl delete."""
        if self.deleted_at is None:
            self.deleted_at = self.clock
            self.generation += 1
            self.gone = not self.finalizers

    def set_behaviour(self, version: str, behaviour: Behaviour) -> None:
        """A version behaves otherwise from now on, where it runs as well."""
        self.behaviours[version] = behaviour
        for run in self.runs.values():
            if self.behaviour_of(run.spec.revision) is behaviour:
                run.behaviour = behaviour
        for build in self.builds.values():
            if self.behaviour_of(build.revision) is behaviour and build.ended is None:
                build.behaviour = replace(behaviour)
