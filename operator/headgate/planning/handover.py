"""Stops a stream with a savepoint and starts one from it; every step is in the status before it is done. Pure.

Two rules hold whatever happens: two runs never emit at once, for a run is let go only after the one before it has stopped;
and a stream that had state never starts from nothing. A candidate is promoted when its first checkpoint is complete: until
then an exactly-once sink has shown nothing of it, so that going back to the savepoint repeats nothing.
"""

from __future__ import annotations

from headgate.api.resources import DeletionPolicy
from headgate.api.revision import ModelRevision, RevisionPhase
from headgate.api.status import (
    HandOverPurpose,
    HandOverStage,
    HandOverStatus,
    Phase,
    RunStatus,
    SavepointStatus,
    ServingStatus,
)
from headgate.planning.actions import ApplyRun, DeleteRun, LetGo, StopWithSavepoint
from headgate.planning.draft import WATCHING, Draft
from headgate.planning.observation import FlinkState, JobManagerState, ObservedRun

_RESTARTS = 3
"""A job that restarted so often before its first checkpoint is not going to be healthy."""


def known_state(draft: Draft) -> str:
    """The newest state of the stream that is known: a checkpoint seen since the last savepoint, or that savepoint."""
    if draft.status.checkpoint:
        return draft.status.checkpoint
    return draft.status.savepoint.path if draft.status.savepoint is not None else ""


def begin_stop(
    draft: Draft, purpose: HandOverPurpose, run: ObservedRun, *, to_run: str = "", to_revision: str = ""
) -> None:
    """Write down that ``run`` is to stop with a savepoint, and ask for it."""
    hand_over = HandOverStatus(
        purpose=purpose,
        stage=HandOverStage.STOPPING,
        from_run=run.name,
        to_run=to_run,
        to_revision=to_revision,
        job_id=run.job_id,
        trigger=draft.trigger(run.name, run.job_id, purpose.value),
        since=draft.now,
    )
    draft.set(hand_over=hand_over)
    _ask(draft, hand_over)


def begin_start(draft: Draft, purpose: HandOverPurpose, run: str, revision: ModelRevision, savepoint: str) -> None:
    """Write down that ``run`` is to start from ``savepoint``, make it, and let it go."""
    hand_over = HandOverStatus(
        purpose=purpose,
        stage=HandOverStage.STARTING,
        to_run=run,
        to_revision=revision.metadata.name,
        savepoint=savepoint,
        since=draft.now,
    )
    draft.set(hand_over=hand_over)
    _let_go(draft, hand_over, revision)


def advance_hand_over(draft: Draft) -> None:
    """One step of the hand-over that is under way."""
    hand_over = draft.status.hand_over
    if hand_over is None:
        return
    if hand_over.stage is HandOverStage.STOPPING:
        _stopping(draft, hand_over)
    else:
        _starting(draft, hand_over)


def _ask(draft: Draft, hand_over: HandOverStatus) -> None:
    drain = hand_over.purpose is HandOverPurpose.DELETE and _policy(draft) is DeletionPolicy.DRAIN
    folder = f"{_storage(draft, hand_over)}/savepoints/{hand_over.trigger}"
    draft.act(StopWithSavepoint(hand_over.from_run, hand_over.job_id, hand_over.trigger, folder, drain))
    draft.set(phase=Phase.DELETING if hand_over.purpose is HandOverPurpose.DELETE else Phase.HANDING_OVER)
    draft.wait("the savepoint", WATCHING)


def _policy(draft: Draft) -> DeletionPolicy:
    return draft.seen.spec.deletion_policy if draft.seen.spec is not None else DeletionPolicy.SAVEPOINT


def _storage(draft: Draft, hand_over: HandOverStatus) -> str:
    """The storage of the revision that stops; its pods are the ones that write the savepoint."""
    run = draft.seen.run(hand_over.from_run)
    revision = draft.seen.revision(run.revision) if run is not None else None
    flink = (
        revision.spec.template.flink
        if revision is not None
        else (draft.seen.spec.flink if draft.seen.spec is not None else None)
    )
    return flink.storage.uri.rstrip("/") if flink is not None else ""


