"""A stream stops with a savepoint, and one starts from it; every step is in the status before it is done. Pure."""

from __future__ import annotations

from headgate.api.status import HandOverStage
from headgate.planning.draft import Draft
from headgate.planning.starting import advance_start
from headgate.planning.stopping import advance_stop


def advance_hand_over(draft: Draft) -> None:
    """One step of the hand-over that is under way."""
    hand_over = draft.status.hand_over
    if hand_over is None:
        return
    if hand_over.stage is HandOverStage.STOPPING:
        advance_stop(draft, hand_over)
    else:
        advance_start(draft, hand_over)
