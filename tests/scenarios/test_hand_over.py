"""What may go wrong between the stop of one version and the first results of the next."""

from __future__ import annotations

import pytest

from headgate.api.status import Phase
from headgate.planning.actions import LetGo
from headgate.planning.observation import JobManagerState
from scenarios.story import Story


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param({"crash_after": 2}, "RestartingInLoop", id="it crashes on the first records"),
        pytest.param({"crash_after": 2, "gives_up": True}, "JobFailed", id="Flink gives it up"),
        pytest.param({"checkpoints_fail": True}, "CheckpointsFailing", id="its checkpoints fail"),
        pytest.param({"never_runs": True}, "ProgressDeadlineExceeded", id="its tasks never come up"),
    ],
)
def test_a_version_that_fails_after_its_start_is_rolled_back_from_the_same_savepoint(
    story: Story, behaviour: dict[str, object], reason: str
) -> None:
    story.given_serving("1").given("2", **behaviour)
    story.when_applied("2", rollout={"progress_deadline": "2m"}).until_settled()
    story.then_serves("1").then_shown_by("1").then_stalled(reason).then_not_ready("RolloutFailed")
    story.then_told("SavepointCompleted", reason, "RolledBack").then_runs("churn-r3")
    starts = [a.savepoint for a in story.world.actions if isinstance(a, LetGo)]
    assert starts[2].split("\n")[1:] == [starts[1]], "the rollback starts from what the candidate started from"


def test_the_rollback_is_its_own_phase(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=2).when_applied("2").until_phase(Phase.ROLLING_BACK)
    story.then_not_ready("RolloutFailed").until_settled().then_phase(Phase.SERVING)


def test_a_rollback_that_is_slow_is_waited_for(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=2).when_applied("2").until_phase(Phase.ROLLING_BACK)
    story.given("1", hangs_at="load").passes(900).then_phase(Phase.ROLLING_BACK)
    story.then_failed("start", "ProgressDeadlineExceeded")
    story.given("1").until_settled().then_serves("1").then_shown_by("1")


def test_a_third_version_may_take_the_place_of_a_rollback_that_does_not_come_up(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=2).when_applied("2").until_phase(Phase.ROLLING_BACK)
    story.given("1", hangs_at="load").passes(30).when_applied("3").until_settled()
    story.then_serves("3").then_ready().then_shown_by("1", "3")


def test_a_savepoint_that_fails_leaves_the_old_version_serving_and_is_tried_again(story: Story) -> None:
    story.given_serving("1")
    story.world.savepoints_fail = True
    story.when_applied("2").until(lambda s: s.status.last_failure is not None).then_serves("1")
    story.then_failed("handOver", "SavepointFailed", "the storage does not answer").then_not_stalled()
    story.world.savepoints_fail = False
    story.until_settled().then_serves("2").then_ready().then_shown_by("1", "2")


def test_a_version_whose_savepoint_fails_until_the_deadline_is_given_up(story: Story) -> None:
    story.given_serving("1")
    story.world.savepoints_fail = True
    story.when_applied("2", rollout={"progress_deadline": "1m"}).until_settled()
    story.then_serves("1").then_shown_by("1").then_stalled("SavepointFailed").then_runs("churn-r1")


def test_a_version_that_crashes_after_its_first_results_is_taken_back_from_where_those_end(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=8).when_applied("2").until_settled()
    story.then_serves("1").then_stalled("RestartingInLoop").then_told("RolledBack").then_runs("churn-r3")
    story.then_shown_by("1", "2", "1")
    back = [a.savepoint for a in story.world.actions if isinstance(a, LetGo)][2]
    assert back == "s3://state/churn/shop/churn-5b0e6f0e/churn-r2/", "what was shown is not begun before"


def test_a_version_that_crashes_when_it_serves_is_not_rolled_back_by_itself(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=13).when_applied("2").passes(100)
    assert story.status.serving is not None
    assert story.status.serving.version == "2"
    story.until(lambda s: s.status.last_failure is not None).then_failed("run", "JobRestarting")


def test_a_version_that_crashes_again_and_again_does_not_stand_in_the_way_of_the_one_that_mends_it(
    story: Story,
) -> None:
    story.given_serving("1").given("2", crash_after=13).when_applied("2").passes(60)
    story.given("2", crash_after=1).passes(60).when_applied("3").until_settled()
    story.then_serves("3").then_ready().then_shown_by("1", "2", "3")


def test_the_run_whose_savepoint_nobody_heard_of_is_gone_on_from_by_its_folder(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_hand_over("Stopping")
    story.operator_lives = False
    story.passes(4)
    story.run.job_manager = JobManagerState.ENDED
    story.operator_lives = True
    story.until_settled().then_serves("2").then_shown_by("1", "2").then_told("SavepointUnknown", "Promoted")


def test_a_savepoint_that_is_nowhere_waits_for_a_person_who_names_one(story: Story) -> None:
    story.given_serving("1").when_applied("2").until(lambda s: "/savepoints/" in list(s.world.storage.snapshots)[-1])
    _, kept = story.world.storage.snapshots.popitem()
    story.world.storage.snapshots["s3://copy/of/it"] = kept
    story.until_phase(Phase.ROLLING_BACK).passes(60).then_phase(Phase.ROLLING_BACK)
    story.then_failed("start", "SavepointMissing", "headgate.dev/restore-from")
    story.when_annotated("restore-from", "s3://copy/of/it").until_settled()
    story.then_serves("1").then_shown_by("1")
    assert not story.world.annotations


def test_the_serving_job_manager_dies_while_it_makes_the_savepoint(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_hand_over("Stopping")
    story.run.kill_job_manager()
    story.until_settled().then_serves("2").then_ready().then_shown_by("1", "2")


def test_the_serving_job_manager_dies_just_after_its_job_has_ended(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_hand_over("Stopping")
    story.operator_lives = False
    story.passes(2)
    story.run.kill_job_manager()
    story.operator_lives = True
    story.until_settled(within=900).then_serves("2").then_shown_by("1", "2")


def test_the_candidate_is_deleted_by_hand_while_it_starts(story: Story) -> None:
    story.given_serving("1").when_applied("2").until_hand_over("Starting").passes(4)
    story.world.runs[story.hand_over.to_run].delete()
    story.until_settled().then_serves("2").then_ready().then_shown_by("1", "2")


def test_the_candidate_is_deleted_by_hand_before_it_is_ready(story: Story) -> None:
    story.given_serving("1").when_applied("2").until(lambda s: bool(s.status.candidate and s.status.candidate.run))
    story.passes(2).candidate.delete()
    story.until_settled().then_serves("2").then_ready().then_shown_by("1", "2")
