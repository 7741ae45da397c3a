"""The good road: a first deploy, version bumps, and what is said on the way."""

from __future__ import annotations

from headgate.api.status import Phase
from headgate.planning.actions import ApplyRun, LetGo, StartBuild
from scenarios.story import Story


def test_a_first_deploy_serves_and_is_ready(story: Story) -> None:
    story.until_settled()
    story.then_serves("1").then_ready().then_not_stalled().then_shown_by("1").then_runs("churn-r1")
    story.then_told("RolloutStarted", "BuildStarted", "ImageBuilt", "StreamStarting", "Promoted")


def test_the_first_second_has_a_status_and_every_step_says_what_it_waits_for(story: Story) -> None:
    story.passes(1).then_phase(Phase.PENDING).then_not_ready("NothingServes").then_waits_for("written down")
    story.until_phase(Phase.BUILDING).passes(1).then_waits_for("the image to be built")
    assert story.condition("ImageBuilt").reason == "Building"
    story.until_phase(Phase.CHECKING).then_waits_for("the candidate to be ready (")
    assert story.condition("ImageBuilt").reason == "Built"
    story.until_hand_over("Starting").then_phase(Phase.STARTING).then_waits_for("two checkpoints without a restart")
    story.until_phase(Phase.SERVING).then_ready().then_not_stalled()
    assert story.condition("JobRunning").status.value == "True"


def test_a_version_bump_moves_the_stream_with_nothing_lost_or_shown_twice(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_settled()
    story.then_serves("2").then_ready().then_shown_by("1", "2").then_runs("churn-r2")
    story.then_told("SavepointCompleted", "StreamStarting", "Promoted")


def test_the_pause_of_a_hand_over_is_measured(story: Story) -> None:
    story.given_serving("1")
    before = story.status.hand_over_seconds
    after = story.when_applied("2").until_settled().status.hand_over_seconds
    assert (before, after is not None and 2 <= after <= 6) == (None, True)


def test_the_old_version_serves_until_the_new_one_is_ready(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_phase(Phase.ROLLING_OUT)
    story.until(lambda s: bool(s.status.candidate and s.status.candidate.run)).then_serves("1")
    story.then_not_ready("RolloutInProgress")
    story.until(lambda s: s.candidate.observe("").report.ready).then_serves("1")


def test_twenty_version_bumps_in_a_row_lose_nothing(story: Story) -> None:
    story.given_serving("0")
    for number in range(1, 21):
        story.when_applied(str(number)).passes(30).then_serves(str(number))
    story.until_settled().then_ready()
    assert len(story.world.stream.revisions()) == 21
    assert len(story.world.revisions) <= 11


def test_going_back_to_a_version_that_was_built_before_builds_nothing(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_settled()
    builds = story.done(StartBuild)
    story.when_applied("1").until_settled().then_serves("1").then_shown_by("1", "2", "1")
    assert story.done(StartBuild) == builds


def test_changes_that_need_no_new_run_make_none(story: Story) -> None:
    story.given_serving("1")
    runs = story.done(LetGo)
    story.when_applied("1", rollout={"progress_deadline": "3m", "revision_history_limit": 3}).until_settled()
    assert story.done(LetGo) == runs
    assert len(story.world.revisions) == 1
    story.then_ready()


def test_a_run_is_made_once_and_not_applied_again_while_it_waits(story: Story) -> None:
    story.until_settled()
    assert story.done(ApplyRun) == 1


def test_revisions_beyond_the_history_limit_are_forgotten_and_the_serving_one_never(story: Story) -> None:
    for label in "123456":
        story.when_applied(label, rollout={"revision_history_limit": 2}).until_settled()
    kept = sorted(r.spec.template.model.version or "" for r in story.world.revisions.values())
    assert kept == ["4", "5", "6"]


def test_a_paused_rollout_starts_nothing_and_goes_on_when_the_pause_is_taken_back(story: Story) -> None:
    story.given_serving("1").when_applied("2", rollout={"paused": True}).until_settled()
    story.then_serves("1").then_not_ready("RolloutInProgress").then_waits_for("spec.rollout.paused")
    story.when_applied("2").until_settled().then_serves("2").then_ready()


def test_a_rollout_that_is_paused_under_way_is_held_and_its_time_does_not_run_out(story: Story) -> None:
    story.given_serving("1").when_applied("2").until(lambda s: bool(s.status.candidate and s.status.candidate.run))
    story.when_applied("2", rollout={"paused": True}).passes(700).then_serves("1").then_not_stalled()
    assert story.condition("Reconciling").reason == "Paused"
    story.when_applied("2").until_settled().then_serves("2")


def test_a_bounded_stream_ends_by_itself_and_another_version_scores_it_anew(story: Story) -> None:
    story.world.stream.end = 120
    story.given("1", bounded=True).given("2", bounded=True).until_phase(Phase.FINISHED).until_settled()
    story.then_phase(Phase.FINISHED).then_not_ready("Finished").then_not_stalled().then_runs()
    assert story.world.stream.next == 120
    story.when_applied("2").passes(5).until_phase(Phase.FINISHED).until_settled()
    assert (story.world.stream.next, story.world.stream.revisions()[-1]) == (120, story.status.target)


def test_a_bounded_stream_that_ends_before_its_first_checkpoint_has_ended_well(story: Story) -> None:
    story.world.stream.end = 6
    story.given("1", bounded=True).until_settled()
    story.then_phase(Phase.FINISHED).then_not_stalled()
    assert story.world.stream.next == 6
