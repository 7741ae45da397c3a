"""People, faults and crashes in any order: what must never happen does not, and in the end the last good spec serves.

The world itself refuses two runs that emit, ids that are lost or shown twice, and starts from nothing after state; the operator of
these stories refuses a Ready that comes too early. So every rule below is a test of all of that.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from headgate.planning.observation import FlinkState, JobManagerState
from scenarios.story import Story
from scenarios.world.operator import reconcile
from scenarios.world.specs import version

GOOD = ("1", "2", "3")
BAD: dict[str, dict[str, Any]] = {
    "4": {"build_fails": "ModelTruncated"},
    "5": {"fails_at": "load"},
    "6": {"crash_after": 2},
    "7": {"checkpoints_fail": True},
    "8": {"crash_after": 8},
}


class AnyOrder(RuleBasedStateMachine):
    """One ModelDeployment, and everything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        for label, behaviour in BAD.items():
            self.story.given(label, **behaviour)
        self.suspended = False

    @initialize(seconds=st.integers(0, 40))
    def begins(self, seconds: int) -> None:
        self.story.passes(seconds)

    # ---- what people do ----------------------------------------------------------------------------------------------

    @rule(label=st.sampled_from((*GOOD, *BAD)), seconds=st.integers(0, 30))
    def somebody_ships(self, label: str, seconds: int) -> None:
        self.story.when_applied(label, rollout={"progress_deadline": "1m"}, suspend=self.suspended).passes(seconds)

    @rule(seconds=st.integers(0, 20))
    def somebody_suspends_or_resumes(self, seconds: int) -> None:
        self.suspended = not self.suspended
        self.story.world.change(self.story.world.spec.model_copy(update={"suspend": self.suspended}))
        self.story.passes(seconds)

    @rule(seconds=st.integers(0, 20))
    def somebody_breaks_the_spec(self, seconds: int) -> None:
        self.story.world.break_spec()
        self.story.passes(seconds)

    @rule(parallelism=st.integers(1, 4))
    def somebody_scales(self, parallelism: int) -> None:
        spec = self.story.world.spec
        flink = spec.flink.model_copy(update={"parallelism": parallelism})
        self.story.world.change(spec.model_copy(update={"flink": flink}))
        self.story.passes(1)

    @rule()
    def somebody_wants_a_savepoint(self) -> None:
        self.story.when_annotated("savepoint", "now").passes(1)

    # ---- what happens to the operator --------------------------------------------------------------------------------

    @rule(effects=st.integers(0, 4), seconds=st.integers(1, 15))
    def the_operator_dies_in_a_round_and_is_away(self, effects: int, seconds: int) -> None:
        reconcile(self.story.world, effects=effects)
        for _ in range(seconds):
            self.story.world.advance()
        self.story.passes(1)

    @rule()
    def somebody_else_writes_first(self) -> None:
        self.story.world.conflict = True
        self.story.passes(1)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.story.passes(seconds)

    # ---- what happens to runs ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.story.world.runs)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def a_job_manager_dies(self, data: st.DataObject, seconds: int) -> None:
        self._run(data).kill_job_manager()
        self.story.passes(seconds)

    @precondition(lambda self: self.story.world.runs)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def a_job_fails(self, data: st.DataObject, seconds: int) -> None:
        run = self._run(data)
        if run.flink is FlinkState.RUNNING:
            run.crash("TaskManager lost")
        self.story.passes(seconds)

    @precondition(lambda self: self.story.world.runs)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def a_run_is_deleted_by_hand(self, data: st.DataObject, seconds: int) -> None:
        self._run(data).delete()
        self.story.passes(seconds)

    @precondition(lambda self: self.story.world.runs)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def a_job_manager_is_deleted_by_hand(self, data: st.DataObject, seconds: int) -> None:
        run = self._run(data)
        if run.job_manager is JobManagerState.ACTIVE and run.flink is not FlinkState.ENDED:
            run.lose_job_manager()
        self.story.passes(seconds)

    @rule(seconds=st.integers(1, 30))
    def the_storage_takes_no_savepoints_for_a_while(self, seconds: int) -> None:
        self.story.world.savepoints_fail = True
        self.story.passes(seconds)
        self.story.world.savepoints_fail = False

    def _run(self, data: st.DataObject):  # type: ignore[no-untyped-def]
        return self.story.world.runs[data.draw(st.sampled_from(sorted(self.story.world.runs)))]

    # ---- in the end --------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """A good version is shipped, and after a while it serves with nothing lost or shown twice."""
        self.story.world.change(version("9", rollout={"progress_deadline": "10m"}))
        self.story.until_settled(within=1500).then_serves("9").then_ready().then_not_stalled()
        shown = self.story.world.stream.shown
        assert [one.first for one in shown[1:]] == [one.last for one in shown[:-1]]
        self.story.world.delete()
        self.story.until_settled(within=600).then_gone()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=15)
