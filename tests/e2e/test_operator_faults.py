"""What dies in the cluster is made good: the operator at three moments of a rollout, a JobManager, a TaskManager. One stream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.cluster import eventually, kill_container, listed
from e2e.models import classifier
from e2e.operated import PATIENCE_S, Stream, assert_once
from e2e.release import RELEASE
from e2e.stopwatch import STOPWATCH
from e2e.stream import Scored, feeding

_RECORDS_PER_SECOND = 100


@pytest.fixture
def stream(operator: str, tenant: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    """A stream with three versions of its model."""
    made = Stream(tmp_path_factory.mktemp("models"), tenant)
    for seed in (1, 2, 3):
        made.upload(str(seed), lambda path, seed=seed: classifier(path, seed=seed))
    yield made
    made.clean()


def test_the_stream_goes_on_whatever_dies(stream: Stream, operator: str) -> None:
    if not operator:
        pytest.skip("the operator does not run in the cluster, so that it cannot be killed there")
    with feeding(f"{stream.name}-in", _RECORDS_PER_SECOND) as feed, Scored(f"{stream.name}-out") as scored:
        stream.apply("1")
        stream.await_status("a build runs", lambda status: status.get("phase") == "Building")
        _kill_operator(operator)
        stream.await_ready("1")
        stream.await_scored(scored, "1")

        with STOPWATCH.step("operator: JobManager killed to Ready again"):
            _kill(stream, "jobmanager")
        stream.await_scored(scored, "1")
        with STOPWATCH.step("operator: TaskManager killed to Ready again"):
            _kill(stream, "taskmanager")
        stream.await_scored(scored, "1")

        stream.apply("2")
        stream.await_stage("Stopping")
        _kill_operator(operator)
        stream.await_ready("2")
        stream.await_scored(scored, "2")

        stream.apply("3")
        stream.await_stage("Starting")
        _kill_operator(operator)
        stream.await_ready("3")
        stream.await_scored(scored, "3")

        feed.stop()
        stream.await_all(feed, scored)
        stream.delete()
        eventually("nothing of it is left", lambda: not stream.leftovers(), PATIENCE_S, lambda: str(stream.leftovers()))
        scored.poll()
    assert_once(feed, scored)
    for version in ("1", "2", "3"):
        stream.assert_answers(scored, version)


def _kill(stream: Stream, component: str) -> None:
    """As a machine would, and wait until the operator has seen both that it was gone and that it is back."""
    before = (stream.status().get("run") or {}).get("restarts", 0)
    kill_container(stream.pod(component))
    stream.await_status(
        "the restart is counted", lambda status: (status.get("run") or {}).get("restarts", 0) > before
    )  # fmt: skip
    eventually("it is Ready again", lambda: stream.condition("Ready").get("status") == "True", PATIENCE_S, stream.tell)


def _kill_operator(namespace: str) -> None:
    """Without a goodbye; its Deployment starts it again."""
    (pod,) = listed(namespace, "pods", f"app.kubernetes.io/instance={RELEASE}")
    kill_container(pod)
