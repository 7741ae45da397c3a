"""Round after round for every ModelDeployment that there is: one task an object, woken by events and by its own timer.

Called by ``handlers``, which knows of events; decides nothing. A task lives until its object is gone and does not mind how
that came about: an operator that starts in the middle of a deletion goes on with it. When the operator itself ends, rounds
under way are finished and nothing is torn down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.controller import BACK_OFF, Outcome

log = logging.getLogger("headgate")

Key = tuple[str, str]
"""Namespace and name."""
Reconcile = Callable[[str, str], Outcome]

_PATIENCE_S = 60.0
"""For rounds under way when the operator ends."""


@dataclass(slots=True)
class _Care:
    """One object's task, and what wakes it."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    asked: object = None


class Rounds:
    """Looks after objects, each in a task of its own; all calls from the event loop's thread."""

    def __init__(self, reconcile: Reconcile) -> None:
        self.reconcile = reconcile
        self._cared: dict[Key, _Care] = {}
        self._ending = False

    def look_after(self, key: Key, asked: object) -> None:
        """There is such an object. ``asked``: all that a person may change; the task looks at once where that is new."""
        care = self._cared.get(key)
        if care is None:
            if self._ending:
                return
            care = self._cared[key] = _Care()
            care.task = asyncio.get_running_loop().create_task(
                self._rounds(key, care), name=f"rounds of {'/'.join(key)}"
            )
        elif care.asked != asked:
            care.wake.set()
        care.asked = asked

    def wake(self, key: Key) -> None:
        """Something that belongs to the object changed; one that nobody looks after is none of ours."""
        if key in self._cared:
            self._cared[key].wake.set()

    async def end(self) -> None:
        """Finish the rounds under way, and begin none."""
        self._ending = True
        tasks = [care.task for care in self._cared.values() if care.task is not None]
        for care in self._cared.values():
            care.wake.set()
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE_S)

    async def _rounds(self, key: Key, care: _Care) -> None:
        while not self._ending:
            care.wake.clear()
            outcome = await self._round(key)
            # Woken in the meantime: it may be there again under the same name.
            if outcome.requeue is None and not care.wake.is_set():
                break
            if outcome.requeue is not None:
                await _either(care.wake, outcome.requeue.total_seconds())
        self._cared.pop(key, None)

    async def _round(self, key: Key) -> Outcome:
        try:
            return await asyncio.to_thread(self.reconcile, *key)
        except Exception:
            # A mistake of ours in one object must not end its rounds: say it with its trace, and look again.
            log.exception("%s/%s: the round failed", *key)
            return Outcome(BACK_OFF * 6)


async def _either(wake: asyncio.Event, seconds: float) -> None:
    """Until the event, or until so much time has passed."""
    try:
        await asyncio.wait_for(wake.wait(), seconds)
    except TimeoutError:
        return
