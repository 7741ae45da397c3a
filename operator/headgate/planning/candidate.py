"""Brings the revision that the spec asks for to *ready* beside the serving one: revision, build, run, checks. Pure.

Nothing here touches the serving run. A candidate that fails is marked and left alone until the spec asks for another, or a
person asks for another try.
"""

from __future__ import annotations

from datetime import timedelta

from headgate.api.revision import ModelRevision, RevisionPhase
from headgate.api.status import CandidateStatus
from headgate.planning.actions import ApplyRun, CreateRevision, DeleteBuild, RemoveAnnotation, StartBuild
from headgate.planning.draft import Draft
from headgate.planning.gates import FAILED_IN_THE_IMAGE, against_serving, check_gates
from headgate.planning.observation import BuildState, JobManagerState, ObservedBuild, ObservedRun, Signature
from headgate.planning.outcome import abandon, fail_candidate
from headgate.planning.reasons import Reason
from headgate.planning.revisions import has_failed, new_revision, template_of
from headgate.planning.starting import CRASHES
from headgate.planning.takeover import take_over

RETRY = "headgate.dev/retry"
"""The annotation by which a person asks to try a failed revision again."""

_BUILD_AGAIN = timedelta(seconds=30)


def advance_candidate(draft: Draft) -> None:
    """One step towards the target revision; does nothing where it serves already or has failed."""
    target, candidate = draft.status.target, draft.status.candidate
    if candidate is not None and (candidate.revision != target or draft.suspended):
        abandon(draft, candidate)
    if not target or draft.suspended or _serves(draft, target):
        return
    revision = draft.seen.revision(target)
    if not _may_be_tried(draft, revision) or not _goes_on(draft):
        return
    if draft.status.candidate is None:
        draft.set(candidate=CandidateStatus(revision=target, since=draft.now))
        draft.tell(Reason.ROLLOUT_STARTED, f"Revision {target} is the candidate.")
    if revision is None:
        _write_down(draft, target)
    elif not revision.status.image:
        _build(draft, revision, draft.seen.build(target))
    else:
        _prepare(draft, revision)


def _serves(draft: Draft, target: str) -> bool:
    """Whether the target is what serves; where its revision is lost and nothing runs of it, it must be made again."""
    status = draft.status
    if status.serving is None or status.serving.revision != target:
        return False
    return status.run is not None or status.hand_over is not None or draft.seen.revision(target) is not None


def _may_be_tried(draft: Draft, revision: ModelRevision | None) -> bool:
    status, failure = draft.status, draft.status.last_failure
    if revision is None:
        return True
    if draft.annotation(RETRY) and has_failed(revision):
        draft.act(DeleteBuild(revision.metadata.name), RemoveAnnotation(RETRY))
        failed = revision.status.last_failure
        # What spoke against the image lies in it: it is built again, from what lies at the addresses now.
        anew = {"image": ""} if failed is not None and failed.stage in FAILED_IN_THE_IMAGE else {}
        draft.mark(revision, RevisionPhase.PENDING, last_failure=None, gates=(), **anew)
        draft.set(last_failure=None)
        draft.tell(Reason.RETRIED, f"Revision {revision.metadata.name} is tried again, as the annotation asks.")
        draft.wait("another try")
        return False
    if has_failed(revision):
        if status.candidate is not None:
            abandon(draft, status.candidate)
        return False
    if status.candidate is None and failure is not None and failure.revision == revision.metadata.name:
        # It was given up, and the operator ended before that was written into the revision.
        draft.mark(revision, RevisionPhase.FAILED, last_failure=failure)
        return False
    return True


def _goes_on(draft: Draft) -> bool:
    """False while ``spec.rollout.paused`` holds the rollout; its time counts again from where it goes on."""
    candidate = draft.status.candidate
    paused = draft.seen.spec is not None and draft.seen.spec.rollout.paused
    if candidate is not None and candidate.paused is not paused:
        draft.set(candidate=candidate.model_copy(update={"paused": paused, "since": draft.now}))
    if paused:
        draft.wait("spec.rollout.paused to be taken back")
    return not paused


def _write_down(draft: Draft, target: str) -> None:
    if draft.seen.spec is None:
        draft.wait("a valid spec")
        return
    template = template_of(draft.seen.spec)
    revision = new_revision(draft.seen.name, draft.seen.namespace, target, template, draft.seen.revisions)
    draft.act(CreateRevision(revision))
    draft.wait("the revision to be written down")


