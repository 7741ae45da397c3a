"""The decision of one reconcile: an observation in, a plan out. Pure, total and deterministic.

The status of the plan is written before its actions are done, so that whoever comes after a crash finds what was meant to be
done and does it again, which does no harm. After a plan was carried out and nothing else changed, the next plan does nothing.
"""

from __future__ import annotations

from headgate.api.status import HandOverPurpose, HandOverStage
from headgate.planning.actions import AddFinalizer, DeleteBuild
from headgate.planning.candidate import advance_candidate
from headgate.planning.conditions import summarize
from headgate.planning.deletion import FINALIZER, plan_deletion
from headgate.planning.draft import Draft, Plan
from headgate.planning.handover import advance_hand_over
from headgate.planning.observation import Observation
from headgate.planning.outcome import is_over
from headgate.planning.records import keep_records
from headgate.planning.revisions import revision_name_of, template_of
from headgate.planning.serving import maintain_serving

__all__ = ["Plan", "plan"]


def plan(seen: Observation) -> Plan:
    """Decide what is to be done about ``seen``."""
    draft = Draft(seen, seen.status)
    # What was measured in an earlier round is not the case any more: it is set where a serving run is looked after.
    draft.set(observed_generation=seen.generation, records_per_second=None, pending_records=None)
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
    if draft.status.hand_over is not None:
        advance_hand_over(draft)
    else:
        maintain_serving(draft)
    if _candidate_may_move(draft):
        advance_candidate(draft)
    if draft.status.hand_over is None:
        _tidy(draft)
        keep_records(draft)


def _candidate_may_move(draft: Draft) -> bool:
    """While nothing is handed over, and beside what is being brought back: the candidate may be what mends it."""
    hand_over = draft.status.hand_over
    if hand_over is None:
        return True
    brings_back = hand_over.stage is HandOverStage.STARTING and hand_over.purpose is not HandOverPurpose.UPGRADE
    return brings_back and hand_over == draft.seen.status.hand_over


def _tidy(draft: Draft) -> None:
    """Take away runs and builds that nobody needs."""
    status = draft.status
    needed = {status.candidate.run} if status.candidate is not None else set()
    if status.run is not None and not is_over(status.run):
        needed.add(status.run.name)
    draft.take_away(*(run.name for run in draft.seen.runs if run.name not in needed))
    draft.act(*(DeleteBuild(build.revision) for build in draft.seen.builds if build.revision != status.target))
