"""The good road: a first deploy, a version bump, and what is said on the way."""

from __future__ import annotations

from scenarios.story import Story


def test_a_first_deploy_serves_and_is_ready(story: Story) -> None:
    story.until_settled()
    story.then_serves("1").then_ready().then_not_stalled().then_shown_by("1").then_runs("churn-r1")
    story.then_told("RolloutStarted", "BuildStarted", "ImageBuilt", "StreamStarting", "Promoted")


def test_a_version_bump_moves_the_stream(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_settled()
    story.then_serves("2").then_ready().then_shown_by("1", "2").then_runs("churn-r2")
    assert story.status.hand_over_seconds is not None
    assert 0 < story.status.hand_over_seconds < 10
