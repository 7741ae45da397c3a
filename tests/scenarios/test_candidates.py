"""A version that is bad before it meets a record: the old one serves on without a pause."""

from __future__ import annotations

import pytest

from headgate.api.status import Phase
from headgate.planning.actions import StartBuild, StopWithSavepoint
from scenarios.story import Story
from scenarios.world.behaviour import OPERATORS, STAGES


def _old_serves_on(story: Story) -> None:
    story.then_serves("1").then_shown_by("1").then_runs("churn-r1")
    assert story.done(StopWithSavepoint) == 0


def test_a_build_that_fails_is_said_with_its_reason_and_the_old_version_serves(story: Story) -> None:
    story.given_serving("1").given("2", build_fails="ModelTruncated").when_applied("2").until_settled()
    story.then_stalled("ModelTruncated", "build: It cannot be built.").then_not_ready("RolloutFailed")
    story.then_failed("build", "ModelTruncated")
    assert story.condition("ImageBuilt").reason == "ModelTruncated"
    _old_serves_on(story)


def test_a_first_version_that_cannot_be_built_is_failed(story: Story) -> None:
    story.given("1", build_fails="ModelTruncated").until_settled()
    story.then_phase(Phase.FAILED).then_not_ready("NothingServes").then_stalled("ModelTruncated").then_runs()


@pytest.mark.parametrize("stage", [s for s in STAGES if s not in {"ready", "warm-up", "wait"}])
def test_a_version_that_fails_in_a_stage_of_main_never_touches_the_stream(story: Story, stage: str) -> None:
    story.given_serving("1").given("2", fails_at=stage).when_applied("2").until_settled()
    story.then_stalled("ModelUnusable", stage).then_failed(stage, "ModelUnusable")
    _old_serves_on(story)


def test_a_process_that_dies_without_a_word_before_it_is_ready_is_given_up(story: Story) -> None:
    story.given_serving("1").given("2", silent_at="load").when_applied("2").until_settled()
    story.then_stalled("PodFailed", "ends before it is ready")
    _old_serves_on(story)


def test_a_version_that_never_becomes_ready_is_given_up_at_the_deadline(story: Story) -> None:
    story.given_serving("1").given("2", hangs_at="smoke").when_applied("2", rollout={"progress_deadline": "90s"})
    story.passes(80).then_not_stalled().until_settled()
    story.then_stalled("ProgressDeadlineExceeded", "90s")
    story.passes(60).then_failed("start", "ProgressDeadlineExceeded", "90s")
    _old_serves_on(story)


@pytest.mark.parametrize(
    "problem",
    ["ImagePullBackOff: not found", "FailedCreate: exceeded quota: compute"],
    ids=["an image that cannot be pulled", "a quota that is exceeded"],
)
def test_pods_that_cannot_start_are_said_at_once_and_given_up_at_the_deadline(story: Story, problem: str) -> None:
    story.given_serving("1").given("2", pod_problem=problem).when_applied("2").passes(30)
    story.then_waits_for(problem).then_not_stalled().until_settled(within=900)
    story.then_stalled("ProgressDeadlineExceeded", problem)
    _old_serves_on(story)


def test_a_quota_that_is_raised_in_time_lets_the_rollout_go_on(story: Story) -> None:
    story.given_serving("1").given("2", pod_problem="FailedCreate: exceeded quota").when_applied("2").passes(60)
    story.given("2").until_settled().then_serves("2").then_ready()


def test_a_failed_version_is_not_tried_again_until_the_spec_changes(story: Story) -> None:
    story.given_serving("1").given("2", fails_at="load").when_applied("2").until_settled()
    runs, builds = story.status.last_run, story.done(StartBuild)
    story.given("2").passes(600).then_stalled("ModelUnusable")
    assert (story.status.last_run, story.done(StartBuild)) == (runs, builds)
    story.when_applied("3").until_settled().then_serves("3").then_ready()
    assert story.status.last_failure is None


def test_going_back_to_what_serves_takes_the_failure_of_the_other_off_the_conditions(story: Story) -> None:
    story.given_serving("1").given("2", fails_at="load").when_applied("2").until_settled().then_stalled("ModelUnusable")
    story.when_applied("1").until_settled().then_ready().then_not_stalled().then_serves("1")
    story.when_applied("2").until_settled().then_stalled("ModelUnusable")


def test_a_failed_version_is_tried_again_when_a_person_asks_for_it(story: Story) -> None:
    story.given_serving("1").given("2", build_fails="ModelTruncated").when_applied("2").until_settled()
    story.given("2").when_annotated("retry", "true").until_settled()
    story.then_serves("2").then_ready().then_told("Retried", "Promoted")
    assert "headgate.dev/retry" not in story.world.annotations


def test_a_registry_that_is_down_is_waited_for(story: Story) -> None:
    story.given_serving("1").given("2", registry_down=True).when_applied("2").passes(200)
    story.then_not_stalled().then_waits_for("another try to build").then_failed("build", "RegistryUnreachable")
    story.then_told_times("RegistryUnreachable", 1)
    story.given("2").until_settled().then_serves("2").then_ready()
    assert story.status.last_failure is None


def test_no_more_is_built_at_once_than_there_are_builders(story: Story) -> None:
    story.world.builders = 0
    story.passes(60).then_waits_for("a free builder").then_phase(Phase.BUILDING)
    story.world.builders = 1
    story.until_settled().then_serves("1")


def test_a_plan_that_would_lose_state_is_refused_before_the_stream_stops(story: Story) -> None:
    story.given("1", operators=(*OPERATORS, ("sum", "GroupAggregate(groupBy=[id])")))
    story.given_serving("1").when_applied("2").until_settled()
    story.then_stalled("StateIncompatible", "GroupAggregate(groupBy=[id])")
    _old_serves_on(story)


def test_state_may_be_lost_where_the_spec_names_it(story: Story) -> None:
    story.given("1", operators=(*OPERATORS, ("sum", "GroupAggregate(groupBy=[id])")))
    story.given_serving("1").when_applied("2", rollout={"allow_state_loss": ("GroupAggregate",)}).until_settled()
    story.then_serves("2").then_ready().then_shown_by("1", "2")


def test_the_builds_and_runs_of_candidates_that_came_to_nothing_are_taken_away(story: Story) -> None:
    story.given_serving("1").given("2", build_seconds=100).when_applied("2").passes(10).when_applied(
        "1"
    ).until_settled()
    assert not story.world.builds or set(story.world.builds) == {story.status.target}
    story.then_runs("churn-r1").then_ready()
