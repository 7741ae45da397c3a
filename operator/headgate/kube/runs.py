"""Reads one run: its Kubernetes objects, and Flink where it answers. Never acts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from headgate.flink.errors import FlinkRefused, FlinkUnreachable
from headgate.flink.rest import FlinkRest, Job, JobState
from headgate.kube.objects import (
    RunObjects,
    at_work,
    gave_up,
    has_address,
    job_manager_restarts,
    job_manager_state,
    label,
    pod_problem,
)
from headgate.planning.observation import (
    FlinkState,
    JobManagerState,
    ObservedRun,
    ObservedSavepoint,
    RuntimeReport,
    Signature,
)
from headgate.planning.runspec import REVISION_LABEL

OpenFlink = Callable[[str, str], FlinkRest]
"""Opens the REST API of a run by name and namespace."""

_STATES = {
    JobState.INITIALIZING: FlinkState.STARTING, JobState.CREATED: FlinkState.STARTING, JobState.RUNNING: FlinkState.STARTING,
    JobState.RECONCILING: FlinkState.STARTING, JobState.RESTARTING: FlinkState.RESTARTING, JobState.FAILING: FlinkState.RESTARTING,
    JobState.SUSPENDED: FlinkState.RESTARTING, JobState.FAILED: FlinkState.FAILED, JobState.CANCELED: FlinkState.ENDED,
    JobState.CANCELLING: FlinkState.ENDED, JobState.FINISHED: FlinkState.ENDED,
}  # fmt: skip

_SIDES = ("inputs", "outputs")
_EARLY = 10
"""Checkpoints after which nobody asks any more since when every task runs."""


def observe_run(name: str, objects: RunObjects, namespace: str, open_flink: OpenFlink, trigger: str) -> ObservedRun:
    """One run as it stands; ``objects``: of all runs. ``trigger``: the savepoint that the status says was asked of it, if any."""
    mine = objects.of(name)
    manager = job_manager_state(mine.jobs)
    deployment = mine.deployments[0] if mine.deployments else {}
    everything = (*mine.jobs, *mine.deployments, *mine.config_maps, *mine.pods)
    go = mine.data(f"{name}-go")
    run = ObservedRun(
        name=name,
        revision=next((r for r in (label(o, REVISION_LABEL) for o in everything) if r), ""),
        job_manager=manager,
        job_manager_restarts=job_manager_restarts(mine),
        intact=mine.intact(name),
        pods=at_work(mine.pods),
        pods_ready=int((deployment.get("status") or {}).get("readyReplicas") or 0),
        pods_wanted=int((deployment.get("spec") or {}).get("replicas") or 0),
        pod_problem=pod_problem(mine.pods, mine.deployments),
        report=_report(mine.data(f"{name}-status") or {}),
        go=None if go is None else go.get("savepoint", ""),
        flink=FlinkState.ENDED if manager is JobManagerState.ENDED else FlinkState.UNKNOWN,
    )
    if manager is not JobManagerState.ACTIVE:
        return run
    if has_address(mine.pods):
        try:
            with open_flink(name, namespace) as flink:
                run = _with_flink(run, flink, trigger)
        except (FlinkUnreachable, FlinkRefused):
            pass
    if run.go is not None and run.flink in {FlinkState.UNKNOWN, FlinkState.NONE} and gave_up(mine.pods):
        # main() may be on its way again; its job came to an end that Flink does not take back.
        return replace(run, flink=FlinkState.FAILED)
    return run


def _with_flink(run: ObservedRun, flink: FlinkRest, trigger: str) -> ObservedRun:
    found = flink.job()
    if found is None:
        return replace(run, flink=FlinkState.NONE)
    # The savepoint first and the job's state after it: a stop that is complete is then never seen with a job that runs.
    savepoint = _savepoint(flink, found.id, trigger) if trigger else None
    job = flink.job() or found if savepoint is not None else found
    checkpoints = flink.checkpoints(job.id)
    runs = job.state in {JobState.RUNNING, JobState.RESTARTING}
    vertices = flink.vertices(job.id)
    early = job.scores and checkpoints.completed <= _EARLY
    since = flink.running_since(job.id, vertices) if early else None
    # Those that Flink asked for before every task ran failed for that alone.
    failures = [why for when, why in checkpoints.failures if since is not None and when >= since]
    steady = [when for when in checkpoints.completions if since is not None and when >= since]
    # A snapshot of its own that it was restored from was completed by it, before its JobManager came to an end.
    own = f"/{run.name}/checkpoints/" in checkpoints.restored
    return replace(
        run,
        flink=_state(job),
        job_id=job.id,
        running_since=since,
        restarts=flink.restarts(job.id) if runs else 0,
        failure=flink.failure(job.id) or next(iter(failures), ""),
        checkpoints=checkpoints.completed + int(own),
        steady_checkpoints=checkpoints.completed if job.scores and not early else len(steady),
        failed_checkpoints=len(failures),
        newest_checkpoint=checkpoints.newest or (checkpoints.restored if own else ""),
        parallelism=max((v.parallelism for v in vertices), default=0),
        wanted_parallelism=flink.wanted_parallelism(job.id) if job.state is JobState.RUNNING else 0,
        records_per_second=flink.scored_per_second(job.id, vertices) if job.scores else None,
        pending_records=flink.pending_records(job.id, vertices) if job.scores else None,
        savepoint=savepoint,
    )


def _savepoint(flink: FlinkRest, job_id: str, trigger: str) -> ObservedSavepoint:
    request = flink.savepoint_request(job_id, trigger)
    if request is None:
        return ObservedSavepoint(found=False)
    return ObservedSavepoint(found=True, done=request.done, path=request.path, failure=request.failure)


def _state(job: Job) -> FlinkState:
    return FlinkState.RUNNING if job.scores else _STATES[job.state]


def _report(data: Mapping[str, str]) -> RuntimeReport:
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
        bounded=data.get("bounded") == "true",
        signature=_signature(data.get("signature", "")),
    )


def _signature(text: str) -> Signature | None:
    try:
        raw = json.loads(text or "null")
        return None if raw is None else Signature(*(tuple((str(n), str(t)) for n, t in raw[k].items()) for k in _SIDES))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