def _build(draft: Draft, revision: ModelRevision, build: ObservedBuild) -> None:
    name = revision.metadata.name
    if build.state is BuildState.SUCCEEDED and build.result is not None:
        result = build.result
        draft.succeeded("build")
        draft.mark(
            revision,
            RevisionPhase.CHECKING,
            image=result.image,
            version=result.version,
            model_digest=result.model_digest,
            lock_digest=result.lock_digest,
            built_at=draft.now,
        )
        draft.tell(Reason.IMAGE_BUILT, f"Image {result.image} holds version {result.version}.")
        draft.wait("the image to be noted")
    elif build.state in {BuildState.FAILED, BuildState.SUCCEEDED}:
        _build_failed(draft, revision, build)
    elif build.state is BuildState.ABSENT and draft.seen.free_builders < 1:
        draft.wait("a free builder")
    elif build.state is BuildState.ABSENT:
        draft.act(StartBuild(name))
        draft.mark(revision, RevisionPhase.BUILDING)
        draft.tell(Reason.BUILD_STARTED, f"Building the image of revision {name}.")
        draft.wait("the image to be built")
    else:
        detail = f": {build.message}" if build.message else ""
        draft.wait(f"the image to be built{detail}")


def _build_failed(draft: Draft, revision: ModelRevision, build: ObservedBuild) -> None:
    """A build that may succeed next time is started again after a while; any other is the revision's failure."""
    reason = build.reason or Reason.BUILD_FAILED.value
    message = build.message or "The build ended without naming an image."
    if not build.transient:
        fail_candidate(draft, revision, "build", reason, message)
        return
    draft.failed("build", reason, message, revision.metadata.name)
    if build.finished is None or draft.seen.now - build.finished >= _BUILD_AGAIN:
        draft.act(DeleteBuild(revision.metadata.name))
    draft.wait(f"another try to build: {message}")


def _prepare(draft: Draft, revision: ModelRevision) -> None:
    """Bring the candidate's run up to *ready*: image pulled, model loaded and tested, plan made."""
    candidate = draft.status.candidate
    if candidate is None:
        return
    if not candidate.run:
        said = revision.status
        changes = {"version": said.version, "model_digest": said.model_digest, "image": said.image}
        candidate = candidate.model_copy(update={**changes, "run": draft.new_run(), "since": draft.now})
        draft.set(candidate=candidate)
    run = draft.seen.run(candidate.run)
    serving = _serving_signature(draft)
    gates = check_gates(revision, run.report, serving, draft.now) if run is not None else revision.status.gates
    draft.mark(revision, RevisionPhase.CANDIDATE, gates=gates)
    if run is None or not run.intact or run.job_manager is JobManagerState.ABSENT:
        draft.act(ApplyRun(draft.run_spec(candidate.run, revision)))
    problem = _problem(draft, run, candidate)
    if problem is not None:
        fail_candidate(draft, revision, *problem)
    elif run is None or not run.report.ready or not run.task_managers_ready:
        stage = f" ({run.report.stage})" if run is not None and run.report.stage else ""
        detail = f": {run.pod_problem}" if run is not None and run.pod_problem else ""
        draft.wait(f"the candidate to be ready{stage}{detail}")
    else:
        take_over(draft, revision, run, candidate)


def _serving_signature(draft: Draft) -> Signature | None:
    run = draft.seen.run(draft.status.run.name) if draft.status.run is not None else None
    return run.report.signature if run is not None else None


def _problem(draft: Draft, run: ObservedRun | None, candidate: CandidateStatus) -> tuple[str, str, str] | None:
    """Stage, reason and message of what speaks against the candidate; None where nothing does so far."""
    if run is not None:
        stage = run.report.stage or "start"
        if run.report.reason:
            differs = against_serving(run.report.signature, _serving_signature(draft)) if stage == "plan" else ""
            return stage, run.report.reason, f"{run.report.message} {differs}".rstrip()
        if run.job_manager in {JobManagerState.FAILED, JobManagerState.ENDED} or run.job_manager_restarts >= CRASHES:
            detail = run.pod_problem or "its log says why."
            return stage, Reason.POD_FAILED, f"The JobManager of run {run.name} ends before it is ready: {detail}"
        if run.report.ready and run.task_managers_ready:
            return None
    if draft.older_than(candidate.since, draft.deadline):
        detail = run.pod_problem if run is not None and run.pod_problem else "It never reported that it is ready."
        message = f"The candidate was not ready within {draft.deadline_text}. {detail}"
        return "start", Reason.PROGRESS_DEADLINE_EXCEEDED, message
    return None
