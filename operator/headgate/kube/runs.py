"""Reads one run: its Kubernetes objects, and Flink where it answers. Never acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from headgate.flink.errors import FlinkRefused, FlinkUnreachable
from headgate.flink.rest import FlinkRest, Job, JobState
from headgate.planning.manifests import COMPONENT_LABEL, REVISION_LABEL, RUN_LABEL
from headgate.planning.observation import FlinkState, JobManagerState, ObservedRun, ObservedSavepoint, RuntimeReport

Manifest = dict[str, Any]
OpenFlink = Callable[[str, str], FlinkRest]
"""Opens the REST API of a run by name and namespace."""

_STATES = {
    JobState.INITIALIZING: FlinkState.STARTING, JobState.CREATED: FlinkState.STARTING, JobState.RUNNING: FlinkState.STARTING,
    JobState.RECONCILING: FlinkState.STARTING, JobState.RESTARTING: FlinkState.RESTARTING, JobState.FAILING: FlinkState.RESTARTING,
    JobState.SUSPENDED: FlinkState.RESTARTING, JobState.FAILED: FlinkState.FAILED, JobState.CANCELED: FlinkState.ENDED,
    JobState.CANCELLING: FlinkState.ENDED, JobState.FINISHED: FlinkState.ENDED,
}  # fmt: skip

_STUCK = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}


class RunObjects:
    """The objects of all runs of one ModelDeployment, by run."""

    def __init__(
        self,
        jobs: tuple[Manifest, ...],
        deployments: tuple[Manifest, ...],
        config_maps: tuple[Manifest, ...],
        pods: tuple[Manifest, ...],
    ) -> None:
        self.jobs, self.deployments, self.config_maps, self.pods = jobs, deployments, config_maps, pods

    def names(self) -> tuple[str, ...]:
        """Every run that has at least one object."""
        found = {label(o, RUN_LABEL) for o in (*self.jobs, *self.deployments, *self.config_maps)}
        return tuple(sorted(name for name in found if name))

    def of(self, run: str) -> RunObjects:
        """Those of one run."""
        kept = (
            tuple(o for o in group if label(o, RUN_LABEL) == run)
            for group in (self.jobs, self.deployments, self.config_maps, self.pods)
        )
        return RunObjects(*kept)


def label(obj: Manifest, key: str) -> str:
    """A label's value; empty where there is none."""
    return str((obj["metadata"].get("labels") or {}).get(key, ""))


def observe_run(name: str, objects: RunObjects, namespace: str, open_flink: OpenFlink, trigger: str) -> ObservedRun:
    """One run as it stands; ``trigger`` is the savepoint that the status says was asked of it (empty: none)."""
    mine = objects.of(name)
    data = {m["metadata"]["name"]: m.get("data") or {} for m in mine.config_maps}
    manager = _job_manager(mine.jobs)
    deployment = mine.deployments[0] if mine.deployments else {}
    wanted = int(((deployment.get("spec") or {}).get("replicas")) or 0)
    ready = int(((deployment.get("status") or {}).get("readyReplicas")) or 0)
    everything = (*mine.jobs, *mine.deployments, *mine.config_maps)
    run = ObservedRun(
        name=name,
        revision=next((r for r in (label(o, REVISION_LABEL) for o in everything) if r), ""),
        job_manager=manager,
        pods_ready=ready,
        pods_wanted=wanted,
        pod_problem=pod_problem(mine.pods),
        report=_report(data.get(f"{name}-status", {})),
        go=data[f"{name}-go"].get("savepoint", "") if f"{name}-go" in data else None,
        flink=FlinkState.ENDED if manager is JobManagerState.ENDED else FlinkState.UNKNOWN,
    )
    if manager is not JobManagerState.ACTIVE or not _has_address(mine.pods):
        return run
    try:
        with open_flink(name, namespace) as flink:
            return _with_flink(run, flink, trigger)
    except (FlinkUnreachable, FlinkRefused):
        return run


def _with_flink(run: ObservedRun, flink: FlinkRest, trigger: str) -> ObservedRun:
    job = flink.job()
    if job is None:
        return replace(run, flink=FlinkState.NONE)
    checkpoints = flink.checkpoints(job.id)
    vertices = flink.vertices(job.id)
    request = flink.savepoint_request(job.id, trigger) if trigger else None
    savepoint = None
    if trigger:
        savepoint = (
            ObservedSavepoint(found=False)
            if request is None
            else ObservedSavepoint(found=True, done=request.done, path=request.path, failure=request.failure)
        )
    return replace(
        run,
        flink=_state(job),
        job_id=job.id,
        restarts=flink.restarts(job.id) if job.state in {JobState.RUNNING, JobState.RESTARTING} else 0,
        failure=flink.failure(job.id),
        checkpoints=checkpoints.completed,
        failed_checkpoints=checkpoints.failed,
        newest_checkpoint=checkpoints.newest,
        parallelism=max((v.parallelism for v in vertices), default=0),
        savepoint=savepoint,
    )


def _state(job: Job) -> FlinkState:
    return FlinkState.RUNNING if job.scores else _STATES[job.state]


def _job_manager(jobs: tuple[Manifest, ...]) -> JobManagerState:
    if not jobs:
        return JobManagerState.ABSENT
    conditions = (jobs[0].get("status") or {}).get("conditions") or []
    held = {c["type"] for c in conditions if c["status"] == "True"}
    if held & {"Complete", "SuccessCriteriaMet"}:
        return JobManagerState.ENDED
    return JobManagerState.FAILED if "Failed" in held else JobManagerState.ACTIVE


def _has_address(pods: tuple[Manifest, ...]) -> bool:
    return any(
        label(p, COMPONENT_LABEL) == "jobmanager" and (p.get("status") or {}).get("phase") == "Running" for p in pods
    )


def pod_problem(pods: tuple[Manifest, ...]) -> str:
    """Why a pod cannot start, in its node's or the scheduler's words; empty where nothing is wrong."""
    for pod in pods:
        status = pod.get("status") or {}
        for container in status.get("containerStatuses") or []:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _STUCK:
                return f"{waiting['reason']}: {waiting.get('message', '')}".strip(": ")
        for condition in status.get("conditions") or []:
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f"{condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
    return ""


def _report(data: dict[str, str]) -> RuntimeReport:
    try:
        operators = tuple((str(o["id"]), str(o["name"])) for o in json.loads(data.get("operators", "[]")))
    except (ValueError, KeyError, TypeError):
        operators = ()
    return RuntimeReport(
        stage=data.get("stage", ""),
        done=data.get("stageStatus") == "done",
        reason=data.get("reason", ""),
        message=data.get("message", ""),
        operators=operators,
    )
