"""How a candidate that is ready takes the stream over from what serves, and whether it may. Pure.

Where the serving job runs, it stops with a savepoint. Where it does not and will not, it is taken away and its newest checkpoint
is gone on from: a version that crashes must not stand in the way of the one that mends it.
"""

from __future__ import annotations

from headgate.api.revision import ModelRevision
from headgate.api.status import CandidateStatus, HandOverPurpose, HandOverStatus
from headgate.planning.actions import RemoveAnnotation
from headgate.planning.compatibility import lost_state, not_allowed
from headgate.planning.draft import Draft, exact_stamp
from headgate.planning.observation import FlinkState, ObservedRun
from headgate.planning.outcome import fail_candidate, is_over, known_state
from headgate.planning.reasons import Reason
from headgate.planning.starting import RESTORE_FROM, begin_start, withdraw
from headgate.planning.stopping import BACK_OFF, begin_stop, cannot_stop, savepoint_failed


def take_over(draft: Draft, revision: ModelRevision, run: ObservedRun, candidate: CandidateStatus) -> None:
    """Begin the hand-over to a candidate that is ready, say what it waits for, or refuse it."""
    status, hand_over = draft.status, draft.status.hand_over
    serving = draft.seen.run(status.run.name) if status.run is not None else None
    if hand_over is not None:
        _instead(draft, revision, run, hand_over)
    elif status.run is None:
        _first(draft, revision, run)
    elif is_over(status.run) or serving is None:
        begin_start(draft, HandOverPurpose.UPGRADE, run.name, revision, known_state(draft))
    else:
        _from_serving(draft, revision, run, candidate, serving)


def _instead(draft: Draft, revision: ModelRevision, run: ObservedRun, hand_over: HandOverStatus) -> None:
    """What serves is being brought back and has shown nothing yet: the candidate starts in its place."""
    started = draft.seen.run(hand_over.to_run)
    lost, refused = _lost(draft, started, run) if started is not None else (False, ())
    if refused:
        _refuse(draft, revision, refused)
        return
    place = withdraw(draft, hand_over)
    begin_start(draft, HandOverPurpose.UPGRADE, run.name, revision, place, drop_state=lost, asked=hand_over.asked)


def _first(draft: Draft, revision: ModelRevision, run: ObservedRun) -> None:
    """Nothing runs: from what is remembered, from what a person names, or from nothing where there was never anything."""
    place, named = known_state(draft), draft.annotation(RESTORE_FROM)
    if named:
        place = named
        draft.act(RemoveAnnotation(RESTORE_FROM))
    had_state = draft.status.serving is not None or any(r.status.served_at for r in draft.seen.revisions)
    if had_state and not place:
        draft.stall("start", Reason.STATE_UNKNOWN, state_unknown())
        return
    begin_start(draft, HandOverPurpose.UPGRADE, run.name, revision, place)


def state_unknown() -> str:
    """What is said where a stream that had state would start from nothing."""
    return (
        "The stream had state, and nothing is known of it; it does not start from nothing by itself. "
        f"Name a savepoint or checkpoint in the annotation {RESTORE_FROM}."
    )


def _from_serving(
    draft: Draft, revision: ModelRevision, run: ObservedRun, candidate: CandidateStatus, serving: ObservedRun
) -> None:
    lost, refused = _lost(draft, serving, run)
    failure = draft.status.last_failure
    if refused:
        _refuse(draft, revision, refused)
    elif cannot_stop(draft, serving):
        asked, place = exact_stamp(draft.seen.now), known_state(draft)
        begin_start(draft, HandOverPurpose.UPGRADE, run.name, revision, place, drop_state=lost, asked=asked)
    elif serving.flink is not FlinkState.RUNNING or savepoint_failed(draft, within=BACK_OFF):
        draft.wait("the serving job to run, so that it can be stopped")
    elif savepoint_failed(draft) and failure is not None and draft.older_than(candidate.since, draft.deadline):
        fail_candidate(draft, revision, "handOver", Reason.SAVEPOINT_FAILED, failure.message)
    else:
        name = revision.metadata.name
        begin_stop(draft, HandOverPurpose.UPGRADE, serving, to_run=run.name, to_revision=name, drop_state=lost)


def _lost(draft: Draft, serving: ObservedRun, run: ObservedRun) -> tuple[bool, tuple[str, ...]]:
    """Whether state of ``serving`` has no place in ``run``, and which of it nobody allowed to be lost."""
    allowed = draft.seen.spec.rollout.allow_state_loss if draft.seen.spec is not None else ()
    lost = lost_state(serving.report.operators, run.report.operators)
    return bool(lost), not_allowed(lost, allowed)


def _refuse(draft: Draft, revision: ModelRevision, lost: tuple[str, ...]) -> None:
    message = (
        f"The new pipeline would lose the state of: {'; '.join(lost)}. Keep these parts of the SQL as they were, or "
        "name them in spec.rollout.allowStateLoss."
    )
    fail_candidate(draft, revision, "plan", Reason.STATE_INCOMPATIBLE, message)
