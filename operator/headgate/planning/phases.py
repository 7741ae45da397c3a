"""The one word of ``kubectl get``, told from the rest of the status; and whether what the spec asks for has failed. Pure."""

from __future__ import annotations

from headgate.api.status import HandOverPurpose, ModelDeploymentStatus, Phase
from headgate.planning.draft import Draft
from headgate.planning.outcome import is_over
from headgate.planning.revisions import has_failed

_CHECKS = {"contract", "verify", "load", "smoke", "plan", "goldens"}


def target_failed(draft: Draft) -> bool:
    """Whether the revision that the spec asks for was tried, failed, and does not serve."""
    status, failure = draft.status, draft.status.last_failure
    if not status.target or (status.serving is not None and status.serving.revision == status.target):
        return False
    if status.candidate is not None and status.candidate.revision == status.target:
        return False
    given_up = failure is not None and failure.revision == status.target
    retried = any(event.reason == "Retried" for event in draft.events)
    return (has_failed(draft.seen.revision(status.target)) and not retried) or given_up


def phase_of(draft: Draft) -> Phase:
    """The first word that fits."""
    status = draft.status
    if draft.seen.deleting is not None:
        return Phase.DELETING
    if status.hand_over is not None:
        return _handing_over(status)
    if draft.suspended and status.run is None:
        return Phase.SUSPENDED
    if status.serving is not None:
        return _serving(status)
    if status.candidate is not None:
        return _candidate(draft)
    return Phase.FAILED if draft.seen.spec is None or target_failed(draft) else Phase.PENDING


def _handing_over(status: ModelDeploymentStatus) -> Phase:
    if status.hand_over is not None and status.hand_over.purpose is HandOverPurpose.ROLLBACK:
        return Phase.ROLLING_BACK
    return Phase.HANDING_OVER if status.serving is not None else Phase.STARTING


def _serving(status: ModelDeploymentStatus) -> Phase:
    if status.candidate is not None:
        return Phase.ROLLING_OUT
    if status.run is None:
        return Phase.FAILED
    return Phase.FINISHED if is_over(status.run) else Phase.SERVING


def _candidate(draft: Draft) -> Phase:
    revision = draft.seen.revision(draft.status.target)
    run = draft.seen.run(draft.status.candidate.run) if draft.status.candidate is not None else None
    if revision is None:
        return Phase.PENDING
    if not revision.status.image:
        return Phase.BUILDING
    return Phase.CHECKING if run is not None and run.report.stage in _CHECKS else Phase.STARTING
