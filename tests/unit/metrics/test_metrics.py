"""What is counted of a round, what is told of every object, and the server that shows it."""

from __future__ import annotations

import contextlib
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from kopf._core.actions.loggers import ObjectJsonFormatter
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from prometheus_client.parser import text_string_to_metric_families

from headgate import logs
from headgate.api.revision import ModelRevisionStatus, RevisionPhase
from headgate.api.status import (
    Condition,
    ConditionStatus,
    FailureStatus,
    ModelDeploymentStatus,
    Phase,
    RunStatus,
    ServingStatus,
)
from headgate.controller import Outcome
from headgate.errors import ClusterError
from headgate.metrics import Metrics, serve
from headgate.planning.actions import Action, Event, EventType, StartBuild, UpdateRevision
from headgate.planning.plan import Plan
from headgate.planning.reasons import Reason
from scenarios.story import Story
from scenarios.world.operator import reconcile as act_out

SOON = timedelta(seconds=1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Apiserver(ClusterError):
    """It did not answer."""

    reason = "ApiUnavailable"


def outcome(*reasons: Reason, actions: tuple[Action, ...] = (), status: ModelDeploymentStatus | None = None) -> Outcome:
    """A round that told these reasons."""
    events = tuple(Event(EventType.NORMAL, reason.value, "said") for reason in reasons)
    return Outcome(SOON, plan=Plan(status or ModelDeploymentStatus(), actions, events, SOON))


def failed(stage: str, reason: str) -> UpdateRevision:
    """A revision that was given up."""
    failure = FailureStatus(reason=reason, stage=stage, time="2026-03-01T00:00:00Z")
    return UpdateRevision("churn-1", ModelRevisionStatus(phase=RevisionPhase.FAILED, last_failure=failure))


def numbers(metrics: Metrics) -> dict[str, float]:
    """Every sample by name and labels, as Prometheus reads them; zeros left out."""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            if sample.value and not sample.name.startswith("process_") and not sample.name.endswith("_created"):
                labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()) if k != "le")
                found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def round_of(metrics: Metrics, *outcomes: Outcome | Exception, name: str = "churn") -> None:
    """Rounds that come to this."""
    for one in outcomes:

        def reconcile(_namespace: str, _name: str, one: Outcome | Exception = one) -> Outcome:
            if isinstance(one, Exception):
                raise one
            return one

        with pytest.raises(ValueError, match="a mistake") if isinstance(one, Exception) else contextlib.nullcontext():
            metrics.measured(reconcile)("shop", name)


def test_rounds_are_counted_by_what_they_came_to() -> None:
    metrics = Metrics()
    round_of(metrics, outcome(), outcome(), Outcome(SOON, Apiserver("no")), ValueError("a mistake"), Outcome(None))
    found = numbers(metrics)
    assert found["headgate_reconciles_total{result=done}"] == 3
    assert found["headgate_reconciles_total{result=problem}"] == 1
    assert found["headgate_reconciles_total{result=mistake}"] == 1
    assert found["headgate_reconcile_errors_total{reason=ApiUnavailable}"] == 1
    assert found["headgate_reconcile_errors_total{reason=Mistake}"] == 1
    assert found["headgate_reconcile_seconds_count{}"] == 5
    assert "headgate_rounds_running{}" not in found


def test_the_queue_and_rounds_under_way_are_shown() -> None:
    metrics = Metrics()
    metrics.queue(lambda: 7)
    seen: list[dict[str, float]] = []

    def look(_namespace: str, _name: str) -> Outcome:
        seen.append(numbers(metrics))
        return Outcome(None)

    metrics.measured(look)("shop", "churn")
    assert (seen[0]["headgate_rounds_running{}"], seen[0]["headgate_rounds_waiting{}"]) == (1, 7)


