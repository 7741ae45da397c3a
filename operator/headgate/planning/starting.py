"""The second half of a hand-over: a run is started, watched until it holds, and taken away where it fails. Pure.

Two rules hold whatever happens: a run is let go only when no other run can emit a record; and what a stream starts from is
where the run before it left off. A run is promoted when it completed two checkpoints without a restart: the first may have come
before the first record, and between the two lie the records of a whole interval. Until its first checkpoint an exactly-once sink has
shown nothing of a run, and going back begins at the savepoint; from then on it is the stream, and whatever takes its place begins where
its own newest snapshot is. Whoever starts in the place of a run that was let go looks into that run's folder first, for nobody sees
its last second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from headgate.api.revision import ModelRevision
from headgate.api.status import HandOverPurpose, HandOverStage, HandOverStatus
from headgate.planning.actions import ApplyRun, LetGo, RemoveAnnotation
from headgate.planning.draft import WATCHING, Draft
from headgate.planning.observation import FlinkState, JobManagerState, ObservedRun
from headgate.planning.outcome import abandon, fail_candidate, promote, remember, tell_start
from headgate.planning.places import either, newest_below
from headgate.planning.reasons import Reason

RESTORE_FROM = "headgate.dev/restore-from"
"""The annotation by which a person says what to start from, where Headgate does not know or what it knows does not work."""

CRASHES = 3
"""A run that crashed so often before it was promoted is not going to be healthy."""

STEADY = 2
"""So many checkpoints without a restart make a run healthy."""

_RETRY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a started run is not healthy. ``final``: it cannot become healthy by itself."""

    reason: str
    message: str
    final: bool = False


def begin_start(
    draft: Draft,
    purpose: HandOverPurpose,
    run: str,
    revision: ModelRevision,
    place: str,
    *,
    drop_state: bool = False,
    asked: str | None = None,
) -> None:
    """Write down that ``run`` is to start from ``place``, make it, and let it go."""
    hand_over = HandOverStatus(
        purpose=purpose, stage=HandOverStage.STARTING, to_run=run, to_revision=revision.metadata.name,
        savepoint=place, drop_state=drop_state, asked=asked, since=draft.now,
    )  # fmt: skip
    draft.set(hand_over=hand_over, run=None)
    tell_start(draft, hand_over)
    _let_go(draft, hand_over, revision)


def advance_start(draft: Draft, hand_over: HandOverStatus) -> None:
    """One step of a start that is under way."""
    draft.set(run=None)
    revision = draft.seen.revision(hand_over.to_revision)
    run = draft.seen.run(hand_over.to_run)
    if run is not None and _holds(run):
        promote(draft, hand_over, revision, run)
        draft.wait("the next look", WATCHING)
    elif draft.suspended:
        remember(draft, withdraw(draft, hand_over))
    elif _not_asked_for(draft, hand_over):
        go_back(draft, hand_over)
    elif revision is None:
        _without_revision(draft, hand_over)
    else:
        _watch(draft, hand_over, revision, run)


def withdraw(draft: Draft, hand_over: HandOverStatus) -> str:
    """Take the started run away; gives the place from which the stream is to start instead."""
    run = draft.seen.run(hand_over.to_run)
    draft.take_away(hand_over.to_run)
    draft.set(hand_over=None, run=None)
    if run is not None and run.job_manager is JobManagerState.ACTIVE and run.go is None:
        return hand_over.savepoint
    folder = newest_below(draft.folder(hand_over.to_run, hand_over.to_revision))
    if run is not None and run.checkpoints:
        return folder
    # It may complete its first checkpoint in its very last second; if it does, its folder holds what it has shown.
    return either(folder, hand_over.savepoint)


def go_back(draft: Draft, hand_over: HandOverStatus) -> None:
    """Withdraw the started run and bring the serving revision back from the same place; without one, wait for another."""
    place = withdraw(draft, hand_over)
    candidate, serving = draft.status.candidate, draft.status.serving
    if candidate is not None and candidate.revision == hand_over.to_revision:
        abandon(draft, candidate)
    old = draft.seen.revision(serving.revision) if serving is not None else None
    if old is None or old.metadata.name == hand_over.to_revision:
        remember(draft, place)
    else:
        # State that only the newer revision keeps is of no use to the older one, and no loss.
        run = draft.new_run()
        begin_start(draft, HandOverPurpose.ROLLBACK, run, old, place, drop_state=True, asked=hand_over.asked)


def _holds(run: ObservedRun) -> bool:
    """Checkpoints are complete one after another, or a bounded stream came to its end before that."""
    ended = run.job_manager is JobManagerState.ENDED or run.flink is FlinkState.ENDED
    return run.steady_checkpoints >= STEADY or (ended and run.go is not None)


def _not_asked_for(draft: Draft, hand_over: HandOverStatus) -> bool:
    """The spec went back to what serves, or nothing serves and it went somewhere else."""
    target, serving = draft.status.target, draft.status.serving
    if hand_over.purpose is not HandOverPurpose.UPGRADE or target in {"", hand_over.to_revision}:
        return False
    return serving is None or serving.revision == target


