"""One reconcile: observe, plan, write the status, act, tell. Called by ``handlers``; knows nothing of kopf.

The status goes first, so that what is about to be done is known to whoever comes after a crash. Acting is idempotent and in
order; the first action that fails ends the round, and the next round observes what became of it. The one thing that a round
carries over to the next is in the status.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from headgate.api.resources import API_VERSION, KIND
from headgate.api.revision import REVISION_KIND, ModelRevision
from headgate.api.status import ModelDeploymentStatus, dump_status
from headgate.errors import ClusterError, Disposition
from headgate.kube.client import Kube, Manifest
from headgate.kube.errors import ApiConflict, BuildersBusy
from headgate.kube.objects import FLINKS_OWN
from headgate.kube.observe import Observer
from headgate.kube.runs import OpenFlink
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
from headgate.planning.buildjob import BuildSettings, build_name, render_build
from headgate.planning.deletion import FINALIZER
from headgate.planning.manifests import render_go, render_run, run_object_names, task_manager_count
from headgate.planning.observation import JobManagerState, Observation
from headgate.planning.plan import Plan, plan
from headgate.planning.runspec import DEPLOYMENT_LABEL, PodSettings, RunSpec

log = logging.getLogger("headgate")

BACK_OFF = timedelta(seconds=5)
AT_ONCE = timedelta(milliseconds=200)
AFTER_ACTING = timedelta(milliseconds=500)
NO_POD_SETTINGS = PodSettings()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round came to: when to look again (None: the object is gone, or let go), and what was in the way."""

    requeue: timedelta | None
    problem: ClusterError | None = None
    plan: Plan | None = None