def _stopping(draft: Draft, hand_over: HandOverStatus) -> None:
    run = draft.seen.run(hand_over.from_run)
    savepoint = run.savepoint if run is not None else None
    if savepoint is not None and savepoint.done and savepoint.path:
        _stopped(draft, hand_over, savepoint.path)
    elif savepoint is not None and savepoint.done:
        _not_stopped(draft, hand_over, savepoint.failure)
    elif run is not None and run.job_manager is JobManagerState.ACTIVE and run.flink is not FlinkState.ENDED:
        _ask(draft, hand_over)
    else:
        draft.failed(
            "handOver",
            "SavepointUnknown",
            f"Run {hand_over.from_run} ended before it could say where its savepoint lies. It is below "
            f"{_storage(draft, hand_over)}/savepoints/{hand_over.trigger}: name it in the annotation headgate.dev/restore-from. "
            "Nothing starts before, so that no record is scored twice.",
        )
        path = dict(draft.seen.annotations).get("headgate.dev/restore-from", "")
        if path:
            _stopped(draft, hand_over, path)
        else:
            draft.wait("a savepoint's path")


def _stopped(draft: Draft, hand_over: HandOverStatus, path: str) -> None:
    serving = draft.status.serving
    savepoint = SavepointStatus(path=path, time=draft.now, revision=serving.revision if serving is not None else "")
    draft.set(savepoint=savepoint, checkpoint="")
    draft.tell("SavepointCompleted", f"Run {hand_over.from_run} stopped with savepoint {path}.")
    if hand_over.purpose in {HandOverPurpose.SUSPEND, HandOverPurpose.DELETE}:
        draft.act(DeleteRun(hand_over.from_run))
        draft.set(hand_over=None, run=None)
        if hand_over.purpose is HandOverPurpose.SUSPEND:
            draft.set(phase=Phase.SUSPENDED)
        return
    revision = draft.seen.revision(hand_over.to_revision)
    started = hand_over.model_copy(update={"stage": HandOverStage.STARTING, "savepoint": path, "since": draft.now})
    draft.set(hand_over=started)
    if revision is not None:
        _let_go(draft, started, revision)


def _not_stopped(draft: Draft, hand_over: HandOverStatus, failure: str) -> None:
    """Flink could not make the savepoint; the job goes on as it was, and so does what serves."""
    from headgate.planning.candidate import fail_candidate

    draft.set(hand_over=None)
    message = f"Run {hand_over.from_run} could not make a savepoint and goes on: {failure}"
    revision = draft.seen.revision(hand_over.to_revision)
    if hand_over.purpose is HandOverPurpose.UPGRADE and revision is not None:
        fail_candidate(draft, revision, "handOver", "SavepointFailed", message)
    else:
        draft.failed("handOver", "SavepointFailed", message)
    draft.wait("another try")


def _let_go(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision) -> None:
    run = draft.run_spec(hand_over.to_run, revision)
    draft.act(ApplyRun(run), LetGo(run, hand_over.savepoint))
    draft.set(phase=_starting_phase(draft, hand_over))
    draft.wait("the first checkpoint", WATCHING)


def _starting_phase(draft: Draft, hand_over: HandOverStatus) -> Phase:
    if hand_over.purpose is HandOverPurpose.ROLLBACK:
        return Phase.ROLLING_BACK
    return Phase.STARTING if draft.status.serving is None else Phase.HANDING_OVER


