"""Ends a stream when its ModelDeployment is deleted, as its policy says, and never keeps the object for ever. Pure."""

from __future__ import annotations

from headgate.api.resources import DeletionPolicy
from headgate.api.status import HandOverPurpose, HandOverStage, Phase
from headgate.planning.actions import DeleteRun, RemoveFinalizer
from headgate.planning.draft import Draft
from headgate.planning.handover import advance_hand_over, begin_stop
from headgate.planning.observation import FlinkState, ObservedRun

FINALIZER = "headgate.dev/stream"
FORCE = "headgate.dev/force-delete"
PATIENCE = "5m"


def plan_deletion(draft: Draft) -> None:
    """One step towards the end: a savepoint where the policy asks for one, then the runs, then the finalizer."""
    if FINALIZER not in draft.seen.finalizers:
        return
    draft.set(phase=Phase.DELETING)
    hand_over = draft.status.hand_over
    if _forced(draft):
        draft.set(hand_over=None)
        _end(draft)
        return
    if hand_over is not None and hand_over.stage is HandOverStage.STOPPING:
        if hand_over.purpose is not HandOverPurpose.DELETE:
            draft.set(hand_over=hand_over.model_copy(update={"purpose": HandOverPurpose.DELETE}))
        advance_hand_over(draft)
        if draft.status.hand_over is None and draft.status.run is None:
            _end(draft)
        elif draft.older_than(hand_over.since, PATIENCE):
            _say_why(draft)
        return
    draft.set(hand_over=None)
    emitting = _emitting(draft)
    if emitting is not None and _policy(draft) is not DeletionPolicy.CANCEL:
        begin_stop(draft, HandOverPurpose.DELETE, emitting)
    else:
        _end(draft)


def _policy(draft: Draft) -> DeletionPolicy:
    return draft.seen.spec.deletion_policy if draft.seen.spec is not None else DeletionPolicy.SAVEPOINT


def _forced(draft: Draft) -> bool:
    return dict(draft.seen.annotations).get(FORCE) == "true"


def _emitting(draft: Draft) -> ObservedRun | None:
    """The run that was let go and whose job runs; there is at most one."""
    return next((r for r in draft.seen.runs if r.go is not None and r.flink is FlinkState.RUNNING), None)


def _say_why(draft: Draft) -> None:
    draft.failed(
        "delete",
        "DeletionWaits",
        f"The stream has not stopped with a savepoint for {PATIENCE}. To delete without one, set the annotation {FORCE}=true.",
    )


def _end(draft: Draft) -> None:
    for run in draft.seen.runs:
        draft.act(DeleteRun(run.name))
    draft.act(RemoveFinalizer())
    draft.tell("Deleted", "The stream has ended.")
