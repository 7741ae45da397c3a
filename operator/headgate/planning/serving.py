"""Looks after what serves: notices what it does, scales it, brings it back, suspends and resumes it. Pure."""

from __future__ import annotations

from headgate.api.status import HandOverPurpose, Phase, RunStatus, ScaleStatus
from headgate.planning.actions import Rescale
from headgate.planning.draft import Draft
from headgate.planning.handover import begin_start, begin_stop, known_state, rest_url
from headgate.planning.manifests import COMPONENT_LABEL, RUN_LABEL
from headgate.planning.observation import FlinkState, JobManagerState, ObservedRun


def maintain_serving(draft: Draft) -> None:
    """Note what the serving run does, and what it needs."""
    status = draft.status
    if status.serving is None:
        return
    wanted = draft.seen.spec is not None and draft.seen.spec.suspend
    if status.run is None:
        if wanted:
            draft.set(phase=Phase.SUSPENDED)
        else:
            _bring_back(draft, HandOverPurpose.RESUME)
        return
    run = draft.seen.run(status.run.name)
    if run is None or run.job_manager in {JobManagerState.ABSENT, JobManagerState.FAILED, JobManagerState.ENDED}:
        _lost(draft, run)
        return
    _note(draft, run)
    if wanted and run.flink is FlinkState.RUNNING:
        begin_stop(draft, HandOverPurpose.SUSPEND, run)
    elif run.flink is FlinkState.RUNNING:
        _scale(draft, run)


def _note(draft: Draft, run: ObservedRun) -> None:
    changed = RunStatus(
        name=run.name, job_id=run.job_id, rest_url=rest_url(run.name, draft.seen.namespace), state=run.flink.value
    )
    selector = f"{RUN_LABEL}={run.name},{COMPONENT_LABEL}=taskmanager"
    draft.set(
        run=changed if run.job_id else draft.status.run,
        checkpoint=run.newest_checkpoint or draft.status.checkpoint,
        scale=ScaleStatus(replicas=run.parallelism, selector=selector),
    )
    if run.flink is FlinkState.RUNNING:
        draft.set(phase=Phase.SERVING)
    else:
        draft.wait("the serving job to run")
        if run.failure:
            before = draft.status.last_failure
            if before is None or before.message != run.failure:
                draft.failed("run", "JobRestarting", run.failure, run.revision)


def _scale(draft: Draft, run: ObservedRun) -> None:
    spec = draft.seen.spec
    revision = draft.seen.revision(run.revision)
    if spec is None or revision is None or run.parallelism in {0, spec.flink.parallelism}:
        return
    draft.act(Rescale(draft.run_spec(run.name, revision), run.job_id, spec.flink.parallelism))
    draft.tell("Scaling", f"Parallelism {run.parallelism} becomes {spec.flink.parallelism}.")
    draft.wait("the new parallelism")


def _lost(draft: Draft, run: ObservedRun | None) -> None:
    name = draft.status.run.name if draft.status.run is not None else ""
    if run is not None and run.job_manager is JobManagerState.ENDED and run.flink is not FlinkState.FAILED:
        # A bounded stream came to its end, or somebody stopped the job: there is nothing to bring back.
        draft.set(phase=Phase.SUSPENDED)
        draft.waiting_for = f"run {name} ended by itself"
        return
    draft.failed("run", "RunLost", f"Run {name} is gone; it is brought back from the newest state that is known.")
    _bring_back(draft, HandOverPurpose.RESTORE)


def _bring_back(draft: Draft, purpose: HandOverPurpose) -> None:
    serving = draft.status.serving
    revision = draft.seen.revision(serving.revision) if serving is not None else None
    state = known_state(draft)
    if revision is None or not state:
        draft.failed(
            "run",
            "StateUnknown",
            "The stream had state, and no savepoint or checkpoint of it is known; it does not start from nothing by itself. "
            "Name one in the annotation headgate.dev/restore-from.",
        )
        state = dict(draft.seen.annotations).get("headgate.dev/restore-from", "")
        if revision is None or not state:
            draft.wait("a savepoint's path")
            return
    begin_start(draft, purpose, draft.new_run(), revision, state)
