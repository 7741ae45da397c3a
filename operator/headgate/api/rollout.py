"""``spec.rollout``: how a new revision takes over. Parsed and validated here; carried out by the operator."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import ApiModel, Duration, Rule

OperatorName = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Strategy(StrEnum):
    """How a candidate takes over from the serving revision."""

    UPGRADE = "Upgrade"
    CANARY = "Canary"
    SHADOW = "Shadow"


class PauseStep(ApiModel):
    """Wait; without a duration, for a person."""

    duration: Duration | None = None
    """How long; left out, until somebody promotes."""


class Metric(StrEnum):
    """What an analysis may look at; each is measured per model version."""

    ERROR_RATE = "errorRate"
    LATENCY = "latency"
    DEAD_LETTER_RATE = "deadLetterRate"
    DISAGREEMENT = "disagreement"
    OUTPUT_DRIFT = "outputDrift"


class AnalysisMetric(ApiModel):
    """One measurement and the bound that it must keep."""

    name: str = Field(min_length=1, max_length=63, examples=["dead letters"])
    """What people call it; unique within its analysis."""
    metric: Metric | None = None
    """A metric that Headgate measures itself."""
    query: str = Field(default="", max_length=4096, examples=["sum(rate(complaints_total[5m]))"])
    """Or a Prometheus query that yields one number."""
    max: float | None = None
    """Fails above this."""
    min: float | None = None
    """Fails below this."""

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        return (
            Rule(
                cel="has(self.metric) != (has(self.query) && self.query != '')",
                holds=lambda one: (one.metric is not None) != bool(one.query),
                message="a metric needs either metric or query, and not both",
            ),
            Rule(
                cel="has(self.min) || has(self.max)",
                holds=lambda one: one.min is not None or one.max is not None,
                message="a metric without min and max passes whatever it measures: give one of them",
            ),
            Rule(
                cel="!has(self.min) || !has(self.max) || self.min <= self.max",
                holds=lambda one: one.min is None or one.max is None or one.min <= one.max,
                message="min is greater than max, so nothing can pass",
                field="min",
            ),
        )


class AnalysisStep(ApiModel):
    """Measure for a while; pass, fail or inconclusive."""

    duration: Duration = "1m"
    """How long to measure."""
    min_records: int = Field(default=100, ge=1)
    """Fewer records than this are inconclusive, and inconclusive pauses for a person."""
    metrics: tuple[AnalysisMetric, ...] = Field(min_length=1, max_length=20)
    """All of them must pass."""


class Step(ApiModel):
    """One step of a canary or shadow; exactly one of its fields is set."""

    set_weight: int | None = Field(default=None, ge=0, le=100)
    """Percent of keys that go to the candidate."""
    pause: PauseStep | None = None
    """Wait for a while or for a person."""
    analysis: AnalysisStep | None = None
    """Measure, and go on only when everything passes."""

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        return (
            Rule(
                cel="[has(self.setWeight), has(self.pause), has(self.analysis)].filter(set, set).size() == 1",
                holds=lambda step: [step.set_weight, step.pause, step.analysis].count(None) == 2,
                message="a step has exactly one of setWeight, pause and analysis",
            ),
        )


def _weights(rollout: RolloutSpec) -> list[int]:
    return [step.set_weight for step in rollout.steps if step.set_weight is not None]


class RolloutSpec(ApiModel):
    """How a new revision takes over."""

    strategy: Strategy = Strategy.UPGRADE
    """``Upgrade`` suits any change; ``Canary`` and ``Shadow`` a change of the model alone."""
    steps: tuple[Step, ...] = Field(default=(), max_length=50)
    """What a canary or shadow does, in order."""
    progress_deadline: Duration = "10m"
    """A candidate that is not healthy by then is given up."""
    revision_history_limit: int = Field(default=10, ge=1, le=100)
    """Revisions kept for undo, the serving one not counted."""
    allow_state_loss: tuple[OperatorName, ...] = Field(default=(), max_length=50)
    """Names of operators whose state a new revision may drop (``headgate explain`` lists them)."""
    paused: bool = False
    """Start no rollout, and hold one that is under way at its step."""

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        none = "!has(self.steps) || self.steps.size() == 0"
        upgrade = "!has(self.strategy) || self.strategy == 'Upgrade'"
        return (
            Rule(
                cel=f"{none} || !({upgrade})",
                holds=lambda rollout: not rollout.steps or rollout.strategy is not Strategy.UPGRADE,
                message="steps belong to strategy Canary or Shadow; strategy Upgrade takes none",
                field="steps",
            ),
            Rule(
                cel="!has(self.strategy) || self.strategy != 'Canary' || "
                "(has(self.steps) && self.steps.exists(step, has(step.setWeight)))",
                holds=lambda rollout: rollout.strategy is not Strategy.CANARY or bool(_weights(rollout)),
                message="strategy Canary needs at least one setWeight step",
                field="steps",
            ),
            Rule(
                cel="!has(self.strategy) || self.strategy != 'Shadow' || !has(self.steps) || "
                "!self.steps.exists(step, has(step.setWeight))",
                holds=lambda rollout: rollout.strategy is not Strategy.SHADOW or not _weights(rollout),
                message="strategy Shadow gives the candidate no weight: use pause and analysis, or strategy Canary",
                field="steps",
            ),
            Rule(
                cel="!has(self.steps) || "
                "self.steps.filter(step, has(step.setWeight)).map(step, step.setWeight).isSorted()",
                holds=lambda rollout: all(first <= second for first, second in pairwise(_weights(rollout))),
                message="setWeight goes down from one step to the next; a canary only grows (abort takes it back)",
                field="steps",
            ),
        )
