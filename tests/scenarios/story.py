"""Given, when, then: what a story is written in. Time passes only in ``when_…`` and ``until_…``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from headgate.api.status import (
    Condition,
    HandOverStatus,
    ModelDeploymentStatus,
    Phase,
    ServingStatus,
    parse_status,
)
from headgate.planning.observation import FlinkState
from headgate.planning.plan import plan
from headgate.planning.revisions import revision_name_of, template_of
from scenarios.world.behaviour import Behaviour
from scenarios.world.cluster import NAME, World
from scenarios.world.operator import reconcile
from scenarios.world.runs import Run
from scenarios.world.specs import version

SETTLED = 12
"""Seconds without an action after which a world has settled: longer than anything in it takes but deadlines."""


@dataclass
class Story:
    """A world, its operator, and what one says about them."""

    world: World = field(default_factory=lambda: World(version("1")))
    operator_lives: bool = True

    # ---- given -------------------------------------------------------------------------------------------------------

    def given(self, label: str, **behaviour: Any) -> Self:
        """A version behaves like this."""
        self.world.set_behaviour(label, Behaviour(**behaviour))
        return self

    def given_serving(self, label: str, **changes: Any) -> Self:
        """A version serves, and the world has settled."""
        self.world.change(version(label, **changes))
        return self.until_settled().then_serves(label)

    # ---- when --------------------------------------------------------------------------------------------------------

    def when_applied(self, label: str, **changes: Any) -> Self:
        """kubectl apply."""
        self.world.change(version(label, **changes))
        return self

    def when_annotated(self, name: str, value: str) -> Self:
        """kubectl annotate."""
        self.world.annotations[f"headgate.dev/{name}"] = value
        return self

    def passes(self, seconds: int = 1) -> Self:
        """Time passes."""
        for _ in range(seconds):
            if self.operator_lives:
                reconcile(self.world)
            self.world.advance()
        return self

    def until(self, happens: Callable[[Self], bool], *, within: int = 120) -> Self:
        """Time passes until something is the case."""
        for _ in range(within):
            if happens(self):
                return self
            self.passes()
        raise AssertionError(f"it did not happen within {within} s: {self.describe()}")

    def until_settled(self, *, within: int = 400) -> Self:
        """Time passes until nothing is done any more; then a plan changes nothing."""
        quiet = 0
        for _ in range(within):
            before = len(self.world.actions)
            self.passes()
            quiet = quiet + 1 if len(self.world.actions) == before and not self._moves() else 0
            if quiet >= SETTLED:
                break
        else:
            raise AssertionError(f"it did not settle within {within} s: {self.describe()}")
        if not self.world.gone:
            self._then_fixpoint()
        return self

    def until_hand_over(self, stage: str) -> Self:
        """Time passes until a hand-over is in that half."""
        return self.until(lambda s: s.status.hand_over is not None and s.status.hand_over.stage.value == stage)

    def until_phase(self, phase: Phase, *, within: int = 120) -> Self:
        """Time passes until the phase is this."""
        return self.until(lambda s: s.status.phase is phase, within=within)

    # ---- then --------------------------------------------------------------------------------------------------------

    def then_serves(self, label: str) -> Self:
        """That version serves, and its job is the only one."""
        serving = self.status.serving
        assert serving is not None, self.describe()
        assert serving.version == label, self.describe()
        running = [run for run in self.world.runs.values() if run.flink is FlinkState.RUNNING]
        assert [run.spec.revision for run in running] == [serving.revision], self.describe()
        return self

    def then_ready(self) -> Self:
        """kubectl wait --for=condition=Ready succeeds."""
        assert self.condition("Ready").status.value == "True", self.describe()
        assert self.condition("Ready").observed_generation == self.world.generation
        return self

    def then_not_ready(self, reason: str) -> Self:
        """Ready is false, for that reason."""
        ready = self.condition("Ready")
        assert (ready.status.value, ready.reason) == ("False", reason), self.describe()
        return self

    def then_stalled(self, reason: str, words: str = "") -> Self:
        """A person has to do something."""
        stalled = self.condition("Stalled")
        assert (stalled.reason, words in stalled.message) == (reason, True), self.describe()
        return self

    def then_not_stalled(self) -> Self:
        """Nobody has to do anything."""
        assert "Stalled" not in {c.type for c in self.status.conditions}, self.describe()
        return self

    def then_waits_for(self, words: str) -> Self:
        """Reconciling says what is waited for."""
        assert words in self.condition("Reconciling").message, self.describe()
        return self

    def then_failed(self, stage: str, reason: str, words: str = "") -> Self:
        """``lastFailure`` says this."""
        failure = self.status.last_failure
        assert failure is not None, self.describe()
        assert (failure.stage, failure.reason, words in failure.message) == (stage, reason, True), failure
        return self

    def then_phase(self, phase: Phase) -> Self:
        """The phase is this."""
        assert self.status.phase is phase, self.describe()
        return self

    def then_told(self, *reasons: str) -> Self:
        """Events of these reasons were told, in this order among others."""
        told = iter([event.reason for event in self.world.events])
        assert all(reason in told for reason in reasons), [event.reason for event in self.world.events]
        return self

    def then_told_times(self, reason: str, times: int) -> Self:
        """How often an event was told."""
        assert sum(event.reason == reason for event in self.world.events) == times, self.world.events
        return self

    def then_shown_by(self, *labels: str) -> Self:
        """These versions showed results, one after the other; the sink itself sees to that nothing is lost or shown twice."""
        names = {revision_name_of(NAME, template_of(version(label))): label for label in map(str, range(10))}
        assert [names.get(r, r) for r in self.world.stream.revisions()] == list(labels)
        return self

    def then_runs(self, *names: str) -> Self:
        """These runs are there, and no others."""
        assert sorted(self.world.runs) == sorted(names), self.describe()
        return self

    def then_gone(self) -> Self:
        """The object is gone and left no run."""
        assert self.world.gone, self.describe()
        assert not self.world.runs, self.describe()
        return self

    def _moves(self) -> bool:
        moving = [c for c in self.status.conditions if c.type == "Reconciling" and c.reason != "Paused"]
        return (bool(moving) or self.status.hand_over is not None) and not self.world.gone

    def _then_fixpoint(self) -> None:
        reconcile(self.world)
        seen = self.world.observe()
        again = plan(seen)
        assert (again.actions, again.events, again.status) == ((), (), seen.status), self.describe()

    # ---- what there is -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> ModelDeploymentStatus:
        """The object's status."""
        return parse_status(self.world.status)

    @property
    def hand_over(self) -> HandOverStatus:
        """The hand-over that is under way."""
        assert self.status.hand_over is not None, self.describe()
        return self.status.hand_over

    @property
    def serving(self) -> ServingStatus:
        """What serves."""
        assert self.status.serving is not None, self.describe()
        return self.status.serving

    @property
    def run(self) -> Run:
        """The serving run."""
        run = self.status.run
        assert run is not None, self.describe()
        return self.world.runs[run.name]

    @property
    def candidate(self) -> Run:
        """The candidate's run."""
        candidate = self.status.candidate
        assert candidate is not None, self.describe()
        return self.world.runs[candidate.run]

    def condition(self, kind: str) -> Condition:
        """The condition of that type."""
        found = [c for c in self.status.conditions if c.type == kind]
        assert found, f"no condition {kind}: {self.describe()}"
        return found[0]

    def done(self, kind: type) -> int:
        """How many actions of a kind were carried out."""
        return sum(isinstance(action, kind) for action in self.world.actions)

    def describe(self) -> str:
        """The world in a few lines, for a failed assertion."""
        status = self.status
        lines = [
            f"at {self.world.clock} s: {status.phase} serving={status.serving and status.serving.version} run={status.run}"
        ]
        lines += [f"candidate={status.candidate}", f"handOver={status.hand_over}", f"lastFailure={status.last_failure}"]
        lines += [f"{c.type}={c.status} {c.reason}: {c.message}" for c in status.conditions]
        lines += [
            f"{run.name} {run.spec.revision} jm={run.job_manager} stage={run.stage} go={run.go!r} flink={run.flink} cp={run.checkpoints}"
            for run in self.world.runs.values()
        ]
        lines += [f"event {event.reason}: {event.message}" for event in self.world.events[-8:]]
        return "\n".join(lines)