@pytest.mark.parametrize(
    ("one", "sample"),
    [
        pytest.param(outcome(Reason.PROMOTED), "headgate_rollouts_total{outcome=promoted}", id="promoted"),
        pytest.param(outcome(Reason.ROLLED_BACK), "headgate_rollouts_total{outcome=rolled_back}", id="rolled back"),
        pytest.param(outcome(Reason.CANDIDATE_ABANDONED), "headgate_rollouts_total{outcome=abandoned}", id="abandoned"),
        pytest.param(
            outcome(actions=(failed("goldens", "GoldensFailed"),)),
            "headgate_rollouts_total{outcome=failed}",
            id="failed",
        ),
        pytest.param(
            outcome(actions=(failed("goldens", "GoldensFailed"),)),
            "headgate_candidates_failed_total{reason=GoldensFailed,stage=goldens}",
            id="given up by a gate",
        ),
        pytest.param(
            outcome(Reason.BUILD_STARTED, actions=(StartBuild("churn-1"),)),
            "headgate_builds_total{outcome=started}",
            id="a build began",
        ),
        pytest.param(outcome(Reason.IMAGE_BUILT), "headgate_builds_total{outcome=succeeded}", id="a build ended well"),
        pytest.param(
            outcome(actions=(failed("build", "ModelTruncated"),)),
            "headgate_builds_total{outcome=failed}",
            id="a build failed",
        ),
        pytest.param(
            outcome(Reason.SCALING), "headgate_events_total{reason=Scaling,type=Normal}", id="any event, by its reason"
        ),
    ],
)
def test_what_a_round_did_is_counted(one: Outcome, sample: str) -> None:
    metrics = Metrics()
    round_of(metrics, outcome(), one, outcome())
    assert numbers(metrics)[sample] == 1


def test_a_hand_overs_pause_is_counted_once() -> None:
    metrics = Metrics()
    paused = ModelDeploymentStatus(hand_over_seconds=6.4)
    round_of(metrics, outcome(), outcome(Reason.PROMOTED, status=paused), outcome(status=paused))
    # A later event without a pause of its own, such as a first start after a suspension, counts none.
    round_of(metrics, outcome(Reason.RESUMED, status=paused))
    found = numbers(metrics)
    assert (found["headgate_hand_over_seconds_count{}"], found["headgate_hand_over_seconds_sum{}"]) == (1, 6.4)


def test_every_object_is_told_until_it_is_gone() -> None:
    metrics = Metrics()
    ready = Condition(
        type="Ready", status=ConditionStatus.TRUE, last_transition_time="2026-03-01T00:00:00Z", reason="Serving"
    )
    status = ModelDeploymentStatus(
        phase=Phase.SERVING,
        conditions=(ready,),
        serving=ServingStatus(revision="churn-1", version="3", model_digest="sha256:ab"),
        run=RunStatus(name="churn-r1", restarts=2),
        records_per_second=1200.5,
        pending_records=1204,
        hand_over_seconds=6.4,
    )
    round_of(metrics, outcome(status=status))
    round_of(metrics, outcome(), name="fraud")
    told = {k: v for k, v in numbers(metrics).items() if k.startswith("headgate_modeldeployment_")}
    assert told == {
        "headgate_modeldeployment_phase{name=churn,namespace=shop,phase=Serving}": 1,
        "headgate_modeldeployment_phase{name=fraud,namespace=shop,phase=Pending}": 1,
        "headgate_modeldeployment_ready{name=churn,namespace=shop}": 1,
        "headgate_modeldeployment_info{model_digest=sha256:ab,name=churn,namespace=shop,revision=churn-1,version=3}": 1,
        "headgate_modeldeployment_records_per_second{name=churn,namespace=shop}": 1200.5,
        "headgate_modeldeployment_pending_records{name=churn,namespace=shop}": 1204,
        "headgate_modeldeployment_run_restarts{name=churn,namespace=shop}": 2,
        "headgate_modeldeployment_hand_over_seconds{name=churn,namespace=shop}": 6.4,
    }
    round_of(metrics, Outcome(None))
    assert not any("name=churn" in name for name in numbers(metrics))


def test_a_lag_of_nought_is_told_and_one_that_nobody_knows_is_not() -> None:
    metrics = Metrics()
    round_of(metrics, outcome(status=ModelDeploymentStatus(pending_records=0)))
    round_of(metrics, outcome(), name="fraud")
    text = metrics.text().decode()
    told = [line for line in text.splitlines() if line.startswith("headgate_modeldeployment_pending_records")]
    assert told == ['headgate_modeldeployment_pending_records{name="churn",namespace="shop"} 0.0']


