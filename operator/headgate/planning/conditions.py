"""Says what is the case, for people and for programs: the conditions of a plan's status. Pure.

``Ready``, ``Reconciling`` and ``Stalled`` follow kstatus: Ready is true only when the revision that the spec asks for serves
and its job runs; Reconciling and Stalled are there only while they hold.
"""

from __future__ import annotations

from headgate.api.status import Condition, ConditionStatus, ConditionType, Phase
from headgate.planning.draft import Draft
from headgate.planning.observation import FlinkState
from headgate.planning.revisions import has_failed

Said = tuple[ConditionStatus, str, str]


def summarize(draft: Draft) -> None:
    """Write the conditions into the draft; times change only with the status that they belong to."""
    said = _said(draft)
    before = {c.type: c for c in draft.status.conditions}
    conditions = []
    for kind in ConditionType:
        if kind not in said:
            continue
        status, reason, message = said[kind]
        old = before.get(kind.value)
        since = old.last_transition_time if old is not None and old.status is status else draft.now
        conditions.append(
            Condition(
                type=kind.value,
                status=status,
                reason=reason,
                message=message,
                observed_generation=draft.seen.generation,
                last_transition_time=since,
            )
        )
    if (draft.seen.problems or _target_failed(draft)) and draft.status.serving is None:
        draft.set(phase=Phase.FAILED)
    draft.set(conditions=tuple(conditions))


def _target_failed(draft: Draft) -> bool:
    serving = draft.status.serving
    if serving is not None and serving.revision == draft.status.target:
        return False
    failed_now = draft.status.last_failure is not None and draft.status.last_failure.revision == draft.status.target
    return has_failed(draft.seen.revision(draft.status.target)) or (failed_now and draft.status.candidate is None)


def _said(draft: Draft) -> dict[ConditionType, Said]:
    said: dict[ConditionType, Said] = {}
    ready = _ready(draft)
    said[ConditionType.READY] = ready
    stalled = _stalled(draft)
    if stalled is not None:
        said[ConditionType.STALLED] = stalled
    elif ready[0] is not ConditionStatus.TRUE or draft.status.candidate is not None:
        what = draft.waiting_for or "the next step"
        said[ConditionType.RECONCILING] = (ConditionStatus.TRUE, "Progressing", f"Waiting for {what}.")
    said[ConditionType.JOB_RUNNING] = _job_running(draft)
    image = _image_built(draft)
    if image is not None:
        said[ConditionType.IMAGE_BUILT] = image
    said[ConditionType.ROLLOUT_HEALTHY] = _rollout(draft)
    return said


def _ready(draft: Draft) -> Said:
    status = draft.status
    if draft.seen.deleting is not None:
        return ConditionStatus.FALSE, "Deleting", "The object is being deleted."
    if draft.seen.problems:
        return ConditionStatus.FALSE, "InvalidSpec", f"The spec has {len(draft.seen.problems)} problems; see Stalled."
    if status.serving is None:
        return ConditionStatus.FALSE, "NothingServes", "No revision serves yet."
    if status.serving.revision != status.target:
        reason = "RolloutFailed" if _target_failed(draft) else "RolloutInProgress"
        return (
            ConditionStatus.FALSE,
            reason,
            f"Revision {status.serving.revision} serves; the spec asks for {status.target}.",
        )
    if status.run is None or status.hand_over is not None or _state(draft) is not FlinkState.RUNNING:
        return ConditionStatus.FALSE, "NotRunning", f"Revision {status.serving.revision} does not score records now."
    return ConditionStatus.TRUE, "Serving", f"Version {status.serving.version} scores records."


def _state(draft: Draft) -> FlinkState:
    run = draft.status.run
    if run is None:
        return FlinkState.UNKNOWN
    seen = draft.seen.run(run.name)
    return seen.flink if seen is not None else FlinkState.UNKNOWN


def _stalled(draft: Draft) -> Said | None:
    if draft.seen.problems:
        return ConditionStatus.TRUE, "InvalidSpec", "; ".join(draft.seen.problems)
    if _target_failed(draft):
        revision = draft.seen.revision(draft.status.target)
        failure = revision.status.last_failure if revision is not None else None
        failure = failure or draft.status.last_failure
        if failure is not None:
            return ConditionStatus.TRUE, failure.reason, f"{failure.stage}: {failure.message}"
    return None


def _job_running(draft: Draft) -> Said:
    state = _state(draft)
    if state is FlinkState.RUNNING:
        return (
            ConditionStatus.TRUE,
            "Running",
            f"Run {draft.status.run.name if draft.status.run else ''} scores records.",
        )
    if draft.status.run is None:
        return ConditionStatus.FALSE, "NoRun", "There is no run."
    unknown = state is FlinkState.UNKNOWN
    return (ConditionStatus.UNKNOWN if unknown else ConditionStatus.FALSE), state.value, f"Flink says: {state.value}."


def _image_built(draft: Draft) -> Said | None:
    revision = draft.seen.revision(draft.status.target)
    if revision is None:
        return None
    if revision.status.image:
        return ConditionStatus.TRUE, "Built", revision.status.image
    failure = revision.status.last_failure or draft.status.last_failure
    if failure is not None and failure.stage == "build" and failure.revision == draft.status.target:
        return ConditionStatus.FALSE, failure.reason, failure.message
    return ConditionStatus.FALSE, "Building", "The image is being built."


def _rollout(draft: Draft) -> Said:
    if _target_failed(draft):
        return (
            ConditionStatus.FALSE,
            "CandidateFailed",
            f"Revision {draft.status.target} failed; what served goes on serving.",
        )
    return ConditionStatus.TRUE, "Healthy", "Nothing speaks against the rollout."
