"""Suspend and resume, scale, savepoints on demand, and what happens to a run that serves."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from headgate.api.status import Phase
from headgate.planning.actions import LetGo, Rescale, StopWithSavepoint, TakeSavepoint
from headgate.planning.observation import FlinkState, JobManagerState
from scenarios.story import Story


def test_suspend_stops_with_a_savepoint_and_resume_goes_on_from_it(story: Story) -> None:
    story.given_serving("1").when_applied("1", suspend=True).until_settled()
    story.then_phase(Phase.SUSPENDED).then_runs().then_not_ready("Suspended").then_not_stalled()
    assert "Reconciling" not in {c.type for c in story.status.conditions}
    story.passes(100).when_applied("1").until_settled().then_serves("1").then_ready()
    story.then_told("Suspended", "Resumed")


@pytest.mark.parametrize("moment", range(22))
def test_suspend_during_a_rollout_and_resume_later(story: Story, moment: int) -> None:
    story.given_serving("1").when_applied("2").passes(moment).when_applied("2", suspend=True).until_settled()
    story.then_phase(Phase.SUSPENDED).then_runs()
    story.when_applied("2").until_settled().then_serves("2").then_ready()


def test_a_suspended_stream_takes_a_new_version_when_it_is_resumed(story: Story) -> None:
    story.given_serving("1").when_applied("1", suspend=True).until_settled()
    story.when_applied("2", suspend=True).until_settled().then_runs()
    story.when_applied("2").until_settled().then_serves("2").then_ready()


def test_a_stream_that_was_never_started_is_suspended_without_a_run(story: Story) -> None:
    story.when_applied("1", suspend=True).until_settled().then_phase(Phase.SUSPENDED).then_runs()
    story.when_applied("1").until_settled().then_serves("1").then_ready()


def test_suspend_while_the_job_crashes_again_and_again(story: Story) -> None:
    story.given_serving("1").given("1", crash_after=1).passes(60).when_applied("1", suspend=True).until_settled()
    story.then_phase(Phase.SUSPENDED).then_runs()
    story.given("1").when_applied("1").until_settled().then_serves("1").then_ready()


def test_suspend_while_savepoints_fail_goes_on_serving_and_tries_again(story: Story) -> None:
    story.given_serving("1")
    story.world.savepoints_fail = True
    story.when_applied("1", suspend=True).passes(60).then_failed("handOver", "SavepointFailed")
    assert story.run.flink is FlinkState.RUNNING
    assert 3 <= story.done(StopWithSavepoint) <= 12
    story.world.savepoints_fail = False
    story.until_settled().then_phase(Phase.SUSPENDED)


def test_resume_where_nothing_is_known_of_the_state_waits_for_a_person(story: Story) -> None:
    story.given_serving("1").when_applied("1", suspend=True).until_settled()
    assert story.status.savepoint is not None
    place = story.status.savepoint.path
    del story.world.status["savepoint"]
    story.when_applied("1").until_settled().then_stalled("StateUnknown", "restore-from").then_runs()
    story.when_annotated("restore-from", place).until_settled().then_serves("1").then_ready()
    assert not story.world.annotations


def test_scaling_changes_the_running_job_and_makes_no_new_run(story: Story) -> None:
    story.given_serving("1")
    runs = story.done(LetGo)
    story.when_applied("1", parallelism=4).passes(1).then_told("Scaling").until_settled().then_ready()
    assert (story.done(LetGo), story.done(Rescale), story.run.wanted_parallelism) == (runs, 1, 4)
    assert story.status.scale is not None
    assert story.status.scale.replicas == 4


def test_a_cluster_that_is_too_small_is_asked_for_more_parallelism_once(story: Story) -> None:
    story.given_serving("1").when_applied("1", parallelism=4).passes(2)
    story.run.parallelism = 2
    story.until_settled()
    assert story.done(Rescale) == 1


def test_a_version_bump_keeps_the_parallelism_that_is_asked_for(story: Story) -> None:
    story.given_serving("1").when_applied("2", parallelism=3).until_settled().then_serves("2")
    assert story.run.wanted_parallelism == 3


def test_a_model_that_is_too_slow_is_seen_by_a_lag_that_grows(story: Story) -> None:
    story.given("1", capacity=1).given_serving("1")
    lags = []
    for _ in range(3):
        story.passes(10)
        lags.append(story.status.pending_records)
    assert None not in lags
    assert [later - before for before, later in itertools.pairwise(lags)] == [20, 20]  # type: ignore[operator]  # none is None
    story.then_ready()


def test_a_stream_that_keeps_up_has_a_lag_of_nought(story: Story) -> None:
    assert story.given_serving("1").status.pending_records == 0


def test_a_lag_that_the_sources_do_not_tell_is_none_and_not_nought(story: Story) -> None:
    story.given("1", tells_lag=False).given_serving("1").then_ready()
    assert "pendingRecords" not in story.world.status
    assert "recordsPerSecond" in story.world.status


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param(lambda s: s.run.crash("TaskManager lost"), id="the job is restarted"),
        pytest.param(lambda s: s.run.kill_job_manager(), id="the JobManager is away"),
        pytest.param(lambda s: s.when_applied("1", suspend=True), id="the stream is suspended"),
        pytest.param(lambda s: s.when_applied("2").until_hand_over("Stopping"), id="the stream is handed over"),
    ],
)
def test_nothing_is_measured_of_a_stream_that_stands_still(story: Story, stops: Callable[[Story], object]) -> None:
    story.given("1", capacity=1).given_serving("1")
    assert {"pendingRecords", "recordsPerSecond"} <= story.world.status.keys()
    stops(story)
    story.passes(2)
    assert not {"pendingRecords", "recordsPerSecond"} & story.world.status.keys()
    story.until_settled()
    running = not story.world.spec.suspend
    assert ({"pendingRecords", "recordsPerSecond"} <= story.world.status.keys()) is running


def test_a_savepoint_on_demand_is_taken_while_the_stream_goes_on(story: Story) -> None:
    story.given_serving("1").when_annotated("savepoint", "before the holidays").until_settled()
    assert story.status.savepoint is not None
    assert "/savepoints/" in story.status.savepoint.path
    assert not story.world.annotations
    assert story.done(TakeSavepoint) >= 1
    story.then_ready().then_told("SavepointCompleted")


def test_a_savepoint_on_demand_is_never_what_a_lost_run_is_restored_from(story: Story) -> None:
    story.given_serving("1").when_annotated("savepoint", "now").until_settled().passes(30)
    story.run.delete()
    story.until_settled().then_serves("1").then_told("RunLost", "Restored")


def test_a_savepoint_on_demand_that_fails_is_said_and_not_asked_for_again(story: Story) -> None:
    story.given_serving("1")
    story.world.savepoints_fail = True
    story.when_annotated("savepoint", "now").until_settled().then_failed("savepoint", "SavepointFailed")
    assert story.status.savepoint is None
    story.then_ready()


def test_a_lost_job_manager_comes_back_by_itself_and_is_counted(story: Story) -> None:
    story.given_serving("1")
    story.run.kill_job_manager()
    story.passes(2).then_not_ready("NotRunning")
    assert story.condition("JobRunning").reason == "Unreachable"
    story.until_settled().then_serves("1").then_ready().then_runs("churn-r1").then_told("JobRestarting")
    assert story.status.run is not None
    assert story.status.run.restarts == 1


def test_a_lost_task_manager_is_recovered_by_flink_and_reported(story: Story) -> None:
    story.given_serving("1").run.crash("TaskManager with id 10.0.0.7 is no longer reachable")
    story.passes(2).then_failed("run", "JobRestarting", "no longer reachable").then_not_ready("NotRunning")
    story.until_settled().then_ready().then_runs("churn-r1")
    assert story.status.last_failure is None


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda run: run.delete(), id="all of the run is deleted by hand"),
        pytest.param(lambda run: run.lose_job_manager(), id="the JobManager's Job is deleted by hand"),
        pytest.param(
            lambda run: setattr(run, "job_manager", JobManagerState.FAILED), id="Kubernetes gave the JobManager up"
        ),
    ],
)
def test_a_run_that_is_lost_is_brought_back_from_its_newest_checkpoint(story: Story, fault) -> None:  # type: ignore[no-untyped-def]
    story.given_serving("1").passes(7)
    fault(story.run)
    story.until_settled().then_serves("1").then_ready().then_shown_by("1").then_told("RunLost", "Restored")
    story.then_runs("churn-r2")


def test_a_job_that_flink_gave_up_is_brought_back_from_its_newest_checkpoint(story: Story) -> None:
    story.given_serving("1").given("1", crash_after=30, gives_up=True).passes(32).given("1").until_settled()
    story.then_serves("1").then_shown_by("1").then_told("RunLost", "Restored")


def test_objects_of_a_run_that_somebody_deleted_are_made_again_without_a_new_run(story: Story) -> None:
    story.given_serving("1").run.intact = False
    story.until_settled().then_ready().then_runs("churn-r1")
    assert story.run.intact


def test_a_job_manager_that_cannot_be_reached_for_long_is_left_alone(story: Story) -> None:
    story.given_serving("1").run.cut_off = True
    story.passes(1200).then_not_ready("NotRunning").then_runs("churn-r1")
    story.run.cut_off = False
    story.until_settled().then_ready()


def test_a_job_that_somebody_stopped_waits_for_a_word_where_to_go_on_from(story: Story) -> None:
    story.given_serving("1").run._state(FlinkState.ENDED)
    story.until_settled().then_phase(Phase.FINISHED).then_not_ready("Finished")
    newest = max(story.world.storage.snapshots.values(), key=lambda s: s.order).path
    story.when_annotated("restore-from", newest).until_settled().then_serves("1").then_ready()


def test_a_first_start_may_go_on_from_another_streams_savepoint(story: Story) -> None:
    story.world.storage.write("s3://old/savepoint", 0, ())
    story.when_annotated("restore-from", "s3://old/savepoint").until_settled().then_serves("1")
    assert next(a.savepoint for a in story.world.actions if isinstance(a, LetGo)) == "s3://old/savepoint"
    assert not story.world.annotations


def test_an_annotation_that_was_not_needed_is_taken_off(story: Story) -> None:
    story.given_serving("1").when_annotated("restore-from", "s3://somewhere").until_settled().then_ready()
    assert not story.world.annotations


def test_a_status_that_was_lost_is_found_again_by_the_run_that_emits(story: Story) -> None:
    story.given_serving("1")
    story.world.status = {}
    story.until_settled().then_serves("1").then_ready().then_runs("churn-r1").then_told("Adopted")
    story.when_applied("2").until_settled().then_serves("2").then_shown_by("1", "2").then_runs("churn-r2")


def test_a_revision_that_somebody_deleted_is_written_down_again(story: Story) -> None:
    story.given_serving("1").world.revisions.clear()
    story.until_settled().then_ready()
    revision = story.world.revisions[story.status.target]
    assert (revision.status.image, revision.status.phase.value) == (story.serving.image, "Serving")


def test_a_stream_that_had_state_does_not_start_from_nothing_when_its_status_is_lost(story: Story) -> None:
    story.given_serving("1").when_applied("1", suspend=True).until_settled()
    story.world.status = {}
    story.when_applied("1").until_settled().then_stalled("StateUnknown", "restore-from")