class Controller:
    """Reconciles ModelDeployments, one round at a time."""

    def __init__(
        self,
        kube: Kube,
        observer: Observer,
        open_flink: OpenFlink,
        builds: BuildSettings,
        now: Callable[[], datetime],
        pods: PodSettings = NO_POD_SETTINGS,
    ) -> None:
        self.kube, self.observer, self.open_flink, self.builds, self.now = kube, observer, open_flink, builds, now
        self.pods = pods
        self._building = threading.Lock()

    def reconcile(self, namespace: str, name: str) -> Outcome:
        """One round for one object. Expected failures come back as the outcome's problem."""
        try:
            seen = self.observer.observe(namespace, name, self.now())
            if seen is None or (seen.deleting is not None and FINALIZER not in seen.finalizers):
                return Outcome(None)
            decided = plan(seen)
            self._write_status(seen, decided.status)
            for action in decided.actions:
                self._act(seen, action)
            for event in decided.events:
                self._tell(seen, event)
        except ClusterError as error:
            log.warning("%s/%s: %s", namespace, name, error)
            if isinstance(error, ApiConflict):
                return Outcome(AT_ONCE, error)
            waits = error.disposition is not Disposition.TRANSIENT
            return Outcome(BACK_OFF * (6 if waits else 1), error)
        # What was done shows at the next look; not all of it comes with an event.
        soon = decided.requeue is not None and bool(decided.actions)
        return Outcome(min(decided.requeue or AT_ONCE, AFTER_ACTING) if soon else decided.requeue, plan=decided)

    def _write_status(self, seen: Observation, status: ModelDeploymentStatus) -> None:
        patch = changes(dump_status(seen.status), dump_status(status))
        if patch:
            # The version makes sure that nobody, another operator least of all, decided anything since this was observed.
            told = {"metadata": {"resourceVersion": seen.resource_version}, "status": patch}
            self.kube.merge(API_VERSION, KIND, seen.namespace, seen.name, told, status=True)

    def _act(self, seen: Observation, action: Action) -> None:
        level = logging.DEBUG if isinstance(action, DeleteRun) and _goes(seen, action.run) else logging.INFO
        log.log(level, "%s/%s: %s", seen.namespace, seen.name, type(action).__name__)
        match action:
            case AddFinalizer():
                self._finalizers(seen, add=True)
            case RemoveFinalizer():
                self._finalizers(seen, add=False)
            case CreateRevision(revision):
                self.kube.create(_revision_manifest(seen, revision))
            case UpdateRevision(name, status):
                patch = {"status": dump_status(status)}
                self.kube.merge(API_VERSION, REVISION_KIND, seen.namespace, name, patch, status=True)
            case DeleteRevision(name):
                self.kube.delete(API_VERSION, REVISION_KIND, seen.namespace, name)
            case StartBuild(revision_name):
                self._start_build(seen, revision_name)
            case DeleteBuild(revision_name):
                self.kube.delete("batch/v1", "Job", seen.namespace, build_name(revision_name))
                self.kube.delete("v1", "ConfigMap", seen.namespace, build_name(revision_name))
            case ApplyRun(run):
                # Created, never changed: another release of the operator leaves running pods as they are.
                for manifest in render_run(replace(run, pods=self.pods.over(run.pods))):
                    self.kube.create(manifest)
            case LetGo(run, savepoint, drop_state):
                self._let_go(run, savepoint, drop_state)
            case StopWithSavepoint(run_name, job_id, trigger, folder, drain):
                with self.open_flink(run_name, seen.namespace) as flink:
                    flink.stop(job_id, folder, trigger, drain=drain)
            case TakeSavepoint(run_name, job_id, trigger, folder):
                with self.open_flink(run_name, seen.namespace) as flink:
                    flink.savepoint(job_id, folder, trigger)
            case RemoveAnnotation(annotation):
                gone = {"metadata": {"annotations": {annotation: None}}}
                self.kube.merge(API_VERSION, KIND, seen.namespace, seen.name, gone)
            case Rescale(run, job_id, parallelism):
                self._rescale(seen, run, job_id, parallelism)
            case DeleteRun(run_name):
                self._delete_run(seen, run_name)
            case _:
                assert_never(action)

    def _finalizers(self, seen: Observation, *, add: bool) -> None:
        found = self.kube.get(API_VERSION, KIND, seen.namespace, seen.name)
        if found is None:
            return
        held = list(found["metadata"].get("finalizers") or ())
        wanted = [*held, FINALIZER] if add else [one for one in held if one != FINALIZER]
        if (FINALIZER in held) is not add:
            # The version: kopf has a finalizer there as well, and a list is replaced as a whole.
            metadata = {"finalizers": wanted, "resourceVersion": found["metadata"]["resourceVersion"]}
            self.kube.merge(API_VERSION, KIND, seen.namespace, seen.name, {"metadata": metadata})

    def _start_build(self, seen: Observation, revision_name: str) -> None:
        revision = seen.revision(revision_name)
        if revision is None:
            return
        with self._building:
            if self.observer.free_builders() < 1:
                raise BuildersBusy("As many builds run as the installation allows.")
            for manifest in render_build(revision, seen.name, seen.uid, self.builds):
                self.kube.create(manifest)

    def _delete_run(self, seen: Observation, run_name: str) -> None:
        for api_version, kind, name in run_object_names(run_name):
            self.kube.delete(api_version, kind, seen.namespace, name)
        run = seen.run(run_name)
        if run is not None and run.job_manager is JobManagerState.ABSENT and not run.pods:
            # Last of all: as long as a pod lives, Flink would make them again.
            for own in self.kube.list("v1", "ConfigMap", seen.namespace, {"app": run_name, **FLINKS_OWN}):
                self.kube.delete("v1", "ConfigMap", seen.namespace, own["metadata"]["name"])

    def _let_go(self, run: RunSpec, savepoint: str, drop_state: bool) -> None:
        # Created, never changed: a run that was let go once keeps the savepoint that it was given.
        self.kube.create(render_go(run, savepoint, drop_state=drop_state))

    def _rescale(self, seen: Observation, run: RunSpec, job_id: str, parallelism: int) -> None:
        replicas = {"spec": {"replicas": task_manager_count(run.flink)}}
        self.kube.merge("apps/v1", "Deployment", seen.namespace, f"{run.name}-tm", replicas)
        with self.open_flink(run.name, seen.namespace) as flink:
            flink.rescale(job_id, parallelism)

    def _tell(self, seen: Observation, event: Event) -> None:
        moment = self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        unique = hashlib.sha256(f"{seen.uid}{event.reason}{event.message}{moment}".encode()).hexdigest()[:10]
        self.kube.create(
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": f"{seen.name}.{unique}", "namespace": seen.namespace},
                "eventTime": moment,
                "reportingController": "headgate.dev/operator",
                "reportingInstance": "headgate-operator",
                "action": event.reason,
                "reason": event.reason,
                "type": event.type.value,
                "note": event.message[:1024],
                "regarding": {
                    "apiVersion": API_VERSION, "kind": KIND, "name": seen.name, "namespace": seen.namespace, "uid": seen.uid
                },
            }
        )  # fmt: skip


def _goes(seen: Observation, run_name: str) -> bool:
    """Whether a run was asked to go before: it is asked again and again until it is gone."""
    run = seen.run(run_name)
    return run is not None and run.job_manager is JobManagerState.ABSENT


def _revision_manifest(seen: Observation, revision: ModelRevision) -> Manifest:
    manifest: Manifest = revision.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
    manifest["metadata"] = {
        "name": revision.metadata.name,
        "namespace": seen.namespace,
        "labels": {DEPLOYMENT_LABEL: seen.name},
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": seen.name,
                "uid": seen.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    return manifest


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes ``after`` of ``before``: what went away is named with None, at every depth."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := changes(old, value):
                patch[key] = inner
        elif key not in before or old != value:
            patch[key] = value
    return patch