def _starting(draft: Draft, hand_over: HandOverStatus) -> None:
    revision = draft.seen.revision(hand_over.to_revision)
    if revision is None:
        draft.failed("handOver", "RevisionMissing", f"Revision {hand_over.to_revision} is gone; apply it again.")
        draft.wait("the revision")
        return
    run = draft.seen.run(hand_over.to_run)
    if run is not None and run.flink is FlinkState.RUNNING and (run.checkpoints or 0) > 0:
        _promote(draft, hand_over, revision, run)
        return
    problem = _unhealthy(draft, hand_over, run)
    if problem is None:
        _let_go(draft, hand_over, revision)
    elif hand_over.purpose is HandOverPurpose.UPGRADE:
        _roll_back(draft, hand_over, revision, problem)
    else:
        # What serves is all there is: go on trying, and say so.
        draft.failed("handOver", problem[0], problem[1], revision.metadata.name)
        _let_go(draft, hand_over, revision)


def _unhealthy(draft: Draft, hand_over: HandOverStatus, run: ObservedRun | None) -> tuple[str, str] | None:
    """Reason and message of why the started run is given up; None while it may still become healthy."""
    if run is not None:
        if run.report.reason:
            return run.report.reason, run.report.message
        if run.flink is FlinkState.FAILED or run.job_manager is JobManagerState.FAILED:
            return "JobFailed", run.failure or "The job failed."
        if run.flink is FlinkState.ENDED or run.job_manager is JobManagerState.ENDED:
            return "JobEnded", "The job ended before its first checkpoint."
        if run.restarts >= _RESTARTS:
            return (
                "RestartingInLoop",
                f"The job restarted {run.restarts} times before its first checkpoint: {run.failure}",
            )
        if run.failed_checkpoints >= _RESTARTS:
            return (
                "CheckpointsFailing",
                f"{run.failed_checkpoints} checkpoints failed and none was complete: {run.failure}",
            )
    deadline = draft.seen.spec.rollout.progress_deadline if draft.seen.spec is not None else "10m"
    if draft.older_than(hand_over.since, deadline):
        return "ProgressDeadlineExceeded", f"No checkpoint was complete within {deadline}."
    return None


def _promote(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision, run: ObservedRun) -> None:
    old, status = draft.status.serving, revision.status
    since = old.since if old is not None and old.revision == revision.metadata.name else draft.now
    draft.set(
        serving=ServingStatus(
            revision=revision.metadata.name,
            version=status.version,
            model_digest=status.model_digest,
            image=status.image,
            since=since,
        ),
        run=RunStatus(
            name=run.name, job_id=run.job_id, rest_url=rest_url(run.name, draft.seen.namespace), state=run.flink.value
        ),
        checkpoint=run.newest_checkpoint,
        hand_over=None,
        candidate=None,
        phase=Phase.SERVING,
    )
    draft.mark(revision, RevisionPhase.SERVING, served_at=draft.now)
    if hand_over.from_run:
        draft.act(DeleteRun(hand_over.from_run))
    if old is not None and old.revision != revision.metadata.name:
        retired = draft.seen.revision(old.revision)
        if retired is not None:
            draft.mark(retired, RevisionPhase.RETIRED, retired_at=draft.now)
    word = {"Upgrade": "Promoted", "Rollback": "RolledBack"}.get(hand_over.purpose.value, "Running")
    draft.tell(word, f"Revision {revision.metadata.name}, version {status.version}, serves in run {run.name}.")


def _roll_back(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision, problem: tuple[str, str]) -> None:
    from headgate.planning.candidate import fail_candidate

    fail_candidate(draft, revision, "handOver", problem[0], problem[1])
    draft.set(hand_over=None)
    serving = draft.status.serving
    old = draft.seen.revision(serving.revision) if serving is not None else None
    if old is None:
        draft.act(DeleteRun(hand_over.to_run))
        return
    if hand_over.from_run:
        draft.act(DeleteRun(hand_over.from_run))
    begin_start(draft, HandOverPurpose.ROLLBACK, draft.new_run(), old, hand_over.savepoint)


def rest_url(run: str, namespace: str) -> str:
    """Where a run's REST API answers inside the cluster."""
    return f"http://{run}-rest.{namespace}.svc:8081"
