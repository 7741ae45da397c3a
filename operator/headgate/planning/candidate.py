"""Brings the revision that the spec asks for to *ready* beside the serving one: revision, build, run, gates. Pure.

Nothing here touches the serving run. A candidate that fails is marked and left alone until the spec asks for another.
"""

from __future__ import annotations

from headgate.api.revision import ModelRevision, RevisionPhase
from headgate.api.status import CandidateStatus, HandOverPurpose, Phase
from headgate.planning.actions import ApplyRun, CreateRevision, DeleteBuild, DeleteRun, StartBuild
from headgate.planning.compatibility import lost_state, not_allowed
from headgate.planning.draft import Draft
from headgate.planning.handover import begin_start, begin_stop, known_state
from headgate.planning.observation import BuildState, ObservedRun
from headgate.planning.revisions import has_failed, new_revision, template_of


def advance_candidate(draft: Draft) -> None:
    """One step towards the target revision; does nothing where it serves already or has failed."""
    status, target = draft.status, draft.status.target
    if status.candidate is not None and status.candidate.revision != target:
        abandon(draft, status.candidate)
    if not target or (draft.status.serving is not None and draft.status.serving.revision == target):
        return
    revision = draft.seen.revision(target)
    if has_failed(revision):
        return
    if draft.seen.spec is not None and draft.seen.spec.rollout.paused:
        draft.wait("spec.rollout.paused")
        return
    if draft.status.candidate is None:
        draft.set(candidate=CandidateStatus(revision=target, since=draft.now))
        draft.tell("RolloutStarted", f"Revision {target} is the candidate.")
    if revision is None:
        _write_down(draft, target)
    elif not revision.status.image:
        _build(draft, revision)
    else:
        _start(draft, revision)


def abandon(draft: Draft, candidate: CandidateStatus) -> None:
    """The spec asks for something else now: take the candidate's run and build away."""
    if candidate.run:
        draft.act(DeleteRun(candidate.run))
    draft.act(DeleteBuild(candidate.revision))
    draft.set(candidate=None)
    draft.tell("CandidateAbandoned", f"Revision {candidate.revision} is no longer asked for.")


def fail_candidate(draft: Draft, revision: ModelRevision, stage: str, reason: str, message: str) -> None:
    """Mark the candidate's revision as failed and take its run away; what serves goes on serving."""
    candidate = draft.status.candidate
    if candidate is not None and candidate.run:
        draft.act(DeleteRun(candidate.run))
    failure = draft.failed(stage, reason, message, revision.metadata.name)
    draft.mark(revision, RevisionPhase.FAILED, last_failure=failure)
    draft.set(candidate=None)


def _write_down(draft: Draft, target: str) -> None:
    if draft.seen.spec is None:
        return
    template = template_of(draft.seen.spec)
    draft.act(
        CreateRevision(new_revision(draft.seen.name, draft.seen.namespace, target, template, draft.seen.revisions))
    )
    draft.set(phase=Phase.PENDING if draft.status.serving is None else Phase.ROLLING_OUT)
    draft.wait("the revision to be written down")


def _build(draft: Draft, revision: ModelRevision) -> None:
    build = draft.seen.build(revision.metadata.name)
    draft.set(phase=Phase.BUILDING if draft.status.serving is None else Phase.ROLLING_OUT)
    if build.state is BuildState.FAILED:
        draft.act(DeleteBuild(revision.metadata.name))
        fail_candidate(
            draft, revision, "build", build.reason or "BuildFailed", build.message or "The build failed without a word."
        )
    elif build.state is BuildState.SUCCEEDED and build.result is not None:
        result = build.result
        draft.mark(
            revision,
            RevisionPhase.CHECKING,
            image=result.image,
            version=result.version,
            model_digest=result.model_digest,
            lock_digest=result.lock_digest,
            built_at=draft.now,
        )
        draft.tell("ImageBuilt", f"Image {result.image} holds version {result.version}.")
        draft.set(candidate=_described(draft, result.version, result.model_digest, result.image))
        draft.wait("the image to be noted")
    elif build.state is BuildState.ABSENT and draft.seen.free_builders < 1:
        draft.wait("a free builder")
    else:
        if build.state is BuildState.ABSENT:
            draft.act(StartBuild(revision.metadata.name))
            draft.mark(revision, RevisionPhase.BUILDING)
            draft.tell("BuildStarted", f"Building the image of revision {revision.metadata.name}.")
        draft.wait("the image to be built")


def _described(draft: Draft, version: str, model_digest: str, image: str) -> CandidateStatus | None:
    candidate = draft.status.candidate
    changes = {"version": version, "model_digest": model_digest, "image": image, "since": draft.now}
    return candidate.model_copy(update=changes) if candidate is not None else None


def _start(draft: Draft, revision: ModelRevision) -> None:
    candidate = draft.status.candidate
    if candidate is None:
        return
    if not candidate.run:
        status = revision.status
        candidate = candidate.model_copy(
            update={
                "run": draft.new_run(),
                "since": draft.now,
                "version": status.version,
                "model_digest": status.model_digest,
                "image": status.image,
            }
        )
        draft.set(candidate=candidate)
    draft.set(phase=Phase.STARTING if draft.status.serving is None else Phase.ROLLING_OUT)
    draft.act(ApplyRun(draft.run_spec(candidate.run, revision)))
    draft.mark(revision, RevisionPhase.CANDIDATE)
    run = draft.seen.run(candidate.run)
    problem = _problem(draft, run, candidate)
    if problem is not None:
        fail_candidate(draft, revision, *problem)
    elif run is None or not run.report.ready or not run.task_managers_ready:
        stage = f" ({run.report.stage})" if run is not None and run.report.stage else ""
        detail = f": {run.pod_problem}" if run is not None and run.pod_problem else ""
        draft.wait(f"the candidate to be ready{stage}{detail}")
    else:
        _take_over(draft, revision, run)


def _problem(draft: Draft, run: ObservedRun | None, candidate: CandidateStatus) -> tuple[str, str, str] | None:
    """Stage, reason and message of what speaks against the candidate; None where nothing does so far."""
    if run is not None and run.report.reason:
        return run.report.stage or "start", run.report.reason, run.report.message
    deadline = draft.seen.spec.rollout.progress_deadline if draft.seen.spec is not None else "10m"
    if draft.older_than(candidate.since, deadline):
        detail = run.pod_problem if run is not None and run.pod_problem else "It never reported that it is ready."
        return "start", "ProgressDeadlineExceeded", f"The candidate was not ready within {deadline}. {detail}"
    return None


def _take_over(draft: Draft, revision: ModelRevision, run: ObservedRun) -> None:
    serving = draft.status.run
    old = draft.seen.run(serving.name) if serving is not None else None
    if old is not None:
        allowed = draft.seen.spec.rollout.allow_state_loss if draft.seen.spec is not None else ()
        lost = not_allowed(lost_state(old.report.operators, run.report.operators), allowed)
        if lost:
            fail_candidate(
                draft,
                revision,
                "plan",
                "StateIncompatible",
                "The new pipeline would lose the state of: "
                + "; ".join(lost)
                + ". Keep these parts of the SQL as they were, "
                "or name them in spec.rollout.allowStateLoss.",
            )
            return
        begin_stop(draft, HandOverPurpose.UPGRADE, old, to_run=run.name, to_revision=revision.metadata.name)
    else:
        begin_start(draft, HandOverPurpose.UPGRADE, run.name, revision, known_state(draft))
