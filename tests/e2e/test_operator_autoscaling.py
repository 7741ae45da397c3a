"""A HorizontalPodAutoscaler on a ModelDeployment: a busy stream is given more parallelism, and gives it back, while it runs.

What is tried is the whole way: metrics that pods really have, the scale subresource and its selector, the operator, Flink's
adaptive scheduler.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cluster import apply, ask_kubectl, delete, eventually, flink_of, kubectl, read
from e2e.models import classifier
from e2e.operated import PATIENCE_S, Stream, assert_once
from e2e.stopwatch import STOPWATCH
from e2e.stream import Scored, feeding

_RECORDS_PER_SECOND = 100
_LITTLE = 10
"""Percent of the CPU that a TaskManager requests: with records on their way it always uses more."""
_MUCH = 1000
"""So much that two TaskManagers never use it: whatever they do, one would do."""


@pytest.fixture
def stream(operator: str, tenant: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream whose manifest leaves its parallelism to whoever scales it."""
    made = Stream(tmp_path_factory.mktemp("models"), tenant)
    made.upload("1", lambda path: classifier(path, seed=1))
    yield made
    delete(tenant, [_autoscaler(made)])
    made.clean()


def test_an_autoscaler_gives_a_busy_stream_more_parallelism_and_takes_it_back_while_it_runs(stream: Stream) -> None:
    with feeding(f"{stream.name}-in", _RECORDS_PER_SECOND) as feed, Scored(f"{stream.name}-out") as scored:
        stream.apply("1")
        began = _what_serves(stream.await_ready("1"))
        stream.await_scored(scored, "1")
        assert (_wanted(stream), _running(stream)) == (1, {1})

        apply(_autoscaler(stream, percent=_LITTLE))
        with STOPWATCH.step("operator: autoscaler applied to every task running with parallelism 2"):
            _await_parallelism(stream, 2)

        assert _what_serves(stream.await_ready("1")) == began
        assert stream.status()["run"]["restarts"] == 0, "another parallelism is no restart"
        assert "Scaling" in stream.events()
        eventually(
            "the autoscaler works, and sees both TaskManagers",
            lambda: _condition(stream, "ScalingActive") == "True" and _autoscaled(stream)["currentReplicas"] == 2,
            60,
            lambda: _tell(stream),
        )
        stream.await_scored(scored, "1")
        stream.apply("1")
        assert _wanted(stream) == 2, "a manifest without a parallelism leaves the autoscaler's alone"

        apply(_autoscaler(stream, percent=_MUCH))
        with STOPWATCH.step("operator: autoscaler changed to every task running with parallelism 1 again"):
            _await_parallelism(stream, 1)

        assert _what_serves(stream.await_ready("1")) == began
        stream.await_scored(scored, "1")
        feed.stop()
        stream.await_all(feed, scored)
        scored.poll()
    assert_once(feed, scored)
    stream.assert_answers(scored, "1")


def _autoscaler(stream: Stream, percent: int = 100) -> dict[str, Any]:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": stream.name, "namespace": stream.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "headgate.dev/v1alpha1", "kind": "ModelDeployment", "name": stream.name},
            "minReplicas": 1,
            "maxReplicas": 2,
            "metrics": [{"type": "Resource", "resource": cpu}],
            # By default it thinks for five minutes before it takes anything back.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }


def _await_parallelism(stream: Stream, parallelism: int) -> None:
    """Until the autoscaler has asked for it, every task runs with it by Flink's word, and the scale subresource says so."""
    for what, holds in (
        ("is asked for", lambda: _wanted(stream) == parallelism),
        ("runs", lambda: _running(stream) == {parallelism}),
        ("is told", lambda: stream.status()["scale"]["replicas"] == parallelism),
    ):
        eventually(f"parallelism {parallelism} {what}", holds, PATIENCE_S, lambda: _tell(stream))


def _wanted(stream: Stream) -> int:
    """The parallelism of the spec."""
    told = kubectl("-n", stream.namespace, "get", "mdep", stream.name, "-o", "jsonpath={.spec.flink.parallelism}")
    return int(told)


def _running(stream: Stream) -> set[int]:
    """The parallelism of the tasks of the serving run's job, by Flink's word; empty while it gives none."""
    with flink_of(stream.namespace, stream.run()) as flink:
        job = flink.job()
        return {task.parallelism for task in flink.vertices(job.id)} if job is not None and job.scores else set()


def _what_serves(status: dict[str, Any]) -> tuple[object, ...]:
    """What another parallelism must leave as it is: the run, its job, the revision and its promotion."""
    return (status["lastRun"], status["run"]["name"], status["run"]["jobId"], status["serving"])


def _autoscaled(stream: Stream) -> dict[str, Any]:
    """The autoscaler's status."""
    return dict((read(stream.namespace, "hpa", stream.name) or {}).get("status") or {})


def _condition(stream: Stream, kind: str) -> str:
    return next((one["status"] for one in _autoscaled(stream).get("conditions", []) if one["type"] == kind), "")


def _tell(stream: Stream) -> str:
    described = ask_kubectl("-n", stream.namespace, "describe", "hpa", stream.name).stdout
    selector = f"headgate.dev/run={stream.run()}"
    used = ask_kubectl("-n", stream.namespace, "top", "pods", "-l", selector)
    return f"{described}\n{used.stdout}{used.stderr}\n{stream.tell()}"
