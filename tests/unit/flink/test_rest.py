"""Flink's REST API in answers that a real Flink 2.3 gave."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from headgate.flink.errors import FlinkRefused, FlinkUnreachable
from headgate.flink.rest import Checkpoints, FlinkRest, Job, JobState, SavepointRequest, Vertex

_JOB = "fffffffff0222f860000000000000000"
_OVERVIEW = {"jid": _JOB, "name": "default/churn", "start-time": 1795265848235, "state": "RUNNING"}
_STEP = "TableToDataStream -> Calc[4] -> PythonCalc[5] -> Calc[8] -> scores[9]: Writer"


def _flink(**answers: Any) -> FlinkRest:
    """A JobManager that knows these paths below ``/jobs`` (``__`` for ``/``); an int is an error's status."""
    known = {"/jobs/" + path.replace("__", "/").replace("JOB", _JOB): answer for path, answer in answers.items()}

    def handle(request: httpx.Request) -> httpx.Response:
        answer = known.get(request.url.path)
        if isinstance(answer, int):
            return httpx.Response(answer, json={"errors": ["org.apache.flink.SomeException: it cannot be done"]})
        return (
            httpx.Response(404, json={"errors": ["Not found."]}) if answer is None else httpx.Response(200, json=answer)
        )

    return FlinkRest("http://flink:8081", transport=httpx.MockTransport(handle))


def _overview(**tasks: int) -> dict[str, Any]:
    return {"jobs": [_OVERVIEW | {"tasks": {"running": 0, "finished": 0, "total": 2} | tasks}]}


def test_a_job_scores_when_every_task_runs() -> None:
    assert _flink(overview=_overview(running=2)).job() == Job(_JOB, "default/churn", JobState.RUNNING, 2, 2)
    assert _flink(overview=_overview(running=2)).job().scores  # type: ignore[union-attr]  # it was compared above
    assert not _flink(overview=_overview(running=1, initializing=1)).job().scores  # type: ignore[union-attr]  # as above


def test_before_main_has_submitted_there_is_no_job() -> None:
    assert _flink(overview={"jobs": []}).job() is None


def test_checkpoints_tell_what_was_restored_and_why_the_failed_ones_failed() -> None:
    answer = {
        "counts": {"restored": 1, "total": 3, "in_progress": 0, "completed": 1, "failed": 2},
        "latest": {
            "completed": {"external_path": "s3://state/churn-r1/checkpoints/x/chk-17"},
            "restored": {"external_path": "s3://state/churn-r1/checkpoints/x/chk-2", "is_savepoint": False},
            "savepoint": None,
        },
        "history": [
            {"status": "COMPLETED", "trigger_timestamp": 4000, "is_savepoint": True},
            {"status": "COMPLETED", "trigger_timestamp": 3000, "is_savepoint": False},
            {"status": "FAILED", "trigger_timestamp": 2000, "failure_message": "Checkpoint expired."},
            {"status": "FAILED", "trigger_timestamp": 1000},
        ],
    }

    found = _flink(JOB__checkpoints=answer).checkpoints(_JOB)

    second = datetime.fromtimestamp(1, UTC), datetime.fromtimestamp(2, UTC)
    assert found == Checkpoints(
        1, 2, "s3://state/churn-r1/checkpoints/x/chk-17", "s3://state/churn-r1/checkpoints/x/chk-2",
        ((second[1], "Checkpoint expired."), (second[0], "")), (datetime.fromtimestamp(3, UTC),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"status": {"id": "IN_PROGRESS"}, "operation": None}, SavepointRequest(done=False), id="it is under way"),
        pytest.param(
            {"status": {"id": "COMPLETED"}, "operation": {"location": "s3://state/savepoint-1"}},
            SavepointRequest(done=True, path="s3://state/savepoint-1"),
            id="a location says that there is one",
        ),
        pytest.param(
            {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": "a.B: no\nCaused by: c.D: disk full\n\tat x"}}},
            SavepointRequest(done=True, failure="disk full"),
            id="a failed one is completed as well",
        ),
        pytest.param(404, None, id="the JobManager knows of none"),
    ],
)  # fmt: skip
def test_a_savepoint_that_was_asked_for(answer: Any, expected: SavepointRequest | None) -> None:
    assert _flink(JOB__savepoints__t1=answer).savepoint_request(_JOB, "t1") == expected


def test_since_when_every_task_runs_is_when_the_last_one_began_to() -> None:
    def vertex(now: int, *running: int) -> dict[str, Any]:
        return {"now": now, "subtasks": [{"status": "RUNNING", "status-duration": {"RUNNING": r}} for r in running]}

    vertices = (Vertex("a", "source", 1, 0, 0), Vertex("b", "sink", 2, 0, 0))
    flink = _flink(JOB__vertices__a=vertex(20_000, 9_000), JOB__vertices__b=vertex(20_100, 9_000, 8_100))

    assert flink.running_since(_JOB, vertices) == datetime.fromtimestamp(12, UTC)


def test_a_task_that_does_not_run_makes_the_moment_unknown() -> None:
    answer = {"now": 1, "subtasks": [{"status": "INITIALIZING", "status-duration": {"RUNNING": -1}}]}
    assert _flink(JOB__vertices__a=answer).running_since(_JOB, (Vertex("a", "source", 1, 0, 0),)) is None


def test_records_are_counted_where_they_reach_the_model_step() -> None:
    vertices = (Vertex("a", "Source: records", 1, 0, 0), Vertex("b", _STEP, 1, 0, 0))
    flink = _flink(JOB__vertices__b__subtasks__metrics=[{"id": "PythonCalc[5].numRecordsInPerSecond", "sum": 100.3}])

    assert flink.scored_per_second(_JOB, vertices) == 100.3
    assert flink.scored_per_second(_JOB, vertices[:1]) is None


def test_what_the_scheduler_was_told_to_reach() -> None:
    answer = {
        "a": {"parallelism": {"lowerBound": 1, "upperBound": 2}},
        "b": {"parallelism": {"lowerBound": 1, "upperBound": 4}},
    }
    assert _flink(**{"JOB__resource-requirements": answer}).wanted_parallelism(_JOB) == 4


def test_a_refusal_is_told_in_flinks_words_and_silence_is_another_error() -> None:
    with pytest.raises(FlinkRefused, match=r"\(400\): it cannot be done"):
        _flink(overview=400).job()
    with pytest.raises(FlinkUnreachable):
        _flink(overview=503).job()
