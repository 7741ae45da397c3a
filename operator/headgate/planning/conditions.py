"""Says what is the case, for people and for programs: phase and conditions of a plan's status. Pure.

``Ready``, ``Reconciling`` and ``Stalled`` follow kstatus: Ready is true only when the revision that the spec asks for serves
and its job runs; Reconciling and Stalled are there only while they hold, and never together.
"""

from __future__ import annotations

from headgate.api.status import Condition, ConditionStatus, ConditionType
from headgate.planning.draft import Draft, clip
from headgate.planning.observation import FlinkState
from headgate.planning.outcome import FINISHED, is_over
from headgate.planning.phases import phase_of, target_failed
from headgate.planning.reasons import Reason

Said = tuple[ConditionStatus, str, str]

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

_FLINK = {
    FlinkState.UNKNOWN: (_UNKNOWN, Reason.UNREACHABLE, "Flink does not answer."),
    FlinkState.NONE: (_FALSE, Reason.STARTING, "main() has not submitted the job yet."),
    FlinkState.STARTING: (_FALSE, Reason.STARTING, "The job's tasks start."),
    FlinkState.RUNNING: (_TRUE, Reason.RUNNING, "Every task runs."),
    FlinkState.RESTARTING: (_FALSE, Reason.RESTARTING, "Flink restarts the job."),
    FlinkState.ENDED: (_FALSE, Reason.FINISHED, "The job came to its end."),
    FlinkState.FAILED: (_FALSE, Reason.JOB_FAILED, "Flink gave the job up."),
}


def summarize(draft: Draft) -> None:
    """Write phase and conditions into the draft; times change only with the status that they belong to."""
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
                reason=str(reason),
                message=clip(message),
                observed_generation=max(draft.seen.generation, 0),
                last_transition_time=since,
            )
        )
    draft.set(conditions=tuple(conditions), phase=phase_of(draft))


def _said(draft: Draft) -> dict[ConditionType, Said]:
    said: dict[ConditionType, Said] = {ConditionType.READY: _ready(draft)}
    stalled = _stalled(draft)
    if stalled is not None:
        said[ConditionType.STALLED] = (_TRUE, *stalled)
    elif _moves(draft):
        paused = draft.seen.spec is not None and draft.seen.spec.rollout.paused and draft.status.hand_over is None
        reason = Reason.PAUSED if paused and said[ConditionType.READY][0] is _FALSE else Reason.PROGRESSING
        said[ConditionType.RECONCILING] = (_TRUE, reason, f"Waiting for {draft.waiting_for or 'the next step'}.")
    said[ConditionType.JOB_RUNNING] = _job_running(draft)
    image = _image_built(draft)
    if image is not None:
        said[ConditionType.IMAGE_BUILT] = image
    said[ConditionType.ROLLOUT_HEALTHY] = _rollout(draft)
    return said


def _moves(draft: Draft) -> bool:
    status = draft.status
    return bool(draft.waiting_for or status.candidate or status.hand_over or draft.actions)


def _ready(draft: Draft) -> Said:
    status = draft.status
    if draft.seen.deleting is not None:
        return _FALSE, Reason.DELETING, "The object is being deleted."
    if draft.seen.problems or draft.seen.spec is None:
        return _FALSE, Reason.INVALID_SPEC, f"The spec has {len(draft.seen.problems)} problems; see Stalled."
    if status.serving is None:
        return _FALSE, Reason.NOTHING_SERVES, "No revision serves yet."
    if draft.suspended:
        return _FALSE, Reason.SUSPENDED, "The stream stands still because spec.suspend says so."
    serves = f"Revision {status.serving.revision} serves; the spec asks for {status.target}."
    if status.serving.revision != status.target:
        return _FALSE, Reason.ROLLOUT_FAILED if target_failed(draft) else Reason.ROLLOUT_IN_PROGRESS, serves
    if status.run is not None and is_over(status.run):
        return _FALSE, Reason.FINISHED, "The stream came to its end."
    if status.run is None or status.hand_over is not None or _flink(draft) is not FlinkState.RUNNING:
        return _FALSE, Reason.NOT_RUNNING, f"Revision {status.serving.revision} does not score records now."
    return _TRUE, Reason.SERVING, f"Version {status.serving.version} scores records."


def _flink(draft: Draft) -> FlinkState:
    run = draft.seen.run(draft.status.run.name) if draft.status.run is not None else None
    return run.flink if run is not None else FlinkState.UNKNOWN


def _stalled(draft: Draft) -> tuple[str, str] | None:
    if draft.stalled is not None:
        return draft.stalled
    if draft.seen.deleting is not None:
        return None
    if draft.seen.problems or draft.seen.spec is None:
        return Reason.INVALID_SPEC, "; ".join(draft.seen.problems)
    if not target_failed(draft) or draft.status.hand_over is not None:
        return None
    revision = draft.seen.revision(draft.status.target)
    failure = revision.status.last_failure if revision is not None else None
    failure = failure or draft.status.last_failure
    if failure is None:
        return Reason.ROLLOUT_FAILED, f"Revision {draft.status.target} failed."
    return failure.reason, f"{failure.stage}: {failure.message}"


def _job_running(draft: Draft) -> Said:
    status = draft.status
    if status.hand_over is not None:
        reason = Reason.STOPPING if status.hand_over.stage.value == "Stopping" else Reason.STARTING
        what = status.hand_over.from_run if reason is Reason.STOPPING else status.hand_over.to_run
        return _FALSE, reason, f"Run {what}: {draft.waiting_for or status.hand_over.stage.value}."
    if status.run is None:
        return _FALSE, Reason.NO_RUN, "There is no run."
    if is_over(status.run):
        how = (
            "A bounded stream came to its end."
            if status.run.state == FINISHED
            else "The job ended, and nobody here asked."
        )
        return _FALSE, Reason.FINISHED, how
    condition, reason, message = _FLINK[_flink(draft)]
    return condition, reason, f"Run {status.run.name}: {message}"


def _image_built(draft: Draft) -> Said | None:
    revision, failure = draft.seen.revision(draft.status.target), draft.status.last_failure
    if revision is None:
        return None
    if revision.status.image:
        return _TRUE, Reason.BUILT, revision.status.image
    for one in (revision.status.last_failure, failure):
        if one is not None and one.stage == "build" and one.revision == draft.status.target:
            return _FALSE, one.reason, one.message
    return _FALSE, Reason.BUILDING, "The image is being built."


def _rollout(draft: Draft) -> Said:
    if target_failed(draft):
        return _FALSE, Reason.ROLLOUT_FAILED, f"Revision {draft.status.target} failed; what served goes on serving."
    return _TRUE, Reason.HEALTHY, "Nothing speaks against the rollout."
