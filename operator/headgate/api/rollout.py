"""``spec.rollout``: how a new revision takes over. Parsed and validated here; carried out by the operator."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from headgate.api.base import ApiModel, Duration


class Strategy(StrEnum):
    """How a candidate takes over from the serving revision."""

    UPGRADE = "Upgrade"
    CANARY = "Canary"
    SHADOW = "Shadow"


class PauseStep(ApiModel):
    """Wait; without a duration, for a person."""

    duration: Duration | None = None


class Metric(StrEnum):
    """What an analysis may look at; each is measured per model version."""

    ERROR_RATE = "errorRate"
    LATENCY = "latency"
    DEAD_LETTER_RATE = "deadLetterRate"
    DISAGREEMENT = "disagreement"
    OUTPUT_DRIFT = "outputDrift"


class AnalysisMetric(ApiModel):
    """One measurement and the bound that it must keep."""

    name: str = Field(min_length=1, max_length=63)
    metric: Metric | None = None
    """A metric that Headgate measures itself."""
    query: str = Field(default="", max_length=4096)
    """Or a Prometheus query that yields one number."""
    max: float | None = None
    """Fails above this."""
    min: float | None = None
    """Fails below this."""


class AnalysisStep(ApiModel):
    """Measure for a while; pass, fail or inconclusive."""

    duration: Duration = "1m"
    min_records: int = Field(default=100, ge=1)
    """Fewer records than this are inconclusive, and inconclusive pauses for a person."""
    metrics: tuple[AnalysisMetric, ...] = Field(min_length=1, max_length=20)


class Step(ApiModel):
    """One step of a canary or shadow; exactly one of its fields is set."""

    set_weight: int | None = Field(default=None, ge=0, le=100)
    """Percent of keys that go to the candidate."""
    pause: PauseStep | None = None
    analysis: AnalysisStep | None = None


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
    allow_state_loss: tuple[str, ...] = Field(default=(), max_length=50)
    """Names of operators whose state a new revision may drop (``headgate explain`` lists them)."""
    paused: bool = False
    """Start no rollout, and hold one that is under way at its step."""
