"""Rounds of objects: one task each, woken, ended, and begun again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

from headgate.controller import Outcome
from headgate.rounds import Rounds

_KEY = ("shop", "churn")
_LATER = Outcome(timedelta(hours=1))
_GONE = Outcome(None)


class Controller:
    """Gives one outcome after another, and remembers how often it was asked."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.outcomes = list(outcomes)
        self.asked = 0
        self.in_a_round: Callable[[], None] = lambda: None

    def reconcile(self, namespace: str, name: str) -> Outcome:
        assert (namespace, name) == _KEY
        self.asked += 1
        self.in_a_round()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def has_been_asked(self, times: int) -> None:
        """Until there were so many rounds."""
        async with asyncio.timeout(10):
            while self.asked < times:
                await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert self.asked == times


def test_a_task_looks_when_it_is_woken_or_the_object_was_changed_and_not_otherwise() -> None:
    async def story() -> None:
        controller = Controller(_LATER)
        rounds = Rounds(controller.reconcile)
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(1)
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(1)
        rounds.look_after(_KEY, asked=2)
        await controller.has_been_asked(2)
        rounds.wake(_KEY)
        await controller.has_been_asked(3)
        rounds.wake(("shop", "nobody"))
        await rounds.end()
        assert controller.asked == 3

    asyncio.run(story())


def test_an_object_that_is_gone_is_looked_after_again_when_it_comes_back() -> None:
    async def story() -> None:
        controller = Controller(_GONE, _LATER)
        rounds = Rounds(controller.reconcile)
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(1)
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(2)
        await rounds.end()

    asyncio.run(story())


def test_an_object_that_comes_back_while_its_last_round_goes_on_is_not_forgotten() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        controller = Controller(_GONE, _LATER)
        rounds = Rounds(controller.reconcile)
        seen = threading.Event()

        def made_again() -> None:
            rounds.look_after(_KEY, asked=2)
            seen.set()

        def in_a_round() -> None:
            controller.in_a_round = lambda: None
            loop.call_soon_threadsafe(made_again)
            assert seen.wait(10)

        controller.in_a_round = in_a_round
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(2)
        await rounds.end()

    asyncio.run(story())


def test_a_mistake_in_one_round_is_followed_by_another_round() -> None:
    async def story() -> None:
        controller = Controller(ValueError("a mistake"), _LATER)
        rounds = Rounds(controller.reconcile)
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(1)
        rounds.wake(_KEY)
        await controller.has_been_asked(2)
        await rounds.end()

    asyncio.run(story())


def test_an_operator_that_ends_begins_nothing() -> None:
    async def story() -> None:
        controller = Controller(_LATER)
        rounds = Rounds(controller.reconcile)
        await rounds.end()
        rounds.look_after(_KEY, asked=1)
        await controller.has_been_asked(0)

    asyncio.run(story())
