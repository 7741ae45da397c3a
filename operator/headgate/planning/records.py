"""Keeps the ModelRevisions true to what the status says: which serves, which served, which came to nothing. Pure.

The status is what decides; a revision's own status is told from it, so that a round that was cut short is made good by the next.
"""

from __future__ import annotations

from headgate.api.revision import ModelRevision, RevisionPhase
from headgate.api.status import ServingStatus
from headgate.planning.actions import CreateRevision, DeleteRevision, UpdateRevision
from headgate.planning.draft import Draft
from headgate.planning.revisions import new_revision, outdated, template_of

_UNDER_WAY = {RevisionPhase.BUILDING, RevisionPhase.CHECKING, RevisionPhase.CANDIDATE}


def keep_records(draft: Draft) -> None:
    """Write down what became of every revision, where it is not said yet, and forget those beyond the history limit."""
    serving, candidate = draft.status.serving, draft.status.candidate
    told = {action.name for action in draft.actions if isinstance(action, UpdateRevision)}
    for revision in draft.seen.revisions:
        name, phase = revision.metadata.name, revision.status.phase
        if name in told:
            continue
        if serving is not None and name == serving.revision:
            _serves(draft, revision, serving)
        elif phase is RevisionPhase.SERVING:
            draft.mark(revision, RevisionPhase.RETIRED, retired_at=draft.now)
        elif phase in _UNDER_WAY and (candidate is None or name != candidate.revision):
            draft.mark(revision, RevisionPhase.PENDING)
    if serving is not None and draft.seen.revision(serving.revision) is None:
        _write_down_again(draft, serving)
    _forget(draft)


def _serves(draft: Draft, revision: ModelRevision, serving: ServingStatus) -> None:
    image = revision.status.image or serving.image
    draft.mark(
        revision,
        RevisionPhase.SERVING,
        image=image,
        version=revision.status.version or serving.version,
        model_digest=revision.status.model_digest or serving.model_digest,
        served_at=serving.since,
        last_failure=None,
    )


def _write_down_again(draft: Draft, serving: ServingStatus) -> None:
    """A revision that somebody deleted, as long as the spec still says what it was."""
    spec = draft.seen.spec
    if spec is not None and serving.revision == draft.status.target and serving.image:
        template, known = template_of(spec), draft.seen.revisions
        draft.act(
            CreateRevision(new_revision(draft.seen.name, draft.seen.namespace, serving.revision, template, known))
        )  # fmt: skip


def _forget(draft: Draft) -> None:
    keep = {draft.status.target, draft.status.serving.revision if draft.status.serving is not None else ""}
    limit = draft.seen.spec.rollout.revision_history_limit if draft.seen.spec is not None else 10
    draft.act(*(DeleteRevision(name) for name in outdated(draft.seen.revisions, frozenset(keep), limit)))
