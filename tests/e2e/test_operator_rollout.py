"""The outcome that Headgate is for, by the operator in the cluster: apply, and the stream is scored; change the version, and it moves.

One stream goes through all of it, since bringing one up takes most of a minute; each test begins where the one before it ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.cluster import eventually, listed, read
from e2e.models import classifier, refusing, unloadable
from e2e.operated import PATIENCE_S, Stream, assert_once, longest_gap
from e2e.release import change, roll_back
from e2e.stopwatch import STOPWATCH
from e2e.stream import Feed, Scored, feeding

_RECORDS_PER_SECOND = 100


@dataclass
class Flow:
    """A stream with records on their way."""

    stream: Stream
    feed: Feed
    scored: Scored


@pytest.fixture(scope="module")
def flow(operator: str, tenant: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """Records flow from before the first version until the last test is done."""
    stream = Stream(tmp_path_factory.mktemp("models"), tenant)
    for seed in (1, 2, 3):
        stream.upload(str(seed), lambda path, seed=seed: classifier(path, seed=seed))
    stream.upload("bad", unloadable)
    stream.upload("refusing", refusing)
    with feeding(f"{stream.name}-in", _RECORDS_PER_SECOND) as feed, Scored(f"{stream.name}-out") as scored:
        try:
            yield Flow(stream, feed, scored)
        finally:
            feed.stop()
            stream.clean()


def _failed_by(reason: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """Of a status: its last failure, where that has this reason."""

    def failure(status: dict[str, Any]) -> dict[str, Any] | None:
        last = status.get("lastFailure") or {}
        return last if last.get("reason") == reason else None

    return failure


def test_a_deployment_that_is_applied_scores_records(flow: Flow) -> None:
    stream, scored = flow.stream, flow.scored
    began = time.monotonic()
    stream.apply("1")
    eventually("there is a status at once", stream.status, 10, stream.tell)
    eventually("the first record is scored", scored.poll, PATIENCE_S, stream.tell)
    STOPWATCH.add("operator: applied to first record scored", time.monotonic() - began)

    status = stream.await_ready("1")

    assert status["phase"] == "Serving"
    assert status["serving"]["image"].startswith(f"{stream.spec['image']['repository']}@sha256:")
    assert stream.events() == ["RolloutStarted", "BuildStarted", "ImageBuilt", "StreamStarting", "Promoted"]
    stream.await_scored(scored, "1")
    stream.assert_answers(scored, "1")


def test_another_version_takes_the_stream_over_with_nothing_lost_and_nothing_twice(flow: Flow) -> None:
    stream, scored = flow.stream, flow.scored
    began = time.monotonic()
    stream.apply("2")

    status = stream.await_ready("2")
    STOPWATCH.add("operator: version changed to Ready", time.monotonic() - began)
    STOPWATCH.add("operator: hand-over, stop asked to every task running", status["handOverSeconds"])

    stream.await_scored(scored, "2")
    STOPWATCH.add("operator: hand-over, longest time without an answer", longest_gap(scored))
    scored.poll()
    assert max(r["id"] for r in scored.of("1")) > 0
    stream.assert_answers(scored, "2")
    eventually(
        "the old run is taken away", lambda: len({o for o in stream.leftovers() if "-r1" in o}) == 0, 90, stream.tell
    )


def test_another_release_of_the_operator_and_the_way_back_change_no_running_pod(flow: Flow, operator: str) -> None:
    if not operator:
        pytest.skip("the operator does not run in the cluster")
    stream = flow.stream

    def pods() -> dict[str, str]:
        found = listed(stream.namespace, "pods", f"headgate.dev/run={stream.run()}")
        return {pod["metadata"]["uid"]: pod["spec"]["containers"][0]["image"] for pod in found}

    before = pods()
    change(builds__concurrency=3)
    stream.await_scored(flow.scored, "2")
    roll_back()
    stream.await_scored(flow.scored, "2")

    assert pods() == before
    assert stream.status()["run"]["restarts"] == 0


def test_a_version_that_cannot_be_loaded_never_stops_the_one_that_serves(flow: Flow) -> None:
    stream, scored = flow.stream, flow.scored
    run, began = stream.run(), time.time()
    stream.apply("bad")

    stalled = stream.await_status("it is stalled", lambda _: stream.condition("Stalled"))
    ready = stream.condition("Ready")
    stream.await_scored(scored, "2")

    assert "Gemm" in stalled["message"]
    assert (ready["status"], ready["reason"]) == ("False", "RolloutFailed")
    status = stream.status()
    assert (status["serving"]["version"], status["run"]["name"]) == ("2", run)
    assert status["lastFailure"]["stage"] == "load"
    assert status["run"]["restarts"] == 0
    gap = longest_gap(scored, began)
    STOPWATCH.add("operator: longest time without an answer while a bad version was tried", gap)
    assert gap < 5, "the serving version paused"


def test_a_version_whose_answers_are_not_the_expected_ones_never_stops_the_one_that_serves(flow: Flow) -> None:
    stream, scored = flow.stream, flow.scored
    model, began = dict(stream.spec["model"]), time.time()
    stream.apply("3", model=model | {"goldens": {"uri": stream.upload_goldens("1")}})

    failure = stream.await_status("it fails at its goldens", _failed_by("GoldensFailed"))
    stream.await_scored(scored, "2")

    assert "probability" in failure["message"]
    assert stream.status()["serving"]["version"] == "2"
    assert longest_gap(scored, began) < 5, "the serving version paused"
    stream.spec["model"].pop("goldens")


def test_a_version_that_fails_at_records_is_taken_back(flow: Flow) -> None:
    stream, scored = flow.stream, flow.scored
    pipeline = dict(stream.spec["pipeline"])
    stream.apply("refusing", pipeline=pipeline | {"onError": "Fail"})

    failure = stream.await_status("it is given up", _failed_by("RestartingInLoop"), 2 * PATIENCE_S)
    stream.await_status("a version serves again", lambda status: status["phase"] == "Serving")
    stream.await_scored(scored, "2")

    assert "out of data bounds" in failure["message"]
    assert stream.status()["serving"]["version"] == "2"
    assert not scored.of("refusing")
    stream.spec["pipeline"] = pipeline


def test_a_stream_stands_still_while_it_is_suspended_and_goes_on_from_there(flow: Flow) -> None:
    stream, scored = flow.stream, flow.scored
    stream.apply("2", suspend=True)
    stream.await_status("it stands still", lambda status: status.get("phase") == "Suspended")
    eventually(
        "nothing runs", lambda: not [o for o in stream.leftovers() if "pod/" in o and "build" not in o], 90, stream.tell
    )

    stream.apply("2", suspend=False)
    stream.await_ready("2")
    stream.await_scored(scored, "2")


def test_every_record_was_answered_once_and_a_deletion_leaves_nothing(flow: Flow) -> None:
    stream, feed, scored = flow.stream, flow.feed, flow.scored
    feed.stop()
    stream.await_all(feed, scored)
    stream.delete()
    with STOPWATCH.step("operator: deleted to gone"):
        eventually(
            "the object is gone",
            lambda: read(stream.namespace, "modeldeployments.headgate.dev", stream.name) is None,
            PATIENCE_S,
            stream.tell,
        )
    eventually("nothing of it is left", lambda: not stream.leftovers(), 60, lambda: str(stream.leftovers()))
    scored.poll()
    assert_once(feed, scored)
