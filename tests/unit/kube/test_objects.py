"""What is left of runs, and what their pods tell."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.kube.objects import RunObjects, at_work, gave_up, job_manager_restarts, pod_problem, runs_of

_RUN = "churn-r1"


def _named(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {"headgate.dev/run": _RUN}}}


def _pod(component: str = "jobmanager", phase: str = "Running", **container: Any) -> dict[str, Any]:
    labels = {"headgate.dev/run": _RUN, "app.kubernetes.io/component": component}
    return {
        "metadata": {"name": "p", "labels": labels},
        "status": {"phase": phase, "containerStatuses": [{"name": component, **container}]},
    }


@pytest.mark.parametrize("kind", ["jobs", "deployments", "services", "config_maps", "pods", "flinks_own"])
def test_a_run_is_there_as_long_as_anything_of_it_is(kind: str) -> None:
    one = _named("x", app=_RUN) if kind == "flinks_own" else _named("x")
    objects = RunObjects(**{kind: (one,)})
    assert objects.names() == (_RUN,)
    assert objects.of(_RUN) == objects
    assert objects.of("churn-r2") == RunObjects()


def test_flinks_own_maps_belong_to_runs_of_the_deployment_and_not_to_one_with_a_longer_name() -> None:
    maps = tuple(_named(app, app=app) for app in ("churn-r1", "churn-r12", "churn-r1-r1", "churn-rx", "other-r1"))
    assert [one["metadata"]["name"] for one in runs_of("churn", maps)] == ["churn-r1", "churn-r12"]


@pytest.mark.parametrize("missing", ["churn-r1-tm", "churn-r1-rest", "churn-r1-flink", "churn-r1-status"])
def test_a_run_is_intact_when_all_of_it_is_there(missing: str) -> None:
    def objects(gone: str) -> RunObjects:
        deployments, services, maps = (
            ("churn-r1-tm",),
            ("churn-r1-rest",),
            ("churn-r1-flink", "churn-r1-status", "churn-r1-go"),
        )
        return RunObjects(
            (), *(tuple(_named(n) for n in group if n != gone) for group in (deployments, services, maps))
        )

    assert objects("").intact(_RUN)
    assert not objects(missing).intact(_RUN)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(_pod(lastState={"terminated": {"exitCode": 163}}, state={"running": {}}), True, id="main() is on its way again"),
        pytest.param(_pod(state={"terminated": {"exitCode": 165}}), True, id="how it ended is not known"),
        pytest.param(_pod(lastState={"terminated": {"exitCode": 137}}), False, id="it was killed"),
        pytest.param(_pod("taskmanager", lastState={"terminated": {"exitCode": 163}}), False, id="a TaskManager gives nothing up"),
    ],
)  # fmt: skip
def test_whether_flink_gave_the_application_up(pod: dict[str, Any], expected: bool) -> None:
    assert gave_up((pod,)) is expected


def test_restarts_are_those_of_the_container_and_of_pods_that_were_lost() -> None:
    job = _named("churn-r1-jm") | {"status": {"failed": 2}}
    objects = RunObjects(jobs=(job,), pods=(_pod(restartCount=3), _pod("taskmanager", restartCount=7)))
    assert job_manager_restarts(objects) == 5


def test_pods_that_came_to_their_end_do_not_work() -> None:
    assert at_work((_pod(), _pod(phase="Succeeded"), _pod(phase="Failed"), _pod(phase="Pending"))) == 2


_QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: small"}


@pytest.mark.parametrize(
    ("pods", "deployments", "expected"),
    [
        pytest.param((_pod(),), (), "", id="nothing is wrong"),
        pytest.param(
            (_pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}),), (), "ImagePullBackOff: not found",
            id="its image cannot be pulled",
        ),
        pytest.param(
            (_pod("taskmanager", ready=False, lastState={"terminated": {"reason": "OOMKilled"}}),), (),
            "OOMKilled: taskmanager needs more memory than it was given.", id="it ran out of memory",
        ),
        pytest.param(
            (_pod("taskmanager", ready=True, lastState={"terminated": {"reason": "OOMKilled"}}),), (), "", id="it did so long ago",
        ),
        pytest.param((), (_named("x") | {"status": {"conditions": [_QUOTA]}},), "FailedCreate: exceeded quota: small", id="a quota"),
    ],
)  # fmt: skip
def test_why_a_pod_cannot_start(
    pods: tuple[dict[str, Any], ...], deployments: tuple[dict[str, Any], ...], expected: str
) -> None:
    assert pod_problem(pods, deployments) == expected
