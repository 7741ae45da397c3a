"""The object is deleted: the stream ends as the policy says, and nothing is left but savepoints and checkpoints."""

from __future__ import annotations

import pytest

from headgate.api.resources import DeletionPolicy
from headgate.api.status import Phase
from headgate.planning.actions import StopWithSavepoint
from headgate.planning.observation import FlinkState
from scenarios.story import Story


def test_deleting_stops_with_a_savepoint_that_stays(story: Story) -> None:
    story.given_serving("1").world.delete()
    story.passes(1).then_phase(Phase.DELETING).then_not_ready("Deleting")
    story.until_settled().then_gone().then_told("SavepointCompleted", "Deleted")
    assert any("/savepoints/" in path for path in story.world.storage.snapshots)


@pytest.mark.parametrize(
    ("policy", "drains"),
    [(DeletionPolicy.SAVEPOINT, [False]), (DeletionPolicy.DRAIN, [True]), (DeletionPolicy.CANCEL, [])],
    ids=["Savepoint", "Drain", "Cancel"],
)
def test_the_policy_says_how_the_stream_ends(story: Story, policy: DeletionPolicy, drains: list[bool]) -> None:
    story.given_serving("1", deletion_policy=policy).world.delete()
    story.until_settled().then_gone()
    assert [a.drain for a in story.world.actions if isinstance(a, StopWithSavepoint)] == drains


@pytest.mark.parametrize("moment", range(24))
def test_deleting_in_the_middle_of_a_rollout_leaves_nothing(story: Story, moment: int) -> None:
    story.given_serving("1").when_applied("2").passes(moment).world.delete()
    story.until_settled().then_gone()


@pytest.mark.parametrize("moment", range(20))
def test_deleting_in_the_middle_of_a_first_deploy_leaves_nothing(story: Story, moment: int) -> None:
    story.passes(moment).world.delete()
    story.until_settled().then_gone()


def test_deleting_in_the_middle_of_a_rollback_leaves_nothing(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=2).when_applied("2").until_phase(Phase.ROLLING_BACK).world.delete()
    story.until_settled().then_gone()


def test_deleting_a_suspended_stream_leaves_nothing(story: Story) -> None:
    story.given_serving("1").when_applied("1", suspend=True).until_settled().world.delete()
    story.until_settled().then_gone()


def test_deleting_an_object_whose_spec_is_invalid_takes_a_savepoint(story: Story) -> None:
    story.given_serving("1", deletion_policy=DeletionPolicy.CANCEL).world.break_spec()
    story.passes(3).world.delete()
    story.until_settled().then_gone()
    assert story.done(StopWithSavepoint) == 1


def test_a_deletion_that_waits_says_why_and_how_to_force_it(story: Story) -> None:
    story.given_serving("1")
    story.world.savepoints_fail = True
    story.world.delete()
    story.passes(290).then_not_stalled().then_failed("handOver", "SavepointFailed")
    story.passes(60).then_stalled("DeletionWaits", "headgate.dev/force-delete=true")
    assert story.run.flink is FlinkState.RUNNING
    story.when_annotated("force-delete", "true").until_settled().then_gone()


def test_a_deletion_waits_for_a_job_that_crashes_and_ends_when_it_is_mended(story: Story) -> None:
    story.given_serving("1").given("1", crash_after=1).passes(60).world.delete()
    story.passes(400).then_stalled("DeletionWaits")
    story.given("1").until_settled().then_gone()


def test_a_forced_deletion_does_not_wait_for_a_savepoint(story: Story) -> None:
    story.given_serving("1").when_annotated("force-delete", "true").world.delete()
    story.until_settled().then_gone()
    assert story.done(StopWithSavepoint) == 0


def test_a_run_that_is_gone_does_not_keep_the_object(story: Story) -> None:
    story.given_serving("1").run.delete()
    story.world.delete()
    story.until_settled().then_gone()


def test_the_finalizer_is_there_before_anything_else_is_made(story: Story) -> None:
    story.passes(1)
    assert [type(a).__name__ for a in story.world.actions][:2] == ["AddFinalizer", "CreateRevision"]
