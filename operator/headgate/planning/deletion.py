"""Ends a stream when its ModelDeployment is deleted, as its policy says, and says why where that takes long. Pure.

Nothing of the stream stays but its savepoints and checkpoints: the object goes when no run is observed any more.
"""

from __future__ import annotations

from datetime import timedelta

from headgate.api.resources import DeletionPolicy
from headgate.api.status import HandOverPurpose, HandOverStage, HandOverStatus
from headgate.planning.actions import DeleteBuild, RemoveFinalizer
from headgate.planning.draft import Draft
from headgate.planning.observation import FlinkState, ObservedRun
from headgate.planning.reasons import Reason
from headgate.planning.stopping import BACK_OFF, advance_stop, begin_stop, has_ended, policy_of, savepoint_failed

FINALIZER = "headgate.dev/stream"
FORCE = "headgate.dev/force-delete"
"""The annotation (``true``) that ends a stream without a savepoint, and lets the object go even where its pods do not end."""

PATIENCE = timedelta(minutes=5)
_GRACE = timedelta(seconds=45)


def plan_deletion(draft: Draft) -> None:
    """One step towards the end: a savepoint where the policy asks for one, then the runs, then the finalizer."""
    if FINALIZER not in draft.seen.finalizers:
        return
    hand_over = draft.status.hand_over
    if draft.annotation(FORCE) == "true":
        draft.set(hand_over=None, candidate=None)
        forced = draft.failed("delete", Reason.DELETION_FORCED, "The annotation asks to delete without a savepoint.")
        _end(draft, stuck=draft.older_than(forced.time, _GRACE))
    elif hand_over is not None and hand_over.stage is HandOverStage.STOPPING:
        if hand_over.purpose is not HandOverPurpose.DELETE:
            hand_over = hand_over.model_copy(update={"purpose": HandOverPurpose.DELETE})
            draft.set(hand_over=hand_over)
        advance_stop(draft, hand_over)
        _say_why(draft, "The stream has not stopped with a savepoint yet.")
    else:
        _without_stop(draft, hand_over)


def _without_stop(draft: Draft, hand_over: HandOverStatus | None) -> None:
    """Nothing is being stopped yet: begin it, or go on to the end where nothing needs to be stopped."""
    stream = _stream(draft, hand_over)
    if stream is None or policy_of(draft) is DeletionPolicy.CANCEL:
        draft.set(hand_over=None, candidate=None)
        _end(draft)
    elif stream.flink is FlinkState.RUNNING and not savepoint_failed(draft, within=BACK_OFF):
        begin_stop(draft, HandOverPurpose.DELETE, stream)
    else:
        draft.wait(f"run {stream.name} to run, so that it can be stopped with a savepoint")
        _say_why(draft, f"Run {stream.name} does not run, or can make no savepoint.")


def _stream(draft: Draft, hand_over: HandOverStatus | None) -> ObservedRun | None:
    """The run with state that is not saved; None where there is none, or where it cannot be stopped any more."""
    for run in draft.seen.runs:
        nothing_shown = hand_over is not None and run.name == hand_over.to_run and run.checkpoints == 0
        unsaved = run.flink is FlinkState.RUNNING or not nothing_shown
        if run.may_emit and unsaved and not has_ended(run):
            return run
    return None


def _end(draft: Draft, *, stuck: bool = False) -> None:
    """Take everything away, and let the object go when it is; ``stuck``: whatever is still there."""
    _take_away(draft)
    if draft.seen.runs and not stuck:
        draft.wait("the pods of its runs to end")
        _say_why(draft, "Objects of its runs are still there.")
    else:
        _let_the_object_go(draft)


def _take_away(draft: Draft) -> None:
    draft.take_away(*(run.name for run in draft.seen.runs))
    draft.act(*(DeleteBuild(build.revision) for build in draft.seen.builds))


def _let_the_object_go(draft: Draft) -> None:
    draft.act(RemoveFinalizer())
    draft.tell(Reason.DELETED, "The stream has ended.")


def _say_why(draft: Draft, why: str) -> None:
    """After a while, say what the deletion waits for and how to do without it."""
    if draft.seen.deleting is not None and draft.seen.now - draft.seen.deleting > PATIENCE:
        message = f"{why} To delete at once and without a savepoint, set the annotation {FORCE}=true."
        draft.stall("delete", Reason.DELETION_WAITS, message)
