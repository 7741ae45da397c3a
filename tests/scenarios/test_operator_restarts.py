"""The operator dies and comes back, the API server refuses a write: the world ends up the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headgate.api.status import dump_status, parse_status
from scenarios.story import Story
from scenarios.world.operator import reconcile

STORIES: dict[str, Callable[[Story], object]] = {
    "a first deploy": lambda s: s,
    "a version bump": lambda s: s.given_serving("1").when_applied("2"),
    "a build that fails": lambda s: s.given_serving("1").given("2", build_fails="ModelTruncated").when_applied("2"),
    "a check that fails": lambda s: s.given_serving("1").given("2", fails_at="load").when_applied("2"),
    "a rollback": lambda s: s.given_serving("1").given("2", crash_after=2).when_applied("2"),
    "a change of mind": lambda s: s.given_serving("1").when_applied("2").until_hand_over("Starting").when_applied("1"),
    "a suspension": lambda s: s.given_serving("1").when_applied("1", suspend=True),
    "a resumption": lambda s: s.given_serving("1").when_applied("1", suspend=True).until_settled().when_applied("1"),
    "a restoration": lambda s: s.given_serving("1").run.delete(),
    "a deletion": lambda s: s.given_serving("1").world.delete(),
}


def _end(story: Story) -> dict[str, Any]:
    """What a world came to, without times, counters and names that count on."""
    status = parse_status(story.world.status)
    wire = dump_status(status)
    failure = wire.get("lastFailure") or {}
    return {
        "gone": story.world.gone,
        "phase": wire.get("phase"),
        "serving": (wire.get("serving") or {}).get("revision"),
        "candidate": wire.get("candidate"),
        "failure": (failure.get("stage"), failure.get("reason"), failure.get("revision")),
        "conditions": {c["type"]: (c["status"], c["reason"]) for c in wire["conditions"]},
        "revisions": {name: (r.status.phase, r.status.image) for name, r in story.world.revisions.items()},
        "runs": sorted(run.spec.revision for run in story.world.runs.values()),
        "annotations": story.world.annotations,
    }


def _rounds(begin: Callable[[Story], object]) -> tuple[dict[str, Any], list[int]]:
    """What a story comes to by itself, and how many effects each of its rounds has."""
    story, effects = Story(), []
    begin(story)
    for _ in range(80):
        decided = reconcile(story.world)
        effects.append(0 if decided is None else len(decided.actions) + 1)
        story.world.advance()
    return _end(story.until_settled()), effects


@pytest.mark.parametrize("begin", STORIES.values(), ids=STORIES.keys())
def test_dying_after_any_single_effect_comes_to_the_same_world(begin: Callable[[Story], object]) -> None:
    expected, effects = _rounds(begin)
    for number, count in enumerate(effects):
        for survived in range(count if count > 1 else 0):
            story = Story()
            begin(story)
            story.passes(number)
            reconcile(story.world, effects=survived)
            story.world.advance()
            assert _end(story.until_settled()) == expected, f"died in round {number} after {survived} effects"


@pytest.mark.parametrize("begin", STORIES.values(), ids=STORIES.keys())
def test_an_operator_that_is_away_for_a_while_comes_to_the_same_world(begin: Callable[[Story], object]) -> None:
    expected, effects = _rounds(begin)
    for number in [n for n, count in enumerate(effects) if count > 1]:
        story = Story()
        begin(story)
        story.passes(number)
        reconcile(story.world, effects=1)
        for _ in range(40):
            story.world.advance()
        assert _end(story.until_settled()) == expected, f"away after the status of round {number}"


@pytest.mark.parametrize("begin", STORIES.values(), ids=STORIES.keys())
def test_a_write_that_is_refused_is_planned_again(begin: Callable[[Story], object]) -> None:
    expected, effects = _rounds(begin)
    for number in [n for n, count in enumerate(effects) if count > 1]:
        story = Story()
        begin(story)
        story.passes(number)
        story.world.conflict = True
        assert _end(story.until_settled()) == expected, f"refused in round {number}"


def test_an_operator_that_comes_back_to_a_settled_world_does_nothing(story: Story) -> None:
    story.given_serving("1").operator_lives = False
    story.passes(600).operator_lives = True
    before = len(story.world.actions)
    story.passes(30).then_ready()
    assert len(story.world.actions) == before
