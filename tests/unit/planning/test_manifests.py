"""The objects of a run that no other test looks at closely."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.flink import FlinkSpec
from headgate.planning.flinkconfig import METRICS_PORT, REST_PORT
from headgate.planning.manifests import render_run, run_object_names
from headgate.planning.runspec import PodSettings, RunSpec


def _run(settings: str = "{}") -> RunSpec:
    return RunSpec(
        name="churn-r1", namespace="shop", deployment="churn", revision="churn-7f3a9c21d4", image="registry.example.com/churn@sha256:0",
        flink=FlinkSpec(), folder="s3://state/churn", pods=PodSettings.from_text(settings),
    )  # fmt: skip


def _policies(run: RunSpec) -> list[dict[str, Any]]:
    return [one for one in render_run(run) if one["kind"] == "NetworkPolicy"]


def test_flink_is_reached_by_its_own_pods_and_by_the_operator_alone() -> None:
    (policy,) = _policies(_run())
    own = {"headgate.dev/run": "churn-r1"}
    assert policy["spec"]["podSelector"]["matchLabels"] == own
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    among, operator, metrics = policy["spec"]["ingress"]
    assert among == {"from": [{"podSelector": {"matchLabels": own}}]}
    assert operator["ports"] == [{"port": REST_PORT}]
    assert [peer["podSelector"]["matchLabels"] for peer in operator["from"]] == [{"app.kubernetes.io/name": "headgate"}]
    assert metrics == {"ports": [{"port": METRICS_PORT}]}


@pytest.mark.parametrize(
    ("settings", "there"), [("{}", 1), ('{"networkPolicy": true}', 1), ('{"networkPolicy": false}', 0)]
)
def test_an_installation_may_leave_the_policy_out(settings: str, there: int) -> None:
    assert len(_policies(_run(settings))) == there


def test_everything_that_is_made_is_named_for_its_deletion() -> None:
    named = {(kind, name) for _, kind, name in run_object_names("churn-r1")}
    assert {(one["kind"], one["metadata"]["name"]) for one in render_run(_run())} <= named
