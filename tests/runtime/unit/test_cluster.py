"""What a run tells the operator: stages, the model's signature, the failure; and nothing of what a laptop alone wants to know."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from headgate_runtime.cluster import Go, KubernetesRun, ReportingEvents
from headgate_runtime.configmaps import ConfigMaps
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

    def waits_for_another(self, _deployment: str, /) -> bool:
        """Never asked here."""
        return False


class Listed(ConfigMaps):
    """ConfigMaps of a namespace with one deployment, ``churn``, by their names alone."""

    def names(self, selector: str) -> tuple[str, ...]:
        """What is there, where it is that deployment's."""
        return tuple(self.base.split()) if selector == "headgate.dev/deployment=churn" else ()


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


@pytest.mark.parametrize(
    ("there", "waits"),
    [
        pytest.param("churn-r2-flink churn-r2-status", False, id="alone"),
        pytest.param("churn-r2-flink churn-r2-status churn-r2-go", False, id="told to go itself"),
        pytest.param("churn-r1-flink churn-r1-status churn-r2-status", False, id="another that waits as well"),
        pytest.param("churn-r1-status churn-r1-go churn-r2-status", True, id="another that was told to go"),
    ],
)
def test_a_run_waits_for_another_that_was_told_to_go(there: str, waits: bool) -> None:
    run = KubernetesRun("churn-r2", Listed(there, Path(), "default"))
    assert run.waits_for_another("churn") is waits
    assert not run.waits_for_another("fraud")
