"""How steady a run is, by what a real Flink's REST API answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from headgate.flink.rest import FlinkRest
from headgate.kube.objects import RunObjects
from headgate.kube.runs import observe_run

_RUN = "churn-r2"
_JOB = "0000000071ead5e30000000000000000"
_TASK = "4e0c2e6c3b6da47f080163a53881255a"
_NOW_MS = 1_000_000
_LABELS = {"headgate.dev/run": _RUN, "headgate.dev/revision": "churn-7f3a9c21d4"}


def _objects() -> RunObjects:
    manager = {**_LABELS, "app.kubernetes.io/component": "jobmanager"}
    return RunObjects(
        jobs=({"metadata": {"name": f"{_RUN}-jm", "labels": manager}, "status": {"active": 1}},),
        config_maps=({"metadata": {"name": f"{_RUN}-go", "labels": _LABELS}, "data": {"savepoint": "s3://state/sp-1"}},),
        pods=({"metadata": {"name": f"{_RUN}-jm-0", "labels": manager}, "status": {"phase": "Running", "podIP": "10.0.0.1"}},),
    )  # fmt: skip


def _flink(running: int, age_s: int, completed: int, asked_for_s_ago: list[int]) -> FlinkRest:
    """A job of two tasks of which ``running`` run, the younger for ``age_s``, and its complete checkpoints, newest first."""
    history = [
        {"status": "COMPLETED", "is_savepoint": False, "trigger_timestamp": _NOW_MS - 1000 * ago}
        for ago in asked_for_s_ago
    ]
    subtasks = [
        {
            "status": "RUNNING" if at < running else "INITIALIZING",
            "status-duration": {"RUNNING": 1000 * (age_s + 1 - at)},
        }
        for at in range(2)
    ]
    vertex = {"id": _TASK, "name": "Source: c", "parallelism": 2, "metrics": {"read-records": 0, "write-records": 0}}
    tasks = {"running": running, "finished": 0, "total": 2}
    answers: dict[str, Any] = {
        "/jobs/overview": {
            "jobs": [{"jid": _JOB, "name": "shop/churn", "start-time": 1, "state": "RUNNING", "tasks": tasks}]
        },
        f"/jobs/{_JOB}": {"vertices": [vertex], "plan": {"nodes": [{"id": _TASK, "parallelism": 2}]}},
        f"/jobs/{_JOB}/vertices/{_TASK}": {"now": _NOW_MS, "subtasks": subtasks},
        f"/jobs/{_JOB}/checkpoints": {
            "counts": {"completed": completed, "failed": 0},
            "latest": {},
            "history": history,
        },
        f"/jobs/{_JOB}/exceptions": {},
        f"/jobs/{_JOB}/resource-requirements": {},
        f"/jobs/{_JOB}/metrics": [],
    }

    def handle(request: httpx.Request) -> httpx.Response:
        answer = answers.get(request.url.path)
        if request.url.path.endswith("/subtasks/metrics"):
            known = {"id": "Source__c.pendingRecords"}
            answer = [known | {"sum": 1204.0} if "get" in request.url.params else known]
        return (
            httpx.Response(404, json={"errors": ["Not found."]}) if answer is None else httpx.Response(200, json=answer)
        )

    return FlinkRest("http://flink:8081", transport=httpx.MockTransport(handle))


@pytest.mark.parametrize(
    ("running", "age_s", "completed", "asked_for_s_ago", "steady"),
    [
        pytest.param(2, 20, 2, [5, 15], 2, id="both since every task runs"),
        pytest.param(2, 10, 2, [5, 15], 1, id="one before a restart"),
        pytest.param(1, 10, 4, [5, 6, 7, 8], 0, id="a task is on its way"),
        pytest.param(1, 10, 40, [5, 6, 7, 8], 0, id="a task of an old job is on its way"),
        pytest.param(2, 10, 40, [5, 15, 25, 35], 40, id="an old job, which nobody asks any more"),
    ],
)  # fmt: skip
def test_steady_checkpoints_are_those_without_a_restart(
    running: int, age_s: int, completed: int, asked_for_s_ago: list[int], steady: int
) -> None:
    flink = _flink(running, age_s, completed, asked_for_s_ago)
    run = observe_run(_RUN, _objects(), "shop", lambda _run, _namespace: flink, "")
    assert (run.checkpoints, run.steady_checkpoints) == (completed, steady)
    if running == 2 and completed < 10:
        assert run.running_since == datetime.fromtimestamp((_NOW_MS - 1000 * age_s) / 1000, UTC)


@pytest.mark.parametrize(
    ("running", "lag"),
    [pytest.param(2, 1204, id="every task runs"), pytest.param(1, None, id="a task is on its way")],
)
def test_the_lag_is_read_while_every_task_runs(running: int, lag: int | None) -> None:
    flink = _flink(running, 20, 40, [5])
    run = observe_run(_RUN, _objects(), "shop", lambda _run, _namespace: flink, "")
    assert run.pending_records == lag
