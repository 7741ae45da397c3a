"""The first half of a hand-over: a stream stops with a savepoint, and the status knows where it stands. Pure.

A savepoint that cannot be made leaves the run as it was. A run that ended before it could say where its savepoint lies, or
that cannot make one because it does not run, is gone on from all the same: its folder holds its newest snapshot.
"""

from __future__ import annotations

from datetime import timedelta

from headgate.api.resources import DeletionPolicy
from headgate.api.status import HandOverPurpose, HandOverStage, HandOverStatus
from headgate.planning.actions import StopWithSavepoint
from headgate.planning.draft import STANDING_STILL, Draft, exact_stamp
from headgate.planning.observation import FlinkState, JobManagerState, ObservedRun
from headgate.planning.outcome import abandon, finish, remember
from headgate.planning.places import newest_below
from headgate.planning.reasons import Reason
from headgate.planning.starting import begin_start

BACK_OFF = timedelta(seconds=10)
"""Between two savepoints where the first one failed."""
UNSTABLE = timedelta(seconds=30)
"""A job that does not run for so long is not waited for: it is taken away, and its newest checkpoint is gone on from."""
SILENT = timedelta(minutes=5)
"""The same for a JobManager that does not answer: what is wrong may be the way to it."""


def begin_stop(
    draft: Draft,
    purpose: HandOverPurpose,
    run: ObservedRun,
    *,
    to_run: str = "",
    to_revision: str = "",
    drop_state: bool = False,
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
        drop_state=drop_state,
        asked=exact_stamp(draft.seen.now),
        since=draft.now,
    )
    draft.set(hand_over=hand_over, savepoint_request=None)
    _ask(draft, hand_over)


def advance_stop(draft: Draft, hand_over: HandOverStatus) -> None:
    """One step of a stop that is under way."""
    run = draft.seen.run(hand_over.from_run)
    savepoint = run.savepoint if run is not None else None
    if savepoint is not None and savepoint.done and savepoint.path:
        draft.tell(
            Reason.SAVEPOINT_COMPLETED, f"Run {hand_over.from_run} stopped with savepoint {savepoint.path}."
        )  # fmt: skip
        _stopped(draft, hand_over, savepoint.path)
    elif savepoint is not None and savepoint.done:
        _not_stopped(draft, hand_over, savepoint.failure)
    elif run is None or has_ended(run):
        _ended_unheard(draft, hand_over, run)
    elif _in_vain(draft, hand_over, run):
        _stopped(draft, hand_over, newest_below(_folder(draft, hand_over)))
    else:
        if run.flink is FlinkState.RUNNING and (savepoint is None or not savepoint.found):
            _ask(draft, hand_over)
        if draft.older_than(hand_over.since, draft.deadline):
            message = f"Run {run.name} has not stopped within {draft.deadline_text}; it is asked on."
            draft.failed("handOver", Reason.SAVEPOINT_FAILED, message, hand_over.to_revision)
        draft.wait("the savepoint", STANDING_STILL)


def has_ended(run: ObservedRun) -> bool:
    """Whether a run's job will not go on by itself, for whatever reason."""
    return run.flink in {FlinkState.ENDED, FlinkState.FAILED} or run.job_manager is not JobManagerState.ACTIVE


def _ask(draft: Draft, hand_over: HandOverStatus) -> None:
    drain = hand_over.purpose is HandOverPurpose.DELETE and policy_of(draft) is DeletionPolicy.DRAIN
    folder = f"{_folder(draft, hand_over)}/savepoints"
    draft.act(StopWithSavepoint(hand_over.from_run, hand_over.job_id, hand_over.trigger, folder, drain))
    draft.wait("the savepoint", STANDING_STILL)


def _folder(draft: Draft, hand_over: HandOverStatus) -> str:
    """Where the data of the run that stops lies; its pods are the ones that write the savepoint."""
    run, serving = draft.seen.run(hand_over.from_run), draft.status.serving
    known = serving.revision if serving is not None else ""
    return draft.folder(hand_over.from_run, run.revision if run is not None and run.revision else known)


