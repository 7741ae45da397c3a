"""What becomes of revisions and of the stream's state: given up, failed, promoted, remembered. Pure.

Called by the modules that decide; each function writes one outcome into the draft, completely, so that no half of it is ever
forgotten. None of them looks at whether the outcome is right.
"""

from __future__ import annotations

from headgate.api.revision import ModelRevision, RevisionPhase
from headgate.api.status import (
    CandidateStatus,
    HandOverPurpose,
    HandOverStatus,
    RunStatus,
    SavepointStatus,
    ServingStatus,
)
from headgate.planning.actions import DeleteBuild
from headgate.planning.draft import Draft, moment_of
from headgate.planning.manifests import rest_url
from headgate.planning.observation import ObservedRun
from headgate.planning.places import NOTHING, describe, newest_below
from headgate.planning.reasons import Reason

FINISHED = "Finished"
ENDED = "Ended"

_WORD_FOR = {
    HandOverPurpose.UPGRADE: Reason.PROMOTED,
    HandOverPurpose.ROLLBACK: Reason.ROLLED_BACK,
    HandOverPurpose.RESTORE: Reason.RESTORED,
    HandOverPurpose.RESUME: Reason.RESUMED,
}


def abandon(draft: Draft, candidate: CandidateStatus) -> None:
    """The candidate is not asked for now: take its run and its build away."""
    _take_away(draft, candidate.run)
    draft.act(DeleteBuild(candidate.revision))
    draft.set(candidate=None)
    failure = draft.status.last_failure
    if failure is not None and failure.revision == candidate.revision:
        draft.set(last_failure=None)
    draft.tell(Reason.CANDIDATE_ABANDONED, f"Revision {candidate.revision} is not asked for now.")


def fail_candidate(draft: Draft, revision: ModelRevision, stage: str, reason: str, message: str) -> None:
    """Mark the candidate's revision as failed and take its run away; what serves goes on serving."""
    failure = draft.failed(stage, reason, message, revision.metadata.name)
    draft.mark(revision, RevisionPhase.FAILED, last_failure=failure)
    candidate = draft.status.candidate
    if candidate is not None:
        _take_away(draft, candidate.run)
    draft.set(candidate=None)


def _take_away(draft: Draft, run: str) -> None:
    """A candidate's run, unless it is more than that by now."""
    status = draft.status
    starting = status.hand_over.to_run if status.hand_over is not None else ""
    serving = status.run.name if status.run is not None else ""
    if run and run not in {starting, serving}:
        draft.take_away(run)


def known_state(draft: Draft) -> str:
    """The place where the stream stands while nothing starts: the serving run's folder, or what is remembered."""
    status = draft.status
    if status.run is not None and status.run.state == FINISHED:
        return NOTHING
    if status.run is not None:
        return newest_below(draft.folder(status.run.name, status.serving.revision if status.serving else ""))
    return status.savepoint.path if status.savepoint is not None else ""


def remember(draft: Draft, place: str) -> None:
    """Keep the place where the stream stands while nothing runs; a place of nothing is not worth keeping."""
    serving = draft.status.serving
    if place:
        kept = SavepointStatus(path=place, time=draft.now, revision=serving.revision if serving is not None else "")
        draft.set(savepoint=kept)
    draft.set(run=None, checkpoint="")


def finish(draft: Draft, run: ObservedRun) -> None:
    """The serving run's job came to an end that nobody here asked for; what it leaves is kept as it is.

    A bounded stream that came to its end leaves nothing to go on from; another revision then scores it from the beginning.
    """
    state = FINISHED if run.report.bounded else ENDED
    draft.set(run=run_status(draft, run).model_copy(update={"state": state}))
    draft.tell(Reason.FINISHED, f"The job of run {run.name} came to its end.")


def is_over(run: RunStatus) -> bool:
    """Whether :func:`finish` was said of a run."""
    return run.state in {FINISHED, ENDED}


def promote(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision | None, run: ObservedRun) -> None:
    """The run that was started has shown its first results: it is the serving run, whatever becomes of it later."""
    name, old, candidate = hand_over.to_revision, draft.status.serving, draft.status.candidate
    said = revision.status if revision is not None else None
    known = said or (candidate if candidate is not None and candidate.revision == name else old)
    serving = ServingStatus(
        revision=name,
        version=known.version if known is not None else "",
        model_digest=known.model_digest if known is not None else "",
        image=known.image if known is not None else "",
        since=old.since if old is not None and old.revision == name else draft.now,
    )
    draft.set(serving=serving, run=run_status(draft, run), checkpoint=run.newest_checkpoint, hand_over=None)
    failure = draft.status.last_failure
    if failure is not None and (hand_over.purpose is HandOverPurpose.UPGRADE or failure.revision in {"", name}):
        draft.set(last_failure=None)
    if candidate is not None and candidate.revision == name:
        draft.set(candidate=None)
    pause = _measure(draft, hand_over, run)
    word = _WORD_FOR.get(hand_over.purpose, Reason.RUNNING)
    stood = f" The stream stood still for {pause:.1f} s." if pause is not None else ""
    draft.tell(word, f"Revision {name}, version {serving.version}, serves in run {run.name}.{stood}")


def _measure(draft: Draft, hand_over: HandOverStatus, run: ObservedRun) -> float | None:
    """Seconds from the request to stop until every task ran; None where nothing was stopped."""
    asked = moment_of(hand_over.asked)
    if asked is None:
        return None
    seconds = round(max(0.0, ((run.running_since or draft.seen.now) - asked).total_seconds()), 3)
    draft.set(hand_over_seconds=seconds)
    return seconds


def run_status(draft: Draft, run: ObservedRun) -> RunStatus:
    """The status' words for a run."""
    return RunStatus(
        name=run.name,
        job_id=run.job_id,
        rest_url=rest_url(run.name, draft.seen.namespace),
        state=run.flink.value,
        restarts=run.restarts + run.job_manager_restarts,
    )


def tell_start(draft: Draft, hand_over: HandOverStatus) -> None:
    """Tell that a run is about to be started, and from where."""
    message = f"Run {hand_over.to_run} of revision {hand_over.to_revision} starts from {describe(hand_over.savepoint)}."
    draft.tell(Reason.STREAM_STARTING, message)
