"""Flink's REST API in answers that a real Flink 2.3 gave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from headgate.flink.errors import FlinkRefused, FlinkUnreachable
from headgate.flink.rest import Checkpoints, FlinkRest, Job, JobState, SavepointRequest, Vertex

_JOB = "fffffffff0222f860000000000000000"
_OVERVIEW = {"jid": _JOB, "name": "default/churn", "start-time": 1795265848235, "state": "RUNNING"}
_STEP = "TableToDataStream -> Calc[4] -> PythonCalc[5] -> Calc[8] -> scores[9]: Writer"


def _flink(_asked: list[str] | None = None, **answers: Any) -> FlinkRest:
    """A JobManager that knows these paths below ``/jobs`` (``__`` for ``/``), and what it was asked.

    An answer that is an int is an error's status, one that can be called is given the query.
    """
    known = {"/jobs/" + path.replace("__", "/").replace("JOB", _JOB): answer for path, answer in answers.items()}

    def handle(request: httpx.Request) -> httpx.Response:
        if _asked is not None:
            _asked.append(str(request.url.copy_with(scheme=None, host=None, port=None)).removeprefix(f"/jobs/{_JOB}"))
        answer = known.get(request.url.path)
        if callable(answer):
            answer = answer(request.url.params)
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


def test_a_run_that_warms_up_has_no_job_yet_and_later_its_own() -> None:
    (own,) = _overview(running=2)["jobs"]
    warm_up = own | {"jid": "f" * 32, "name": "headgate warm-up", "start-time": own["start-time"] + 1}
    assert _flink(overview={"jobs": [warm_up]}).job() is None
    found = _flink(overview={"jobs": [own, warm_up]}).job()
    assert found is not None
    assert found.id == _JOB


@pytest.mark.parametrize(
    ("told", "restarts"),
    [
        pytest.param({}, 0, id="not told yet"),
        pytest.param({"numRestarts": "2"}, 2, id="a scheduler that never rescales"),
        pytest.param({"numRestarts": "3", "numRescales": "1"}, 2, id="another parallelism is no restart"),
        pytest.param({"numRescales": "1", "numRestarts": "0"}, 0, id="read in between"),
    ],
)
def test_a_restart_is_one_that_nobody_asked_for(told: dict[str, str], restarts: int) -> None:
    answer = [{"id": name, "value": value} for name, value in told.items()]
    assert _flink(JOB__metrics=answer).restarts(_JOB) == restarts


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


# ---- the lag: a job that reads two topics and numbers that Flink makes up ----------------------------------------------

_KAFKA = "Source: KafkaSource-default_catalog.default_database."
_RECORDS = "Source__KafkaSource-default_catalog_default_database_records"
_ODD = "Source__KafkaSource-default_catalog_default_database_odd_+_name_&_100%_long_long"
"""Flink shortens an operator's name to 80 letters for its metrics."""


def _node(id_: str, *inputs: str) -> dict[str, Any]:
    edges = [
        {"id": i, "num": n, "exchange": "pipelined_bounded", "ship_strategy": "FORWARD"} for n, i in enumerate(inputs)
    ]
    node = {"id": id_, "operator": "", "parallelism": 2, "description": "", "optimizer_properties": {}}
    return node | ({"inputs": edges} if edges else {})


def _details(plan: bool = True) -> dict[str, Any]:
    """What ``/jobs/<id>`` answers."""
    names = {
        "b": _STEP,
        "r": f"{_KAFKA}records",
        "o": f"{_KAFKA}odd + name & 100% long long long",
        "g": "Source: gen[4]",
    }
    counts = {"read-records": 7, "write-records": 5}
    found = [{"id": i, "name": name, "parallelism": 2, "metrics": counts} for i, name in names.items()]
    nodes = [_node("b", "r", "o", "g"), _node("r"), _node("o"), _node("g")]
    drawn = {"jid": _JOB, "name": "shop/churn", "type": "STREAMING", "nodes": nodes}
    return {"vertices": found} | ({"plan": drawn} if plan else {})


def _metrics(**sums: float) -> Callable[[httpx.QueryParams], list[dict[str, Any]]]:
    """A task's metrics: their names where none is asked for, otherwise the sums of those that there are."""
    known = {"checkpointStartDelayNanos": 1.0, "gen[4].numRecordsOut": 9.0} | sums

    def answer(query: httpx.QueryParams) -> list[dict[str, Any]]:
        if "get" not in query:
            return [{"id": name} for name in known]
        assert query["agg"] == "sum"
        return [{"id": name, "sum": known[name]} for name in query["get"].split(",") if name in known]

    return answer


def _reading(asked: list[str], records: dict[str, float], odd: dict[str, float]) -> FlinkRest:
    subtasks = {"r": _metrics(**records), "o": _metrics(**odd), "g": _metrics(), "b": _metrics()}
    paths: dict[str, Any] = {f"JOB__vertices__{i}__subtasks__metrics": answer for i, answer in subtasks.items()}
    return _flink(asked, JOB=_details(), **paths)


def test_the_sources_are_the_tasks_without_an_input_in_the_plan() -> None:
    assert [v.id for v in _flink(JOB=_details()).vertices(_JOB) if v.source] == ["r", "o", "g"]
    assert not any(v.source for v in _flink(JOB=_details(plan=False)).vertices(_JOB))
    assert _flink(JOB=_details()).vertices(_JOB)[1] == Vertex("r", f"{_KAFKA}records", 2, 7, 5, source=True)


@pytest.mark.parametrize(
    ("records", "odd", "lag"),
    [
        pytest.param({f"{_RECORDS}.pendingRecords": 23500.0}, {f"{_ODD}.pendingRecords": 24000.0}, 47500, id="all that tell count"),
        pytest.param(
            {f"{_RECORDS}.pendingRecords": 2.0, "Source__other.pendingRecords": 3.0}, {}, 5, id="several sources in one task"
        ),
        pytest.param({f"{_RECORDS}.pendingRecords": 0.0}, {}, 0, id="nothing is left to read"),
        pytest.param({f"{_RECORDS}.pendingRecords": -3.0}, {}, 0, id="less than nothing is nothing"),
        pytest.param({f"{_RECORDS}.pendingBytes": 9.0}, {}, None, id="no source tells"),
        pytest.param({}, {}, None, id="no record was read yet"),
    ],
)  # fmt: skip
def test_the_lag_is_what_the_sources_have_yet_to_read(
    records: dict[str, float], odd: dict[str, float], lag: int | None
) -> None:
    flink = _reading([], records, odd)
    assert flink.pending_records(_JOB, flink.vertices(_JOB)) == lag


def test_a_source_is_asked_for_its_metrics_names_and_then_for_those_that_it_has() -> None:
    asked: list[str] = []
    flink = _reading(asked, {f"{_RECORDS}.pendingRecords": 1.0}, {f"{_ODD}.pendingRecords": 2.0})
    vertices = flink.vertices(_JOB)
    asked.clear()

    flink.pending_records(_JOB, vertices)

    odd = "Source__KafkaSource-default_catalog_default_database_odd_%2B_name_%26_100%25_long_long"
    assert asked == [
        "/vertices/r/subtasks/metrics",
        f"/vertices/r/subtasks/metrics?get={_RECORDS}.pendingRecords&agg=sum",
        "/vertices/o/subtasks/metrics",
        f"/vertices/o/subtasks/metrics?get={odd}.pendingRecords&agg=sum",
        "/vertices/g/subtasks/metrics",
    ]


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
