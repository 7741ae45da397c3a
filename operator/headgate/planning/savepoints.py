"""A savepoint that a person asks for, by the annotation ``headgate.dev/savepoint``, while the stream goes on. Pure.

It is a copy to keep, never what the stream goes on from by itself: results shown after it would be shown twice.
"""

from __future__ import annotations

from headgate.api.status import SavepointRequestStatus, SavepointStatus
from headgate.planning.actions import RemoveAnnotation, TakeSavepoint
from headgate.planning.draft import WATCHING, Draft
from headgate.planning.observation import ObservedRun
from headgate.planning.reasons import Reason

SAVEPOINT = "headgate.dev/savepoint"


def advance_savepoint(draft: Draft, run: ObservedRun) -> None:
    """One step of a savepoint that was asked of the serving run, which runs."""
    request = draft.status.savepoint_request
    if request is not None and (request.run != run.name or not draft.annotation(SAVEPOINT)):
        draft.set(savepoint_request=None)
        return
    if request is None:
        if draft.annotation(SAVEPOINT):
            _ask(draft, run)
        return
    found = run.savepoint
    if found is None or not found.found:
        draft.act(_asking(draft, run, request))
        draft.wait("the savepoint that was asked for", WATCHING)
    elif not found.done:
        draft.wait("the savepoint that was asked for", WATCHING)
    else:
        _taken(draft, run, found.path, found.failure)


def _ask(draft: Draft, run: ObservedRun) -> None:
    trigger = draft.trigger(run.name, run.job_id, "Savepoint")
    request = SavepointRequestStatus(run=run.name, job_id=run.job_id, trigger=trigger, since=draft.now)
    draft.set(savepoint_request=request)
    draft.act(_asking(draft, run, request))
    draft.wait("the savepoint that was asked for", WATCHING)


def _asking(draft: Draft, run: ObservedRun, request: SavepointRequestStatus) -> TakeSavepoint:
    # Beside the run's folder, not in it: whoever looks for the newest snapshot of the run must not find it.
    folder = f"{draft.folder(run.name, run.revision).rpartition('/')[0]}/savepoints"
    return TakeSavepoint(run.name, request.job_id, request.trigger, folder)


def _taken(draft: Draft, run: ObservedRun, path: str, failure: str) -> None:
    draft.set(savepoint_request=None)
    draft.act(RemoveAnnotation(SAVEPOINT))
    if path:
        draft.set(savepoint=SavepointStatus(path=path, time=draft.now, revision=run.revision))
        draft.succeeded("savepoint")
        draft.tell(Reason.SAVEPOINT_COMPLETED, f"Savepoint {path} of run {run.name} was taken.")
    else:
        message = f"Run {run.name} could not make the savepoint that was asked for: {failure}"
        draft.failed("savepoint", Reason.SAVEPOINT_FAILED, message)