def test_a_rollout_that_fails_a_gate_and_one_that_succeeds_are_counted_once_each() -> None:
    """Real plans, so that what is counted is what plans do."""
    metrics, story = Metrics(), Story()
    before = 0

    def observed() -> None:
        nonlocal before
        act_out(story.world)
        events, before = tuple(story.world.events[before:]), len(story.world.events)
        acted = tuple(story.world.actions)
        story.world.actions.clear()
        round_of(metrics, Outcome(SOON, plan=Plan(story.status, acted, events, SOON)))
        story.world.advance()

    for label in ("1", "2", "3"):
        story.given("2", fails_at="goldens").when_applied(label)
        for _ in range(60):
            observed()
    found = numbers(metrics)
    assert found["headgate_rollouts_total{outcome=promoted}"] == 2
    assert found["headgate_rollouts_total{outcome=failed}"] == 1
    assert found["headgate_candidates_failed_total{reason=ModelUnusable,stage=goldens}"] == 1
    assert found["headgate_builds_total{outcome=started}"] == found["headgate_builds_total{outcome=succeeded}"] == 3
    assert found["headgate_hand_over_seconds_count{}"] == 1


# ---- requests, the server, the log -------------------------------------------------------------------------------------


class _Answers:
    """A transport that answers 200, 404, and then not at all."""

    def __init__(self) -> None:
        self.asked = 0

    def request(self, method: str, url: str) -> client.rest.RESTResponse | None:
        """One request."""
        self.asked += 1
        if self.asked == 2:
            raise ApiException(status=404)
        if self.asked == 3:
            raise ConnectionResetError
        return type("Answer", (), {"status": 200})()


def test_requests_are_counted_by_verb_and_code() -> None:
    metrics, answers = Metrics(), _Answers()
    api = type("Api", (), {})()
    api.rest_client = answers
    metrics.count_requests(api)
    assert api.rest_client.request("GET", "/api").status == 200
    with pytest.raises(ApiException):
        api.rest_client.request("GET", "/api")
    with pytest.raises(ConnectionResetError):
        api.rest_client.request("PATCH", "/api")
    found = {k: v for k, v in numbers(metrics).items() if "requests" in k}
    assert found == {
        "headgate_api_requests_total{code=200,verb=GET}": 1,
        "headgate_api_requests_total{code=404,verb=GET}": 1,
        "headgate_api_requests_total{code=none,verb=PATCH}": 1,
    }


@pytest.fixture
def ask() -> Iterator[Callable[[Metrics, str], tuple[int, str]]]:
    """``ask(metrics, path)``: status and body."""
    servers = []

    def asked(metrics: Metrics, path: str) -> tuple[int, str]:
        server = serve(metrics, "127.0.0.1:0")
        servers.append(server)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    yield asked
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_server_shows_metrics_and_health(ask: Callable[[Metrics, str], tuple[int, str]]) -> None:
    metrics = Metrics()
    round_of(metrics, outcome())
    code, text = ask(metrics, "/metrics")
    assert (code, 'headgate_reconciles_total{result="done"} 1.0' in text) == (200, True)
    assert "process_resident_memory_bytes" in text
    assert ask(metrics, "/healthz") == (200, "alive\n")
    assert ask(metrics, "/readyz") == (503, "starting\n")
    metrics.ready = True
    assert ask(metrics, "/readyz") == (200, "ready\n")
    assert ask(metrics, "/else")[0] == 404


def test_a_line_of_the_log_names_its_object(caplog: pytest.LogCaptureFixture) -> None:
    logs.install("headgate.test")
    logs.install("headgate.test")
    log = logging.getLogger("headgate.test")
    caplog.set_level(logging.INFO, "headgate.test")

    def reconcile(_namespace: str, _name: str) -> Outcome:
        log.info("the round %s", "went well")
        return Outcome(None)

    Metrics().measured(reconcile)("shop", "churn")
    log.info("outside of a round")
    inside, outside = (json.loads(ObjectJsonFormatter().format(record)) for record in caplog.records)
    assert (inside["message"], inside["object"]["namespace"], inside["object"]["name"]) == (
        "the round went well",
        "shop",
        "churn",
    )
    assert "object" not in outside
