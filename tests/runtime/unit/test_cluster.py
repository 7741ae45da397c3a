"""What a run tells the operator: stages, the model's signature, the failure; and nothing of what a laptop alone wants to know."""

from __future__ import annotations

import io
import json

import pytest

from headgate_runtime.cluster import Go, ReportingEvents
from headgate_runtime.errors import GoldensFailed, Stage


class Remembering:
    """A run that keeps what it was told, as the ConfigMap does."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}

    def report(self, status: dict[str, str]) -> None:
        """Keys are replaced."""
        self.data |= status

    def go(self) -> Go | None:
        """Never asked here."""
        return None


def test_a_stage_that_fails_is_told_with_its_reason_and_what_the_model_takes() -> None:
    run = Remembering()
    events = ReportingEvents(run, io.StringIO())
    events.emit("signature", inputs={"x": "float32 [?, 2]"}, outputs={"y": "float32 [?, 1]"})
    with pytest.raises(GoldensFailed), events.stage(Stage.GOLDENS):
        raise GoldensFailed("1 of 2 golden rows")
    assert (run.data["stage"], run.data["stageStatus"]) == ("goldens", "failed")
    assert json.loads(run.data["signature"]) == {"inputs": {"x": "float32 [?, 2]"}, "outputs": {"y": "float32 [?, 1]"}}
    events.emit("error", stage=GoldensFailed.stage, reason=GoldensFailed.reason, message="1 of 2 golden rows")
    assert (run.data["reason"], run.data["message"]) == ("GoldensFailed", "1 of 2 golden rows")


def test_counts_and_plans_are_not_for_the_operator() -> None:
    run = Remembering()
    ReportingEvents(run, io.StringIO()).emit("progress", scored=1)
    assert run.data == {}
