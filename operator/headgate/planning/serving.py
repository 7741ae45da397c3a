"""Looks after what serves: notices what it does, scales it, brings it back, suspends and resumes it. Pure."""

from __future__ import annotations

from headgate.api.revision import ModelRevision
from headgate.api.status import HandOverPurpose, RunStatus, ScaleStatus, ServingStatus
from headgate.planning.actions import ApplyRun, RemoveAnnotation, Rescale
from headgate.planning.draft import Draft
from headgate.planning.observation import FlinkState, JobManagerState, ObservedRun
from headgate.planning.outcome import finish, is_over, known_state, remember, run_status
from headgate.planning.reasons import Reason
from headgate.planning.runspec import COMPONENT_LABEL, RUN_LABEL
from headgate.planning.savepoints import advance_savepoint
from headgate.planning.starting import RESTORE_FROM, begin_start
from headgate.planning.stopping import BACK_OFF, begin_stop, cannot_stop, savepoint_failed
from headgate.planning.takeover import state_unknown


def maintain_serving(draft: Draft) -> None:
    """Note what the serving run does, and what it needs."""
    if draft.status.serving is None:
        _adopt(draft)
    status = draft.status
    if status.serving is None:
        return
    if status.run is None:
        if not draft.suspended:
            _bring_back(draft, status.serving, HandOverPurpose.RESUME)
        return
    run = draft.seen.run(status.run.name)
    if is_over(status.run):
        _over(draft, status.serving)
    elif (
        run is None
        or run.flink is FlinkState.FAILED
        or run.job_manager in {JobManagerState.ABSENT, JobManagerState.FAILED}
    ):
        _lost(draft, status.serving, status.run, run)
    elif run.job_manager is JobManagerState.ENDED or run.flink is FlinkState.ENDED:
        finish(draft, run)
    else:
        _look_after(draft, run, status.run)


def _adopt(draft: Draft) -> None:
    """The status was lost, and a run still emits: it is what serves."""
    emitting = [r for r in draft.seen.runs if r.may_emit and draft.seen.revision(r.revision) is not None]
    if draft.seen.status.last_run > 0 or len(emitting) != 1:
        return
    run = emitting[0]
    revision = draft.seen.revision(run.revision)
    said = revision.status if revision is not None else None
    serving = ServingStatus(
        revision=run.revision,
        version=said.version if said is not None else "",
        model_digest=said.model_digest if said is not None else "",
        image=said.image if said is not None else "",
        since=said.served_at if said is not None else None,
    )
    draft.set(serving=serving, run=run_status(draft, run), checkpoint=run.newest_checkpoint)
    draft.tell(Reason.ADOPTED, f"Run {run.name} emits records and the status did not know it; it is what serves.")


def _look_after(draft: Draft, run: ObservedRun, before: RunStatus) -> None:
    _note(draft, run, before)
    revision = draft.seen.revision(run.revision)
    if not run.intact and revision is not None:
        draft.act(ApplyRun(draft.run_spec(run.name, revision)))
        draft.wait("the run's objects")
    if draft.suspended:
        _suspend(draft, run)
    elif run.flink is FlinkState.RUNNING:
        if draft.annotation(RESTORE_FROM):
            draft.act(RemoveAnnotation(RESTORE_FROM))
        _scale(draft, run, revision)
        advance_savepoint(draft, run)


def _note(draft: Draft, run: ObservedRun, before: RunStatus) -> None:
    runs = run.flink is FlinkState.RUNNING
    since = before.unstable_since
    if not runs:
        since = since or draft.now
    elif run.newest_checkpoint and run.newest_checkpoint != draft.status.checkpoint:
        since = None
    now = run_status(draft, run).model_copy(update={"unstable_since": since, "job_id": run.job_id or before.job_id})
    draft.set(
        run=now,
        checkpoint=run.newest_checkpoint or draft.status.checkpoint,
        scale=ScaleStatus(
            replicas=run.parallelism or (draft.status.scale.replicas if draft.status.scale is not None else 0),
            selector=f"{RUN_LABEL}={run.name},{COMPONENT_LABEL}=taskmanager",
        ),
        records_per_second=round(run.records_per_second, 1) if runs and run.records_per_second is not None else None,
        pending_records=run.pending_records if runs else None,
    )
    if not runs:
        draft.wait("the serving job to run")
        if run.failure:
            draft.failed("run", Reason.JOB_RESTARTING, run.failure, run.revision)
    else:
        draft.succeeded("run", "start", revision=run.revision)
    if now.restarts > before.restarts and (runs or not run.failure):
        why = run.failure or "its JobManager was started again"
        draft.tell(Reason.JOB_RESTARTING, f"Run {run.name} was restarted: {why}", warning=True)


def _suspend(draft: Draft, run: ObservedRun) -> None:
    if cannot_stop(draft, run):
        _leave(draft, run.name)
    elif run.flink is FlinkState.RUNNING and not savepoint_failed(draft, within=BACK_OFF):
        begin_stop(draft, HandOverPurpose.SUSPEND, run)
    else:
        draft.wait("the serving job to run, so that it can be stopped")


def _leave(draft: Draft, run: str) -> None:
    """Nothing runs that could be stopped: the stream stands where its newest checkpoint is."""
    remember(draft, known_state(draft))
    draft.take_away(run)
    draft.tell(Reason.SUSPENDED, "The stream stands still until spec.suspend is taken back.")


def _scale(draft: Draft, run: ObservedRun, revision: ModelRevision | None) -> None:
    spec = draft.seen.spec
    if spec is None or revision is None or run.wanted_parallelism in {0, spec.flink.parallelism}:
        return
    draft.act(Rescale(draft.run_spec(run.name, revision), run.job_id, spec.flink.parallelism))
    draft.tell(Reason.SCALING, f"Parallelism {run.wanted_parallelism} becomes {spec.flink.parallelism}.")
    draft.wait("the new parallelism")


def _over(draft: Draft, serving: ServingStatus) -> None:
    """The job came to its end; only a person's word where to start from, or another revision, starts it again."""
    revision, place = draft.seen.revision(serving.revision), draft.annotation(RESTORE_FROM)
    if revision is not None and place and not draft.suspended:
        begin_start(draft, HandOverPurpose.RESTORE, draft.new_run(), revision, place)
        draft.act(RemoveAnnotation(RESTORE_FROM))


def _lost(draft: Draft, serving: ServingStatus, before: RunStatus, run: ObservedRun | None) -> None:
    if draft.suspended:
        _leave(draft, before.name)
        return
    detail = f" ({run.failure or run.pod_problem})" if run is not None and (run.failure or run.pod_problem) else ""
    message = f"Run {before.name} is gone{detail}; the stream is brought back from its newest checkpoint."
    draft.failed("run", Reason.RUN_LOST, message, serving.revision)
    _bring_back(draft, serving, HandOverPurpose.RESTORE)


def _bring_back(draft: Draft, serving: ServingStatus, purpose: HandOverPurpose) -> None:
    revision, place = draft.seen.revision(serving.revision), known_state(draft)
    if revision is None:
        remember(draft, place)
        message = (
            f"Revision {serving.revision} is gone: nothing can be started of it. Change the spec, or apply it again."
        )
        draft.failed("start", Reason.REVISION_MISSING, message, serving.revision)
        draft.wait("another revision")
        return
    if not place:
        place = draft.annotation(RESTORE_FROM)
        if not place:
            draft.stall("start", Reason.STATE_UNKNOWN, state_unknown(), serving.revision)
            return
        draft.act(RemoveAnnotation(RESTORE_FROM))
    begin_start(draft, purpose, draft.new_run(), revision, place)
