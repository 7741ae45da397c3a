"""Minds change in the middle: A→B→A, A→B→C, and specs that are no specs, at every moment of a rollout."""

from __future__ import annotations

import pytest

from headgate.api.status import Phase
from scenarios.story import Story

MOMENTS = range(24)
"""Seconds after the change: the rollout of these stories takes about twenty."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_to_b_to_a_serves_a_again(story: Story, moment: int) -> None:
    story.given_serving("1").when_applied("2").passes(moment).when_applied("1").until_settled()
    story.then_serves("1").then_ready().then_not_stalled()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_to_b_to_c_serves_c(story: Story, moment: int) -> None:
    story.given_serving("1").when_applied("2").passes(moment).when_applied("3").until_settled()
    story.then_serves("3").then_ready().then_not_stalled()


@pytest.mark.parametrize("moment", range(20))
def test_a_first_deploy_that_is_changed_on_the_way_serves_the_change(story: Story, moment: int) -> None:
    story.passes(moment).when_applied("2").until_settled().then_serves("2").then_ready()


def test_going_back_while_the_new_version_starts_does_not_wait_for_it(story: Story) -> None:
    story.given_serving("1").given("2", never_runs=True).when_applied("2").until_hand_over("Starting").passes(20)
    story.when_applied("1").until_settled(within=60).then_serves("1").then_ready().then_shown_by("1")


def test_a_version_that_was_given_up_on_the_way_has_not_failed(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_hand_over("Starting").when_applied("1").until_settled()
    story.when_applied("2").until_settled().then_serves("2").then_ready()


def test_a_first_version_that_hangs_at_its_start_gives_way_to_another(story: Story) -> None:
    story.given("1", never_runs=True).until_hand_over("Starting").passes(20).when_applied("2").until_settled()
    story.then_serves("2").then_ready().then_shown_by("2")


def test_an_invalid_spec_leaves_the_last_valid_one_serving(story: Story) -> None:
    story.given_serving("1")
    story.world.break_spec()
    story.until_settled().then_serves("1").then_stalled("InvalidSpec", "no_such_view").then_not_ready("InvalidSpec")
    story.then_phase(Phase.SERVING)
    story.when_applied("2").until_settled().then_serves("2").then_ready().then_not_stalled()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_invalid_spec_while_rolling_out_lets_the_last_valid_one_go_on(story: Story, moment: int) -> None:
    story.given_serving("1").when_applied("2").passes(moment)
    asked = story.status.target
    story.world.break_spec()
    story.until_settled().then_stalled("InvalidSpec")
    assert story.status.serving is not None
    assert story.status.serving.revision in {asked, story.status.target}
    story.when_applied("2").until_settled().then_serves("2").then_ready()


def test_an_invalid_first_spec_makes_nothing(story: Story) -> None:
    story.world.break_spec()
    story.until_settled().then_stalled("InvalidSpec").then_phase(Phase.FAILED).then_runs()
    assert not story.world.revisions
    story.when_applied("1").until_settled().then_ready()


def test_an_invalid_spec_leaves_a_suspended_stream_suspended(story: Story) -> None:
    story.given_serving("1").when_applied("1", suspend=True).until_settled()
    story.world.break_spec()
    story.until_settled().then_runs().then_stalled("InvalidSpec").then_phase(Phase.SUSPENDED)
    story.when_applied("1").until_settled().then_serves("1").then_ready()


def test_the_serving_run_is_restored_while_the_spec_is_invalid(story: Story) -> None:
    story.given_serving("1")
    story.world.break_spec()
    story.passes(5).run.delete()
    story.until_settled().then_serves("1").then_stalled("InvalidSpec")