def _without_revision(draft: Draft, hand_over: HandOverStatus) -> None:
    message = f"Revision {hand_over.to_revision} is gone: nothing can be started of it."
    draft.failed("handOver", Reason.REVISION_MISSING, message, hand_over.to_revision)
    go_back(draft, hand_over)
    draft.wait("another revision")


def _watch(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision, run: ObservedRun | None) -> None:
    problem = _problem(draft, hand_over, run)
    upgrade = hand_over.purpose is HandOverPurpose.UPGRADE
    if problem is None:
        _let_go(draft, hand_over, revision, again=True)
    elif problem.reason == Reason.RUN_LOST:
        _once_more(draft, hand_over, revision, withdraw(draft, hand_over))
    elif upgrade:
        fail_candidate(draft, revision, "handOver", problem.reason, problem.message)
        go_back(draft, hand_over)
    else:
        _persist(draft, hand_over, revision, problem)


def _persist(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision, problem: Problem) -> None:
    """What serves is all there is: go on trying, say so, and take a person's word for where to start from."""
    place = draft.annotation(RESTORE_FROM)
    if place and place != hand_over.savepoint:
        withdraw(draft, hand_over)
        _once_more(draft, hand_over, revision, place)
        draft.act(RemoveAnnotation(RESTORE_FROM))
        return
    if not _said_better(draft, hand_over, problem):
        advice = f" To start from another savepoint, name it in the annotation {RESTORE_FROM}."
        draft.failed("start", problem.reason, problem.message + advice, revision.metadata.name)
    if problem.final and draft.older_than(hand_over.since, _RETRY):
        _once_more(draft, hand_over, revision, withdraw(draft, hand_over))
    else:
        _let_go(draft, hand_over, revision, again=True)


def _said_better(draft: Draft, hand_over: HandOverStatus, problem: Problem) -> bool:
    """Whether what is noted of this start says more than that it crashes or is late: main() says why, and then tries again."""
    known, vague = draft.status.last_failure, {Reason.POD_FAILED, Reason.PROGRESS_DEADLINE_EXCEEDED}
    return known is not None and known.stage == "start" and known.time >= hand_over.since and problem.reason in vague


def _once_more(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision, place: str) -> None:
    """The same start with another run."""
    run = draft.new_run()
    candidate = draft.status.candidate
    if candidate is not None and candidate.run == hand_over.to_run:
        draft.set(candidate=candidate.model_copy(update={"run": run}))
    begin_start(
        draft, hand_over.purpose, run, revision, place, drop_state=hand_over.drop_state, asked=hand_over.asked
    )  # fmt: skip


def _problem(draft: Draft, hand_over: HandOverStatus, run: ObservedRun | None) -> Problem | None:
    """What speaks against the started run; None while it may still become healthy."""
    if run is not None:
        if run.job_manager is JobManagerState.ABSENT and run.go is not None:
            return Problem(Reason.RUN_LOST, f"The JobManager of run {run.name} was taken away.", final=True)
        if run.report.reason:
            return Problem(run.report.reason, f"{run.report.stage or 'start'}: {run.report.message}")
        if run.flink is FlinkState.FAILED or run.job_manager is JobManagerState.FAILED:
            return Problem(Reason.JOB_FAILED, run.failure or run.pod_problem or "The job failed.", final=True)
        if run.job_manager_restarts >= CRASHES:
            detail = run.pod_problem or run.failure or "its log says why."
            return Problem(Reason.POD_FAILED, f"The JobManager of run {run.name} crashes again and again: {detail}")
        if run.restarts >= CRASHES:
            return Problem(Reason.RESTARTING_IN_LOOP, f"The job restarts again and again: {run.failure}")
        if run.failed_checkpoints >= CRASHES and not run.steady_checkpoints:
            return Problem(Reason.CHECKPOINTS_FAILING, f"Checkpoints fail, and none was complete: {run.failure}")
    if draft.older_than(hand_over.since, draft.deadline) and (run is None or not run.checkpoints):
        detail = f" {run.pod_problem}" if run is not None and run.pod_problem else ""
        message = f"No checkpoint was complete within {draft.deadline_text}.{detail}"
        return Problem(Reason.PROGRESS_DEADLINE_EXCEEDED, message)
    return None


def _let_go(draft: Draft, hand_over: HandOverStatus, revision: ModelRevision, *, again: bool = False) -> None:
    """Make the run where it is not whole, and let it go as soon as no other run can emit.

    ``again``: this was meant to be done before. A run that is not there then may have been and gone, so its own folder is
    looked at first.
    """
    run = draft.seen.run(hand_over.to_run)
    spec = draft.run_spec(hand_over.to_run, revision)
    if run is None or not run.intact or run.job_manager is JobManagerState.ABSENT:
        draft.act(ApplyRun(spec))
    in_the_way = [other.name for other in draft.seen.runs if other.name != hand_over.to_run and other.may_emit]
    if in_the_way:
        draft.take_away(*in_the_way)
        draft.wait(f"run {in_the_way[0]} to end", WATCHING)
        return
    if run is None or run.go is None:
        anew = run is None or run.job_manager is JobManagerState.ABSENT
        place = either(newest_below(spec.folder), hand_over.savepoint) if again and anew else hand_over.savepoint
        draft.act(LetGo(spec, place, hand_over.drop_state))
    draft.wait("two checkpoints without a restart", WATCHING)