def policy_of(draft: Draft) -> DeletionPolicy:
    """``spec.deletionPolicy``; a savepoint where the spec cannot be read."""
    return draft.seen.spec.deletion_policy if draft.seen.spec is not None else DeletionPolicy.SAVEPOINT


def _ended_unheard(draft: Draft, hand_over: HandOverStatus, run: ObservedRun | None) -> None:
    """The run ended, and nobody heard where its savepoint lies. It is the newest snapshot in its folder."""
    if run is not None and run.report.bounded and run.job_manager is JobManagerState.ENDED:
        draft.set(hand_over=None)
        finish(draft, run)
        return
    place = newest_below(_folder(draft, hand_over))
    message = (
        f"Run {hand_over.from_run} ended before it said where its savepoint lies; the newest one below {place} counts."
    )
    draft.tell(Reason.SAVEPOINT_UNKNOWN, message, warning=True)
    _stopped(draft, hand_over, place)


def _in_vain(draft: Draft, hand_over: HandOverStatus, run: ObservedRun) -> bool:
    """Whether the run is not going to make a savepoint; a deletion waits for a person's word all the same."""
    if hand_over.purpose is HandOverPurpose.DELETE or run.flink is FlinkState.RUNNING:
        return False
    return draft.older_than(hand_over.since, SILENT if run.flink is FlinkState.UNKNOWN else UNSTABLE)


def _stopped(draft: Draft, hand_over: HandOverStatus, place: str) -> None:
    """The stream stands at ``place``: start what was to be started, or leave it there."""
    purpose = hand_over.purpose
    draft.succeeded("handOver")
    remember(draft, place)
    draft.set(hand_over=None)
    if purpose is not HandOverPurpose.UPGRADE or draft.suspended:
        draft.take_away(hand_over.from_run)
        if purpose is not HandOverPurpose.DELETE:
            draft.tell(Reason.SUSPENDED, "The stream stands still until spec.suspend is taken back.")
        return
    serving, candidate = draft.status.serving, draft.status.candidate
    back = draft.seen.revision(serving.revision) if serving is not None else None
    ahead = draft.seen.revision(hand_over.to_revision)
    wants_back = serving is not None and draft.status.target == serving.revision
    if ahead is not None and not (wants_back and back is not None):
        begin_start(
            draft, purpose, hand_over.to_run, ahead, place, drop_state=hand_over.drop_state, asked=hand_over.asked
        )  # fmt: skip
    elif back is not None:
        if candidate is not None:
            abandon(draft, candidate)
        begin_start(draft, HandOverPurpose.ROLLBACK, draft.new_run(), back, place, asked=hand_over.asked)


def _not_stopped(draft: Draft, hand_over: HandOverStatus, failure: str) -> None:
    """Flink could not make the savepoint; the job goes on as it was, and so does what serves."""
    message = f"Run {hand_over.from_run} could not make a savepoint and goes on: {failure}"
    draft.failed("handOver", Reason.SAVEPOINT_FAILED, message, hand_over.to_revision, again=True)
    draft.set(hand_over=None)
    draft.wait("another try")


def savepoint_failed(draft: Draft, *, within: timedelta | None = None) -> bool:
    """Whether a savepoint failed; ``within``: not longer ago than that."""
    failure = draft.status.last_failure
    if failure is None or failure.reason != Reason.SAVEPOINT_FAILED:
        return False
    return within is None or not draft.older_than(failure.time, within)


def cannot_stop(draft: Draft, run: ObservedRun) -> bool:
    """Whether the serving run crashes so that it is not going to make a savepoint: it is taken away instead."""
    since = draft.status.run.unstable_since if draft.status.run is not None else None
    if run.flink is FlinkState.RUNNING and not savepoint_failed(draft):
        return False
    return draft.older_than(since, SILENT if run.flink is FlinkState.UNKNOWN else UNSTABLE)
