"""What holds of every plan, whatever is seen: thousands of made-up worlds, most of which could never be.

Each made-up observation is looked at in several ways (now, later, while it is deleted, after the plan's status was written and
nothing was done), since making one up costs more than planning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings

from headgate.api.status import ConditionStatus, ConditionType, HandOverStage, ModelDeploymentStatus, dump_status
from headgate.planning.actions import (
    ApplyRun,
    DeleteRun,
    LetGo,
    RemoveFinalizer,
    Rescale,
    StartBuild,
    StopWithSavepoint,
    TakeSavepoint,
)
from headgate.planning.deletion import FINALIZER
from headgate.planning.observation import FlinkState, Observation
from headgate.planning.outcome import is_over
from headgate.planning.plan import Plan, plan
from headgate.planning.revisions import revision_name_of, template_of
from scenarios.world.observations import observations


def _ways(seen: Observation) -> Iterator[Observation]:
    yield seen
    yield replace(seen, now=seen.now + timedelta(hours=2))
    yield replace(seen, deleting=None if seen.deleting is not None else seen.now - timedelta(minutes=6))
    yield replace(seen, status=plan(seen).status)


@settings(max_examples=500)
@given(observations())
def test_every_plan_keeps_its_promises(made_up: Observation) -> None:
    for seen in _ways(made_up):
        decided = plan(seen)
        assert decided == plan(seen), "a plan is deterministic"
        for promise in PROMISES:
            promise(seen, decided)


def the_status_is_one_that_the_api_server_takes(seen: Observation, decided: Plan) -> None:
    before, after = seen.status, decided.status
    if ModelDeploymentStatus.model_validate(dump_status(before)) == before:
        assert ModelDeploymentStatus.model_validate(dump_status(after)) == after


def every_action_is_asked_for_once_and_somebody_looks_again(seen: Observation, decided: Plan) -> None:
    assert len(decided.actions) == len({repr(action) for action in decided.actions})
    assert decided.requeue is not None
    assert decided.requeue.total_seconds() > 0


def a_run_is_let_go_only_where_no_other_can_emit(seen: Observation, decided: Plan) -> None:
    gone = [action for action in decided.actions if isinstance(action, LetGo)]
    assert len(gone) <= 1
    for action in gone:
        assert [run.name for run in seen.runs if run.name != action.run.name and run.may_emit] == []


def what_is_taken_away_is_not_made_in_the_same_round(seen: Observation, decided: Plan) -> None:
    away = {action.run for action in decided.actions if isinstance(action, DeleteRun)}
    made = {action.run.name for action in decided.actions if isinstance(action, ApplyRun | LetGo)}
    assert not away & made


def a_stream_that_had_state_never_begins_to_start_from_nothing(seen: Observation, decided: Plan) -> None:
    before, hand_over = seen.status, decided.status.hand_over
    if hand_over is None or hand_over.stage is not HandOverStage.STARTING or hand_over.savepoint:
        return
    known = before.hand_over
    began_before = known is not None and known.stage is HandOverStage.STARTING and not known.savepoint
    finished = before.run is not None and before.run.state == "Finished"
    fresh = before.serving is None and not any(r.status.served_at for r in seen.revisions)
    assert began_before or finished or fresh


def what_serves_is_never_taken_away_while_it_serves(seen: Observation, decided: Plan) -> None:
    run = decided.status.run
    if run is not None and not is_over(run) and seen.deleting is None:
        assert DeleteRun(run.name) not in decided.actions


def flink_is_asked_only_where_a_job_runs(seen: Observation, decided: Plan) -> None:
    for action in decided.actions:
        if isinstance(action, StopWithSavepoint | TakeSavepoint | Rescale):
            run = seen.run(action.run if isinstance(action.run, str) else action.run.name)
            assert run is not None
            assert run.flink is FlinkState.RUNNING


def builds_start_only_where_a_builder_is_free(seen: Observation, decided: Plan) -> None:
    for action in decided.actions:
        if isinstance(action, StartBuild):
            assert seen.free_builders > 0
            assert seen.revision(action.revision) is not None


def ready_is_true_only_where_the_revision_that_is_asked_for_serves_and_runs(seen: Observation, decided: Plan) -> None:
    status = decided.status
    conditions = {c.type: c for c in status.conditions}
    assert len(conditions) == len(status.conditions)
    assert not {ConditionType.RECONCILING, ConditionType.STALLED} <= set(conditions)
    if conditions["Ready"].status is not ConditionStatus.TRUE:
        return
    assert seen.spec is not None
    assert not seen.spec.suspend
    assert seen.deleting is None
    assert status.hand_over is None
    assert status.serving is not None
    assert status.serving.revision == revision_name_of("churn", template_of(seen.spec))
    run = seen.run(status.run.name if status.run is not None else "")
    assert run is not None
    assert run.flink is FlinkState.RUNNING


def the_object_is_let_go_only_where_it_is_deleted_and_then_nothing_is_made(seen: Observation, decided: Plan) -> None:
    if seen.deleting is None:
        assert RemoveFinalizer() not in decided.actions
        return
    if FINALIZER not in seen.finalizers:
        assert decided.actions == ()
    assert not [a for a in decided.actions if isinstance(a, ApplyRun | LetGo | StartBuild)]


PROMISES = (
    the_status_is_one_that_the_api_server_takes,
    every_action_is_asked_for_once_and_somebody_looks_again,
    a_run_is_let_go_only_where_no_other_can_emit,
    what_is_taken_away_is_not_made_in_the_same_round,
    a_stream_that_had_state_never_begins_to_start_from_nothing,
    what_serves_is_never_taken_away_while_it_serves,
    flink_is_asked_only_where_a_job_runs,
    builds_start_only_where_a_builder_is_free,
    ready_is_true_only_where_the_revision_that_is_asked_for_serves_and_runs,
    the_object_is_let_go_only_where_it_is_deleted_and_then_nothing_is_made,
)
