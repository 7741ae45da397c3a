"""The decision of one reconcile: an observation in, a plan out. Pure, total and deterministic.

The status of the plan is written before its actions are done, so that whoever comes after a crash finds what was meant to be
done and does it again, which does no harm. After a plan was carried out and nothing else changed, the next plan does nothing.
"""

from __future__ import annotations

from headgate.planning.actions import AddFinalizer, DeleteRevision, DeleteRun
from headgate.planning.candidate import advance_candidate
from headgate.planning.conditions import summarize
from headgate.planning.deletion import FINALIZER, plan_deletion
from headgate.planning.draft import Draft, Plan
from headgate.planning.handover import advance_hand_over
from headgate.planning.observation import Observation
from headgate.planning.revisions import outdated, revision_name_of, template_of
from headgate.planning.serving import maintain_serving

__all__ = ["Plan", "plan"]


def plan(seen: Observation) -> Plan:
    """Decide what is to be done about ``seen``."""
    draft = Draft(seen, seen.status)
    if seen.deleting is not None:
        plan_deletion(draft)
    else:
        _live(draft)
    summarize(draft)
    return Plan(draft.status, tuple(draft.actions), tuple(draft.events), draft.requeue)


def _live(draft: Draft) -> None:
    if FINALIZER not in draft.seen.finalizers:
        draft.act(AddFinalizer())
    if draft.seen.spec is not None:
        draft.set(target=revision_name_of(draft.seen.name, template_of(draft.seen.spec)))
    draft.set(observed_generation=draft.seen.generation)
    if draft.status.hand_over is not None:
        advance_hand_over(draft)
        return
    maintain_serving(draft)
    suspended = draft.seen.spec is not None and draft.seen.spec.suspend
    if draft.status.hand_over is None and not suspended:
        advance_candidate(draft)
    if draft.status.hand_over is None:
        _tidy(draft)


def _tidy(draft: Draft) -> None:
    """Runs that nobody needs, and revisions beyond the history limit."""
    status = draft.status
    needed = {
        status.run.name if status.run is not None else "",
        status.candidate.run if status.candidate is not None else "",
    }
    going = {a.run for a in draft.actions if isinstance(a, DeleteRun)}
    draft.act(*(DeleteRun(r.name) for r in draft.seen.runs if r.name not in needed | going))
    keep = {status.target, status.serving.revision if status.serving is not None else ""}
    limit = draft.seen.spec.rollout.revision_history_limit if draft.seen.spec is not None else 10
    draft.act(*(DeleteRevision(name) for name in outdated(draft.seen.revisions, frozenset(keep), limit)))
