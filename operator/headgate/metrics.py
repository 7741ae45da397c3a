"""What the operator counts, for Prometheus, and the small server that shows it beside its health.

``handlers`` has every round measured here; all that is counted follows from what the round came to (its plan, or what was in
the way), so that nothing that decides knows of metrics. Names begin with ``headgate_``; ``docs/metrics.md`` lists them. Labels
hold names of objects and reasons, never messages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes.client.exceptions import ApiException
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from headgate.api.revision import RevisionPhase
from headgate.api.status import ConditionStatus, ConditionType, ModelDeploymentStatus
from headgate.controller import Outcome
from headgate.logs import about
from headgate.planning.actions import StartBuild, UpdateRevision
from headgate.planning.plan import Plan
from headgate.planning.reasons import Reason

_ROUND_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PAUSE_SECONDS = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0)
_ROLLOUT_OF = {
    Reason.PROMOTED: "promoted",
    Reason.ROLLED_BACK: "rolled_back",
    Reason.CANDIDATE_ABANDONED: "abandoned",
}
_TOOK_OVER = {Reason.PROMOTED, Reason.ROLLED_BACK, Reason.RESTORED, Reason.RESUMED}

Key = tuple[str, str]
Reconcile = Callable[[str, str], Outcome]


class Metrics:
    """The metrics of one operator process. ``registry``: where they are registered; one of their own by default."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.ready = False
        """Whether the operator has begun its work."""
        r = self.registry
        self._rounds = Counter("headgate_reconciles", "Rounds that ended, by result.", ["result"], registry=r)
        self._seconds = Histogram(
            "headgate_reconcile_seconds", "Length of a round.", buckets=_ROUND_SECONDS, registry=r
        )
        self._errors = Counter("headgate_reconcile_errors", "Rounds that were cut short.", ["reason"], registry=r)
        self._waiting = Gauge("headgate_rounds_waiting", "Rounds that wait for a free thread.", registry=r)
        self._running = Gauge("headgate_rounds_running", "Rounds under way.", registry=r)
        self._builds = Counter("headgate_builds", "Builds, by outcome.", ["outcome"], registry=r)
        self._rollouts = Counter("headgate_rollouts", "Ends of rollouts, by outcome.", ["outcome"], registry=r)
        self._failures = Counter("headgate_candidates_failed", "Candidates given up.", ["stage", "reason"], registry=r)
        self._pauses = Histogram(
            "headgate_hand_over_seconds",
            "How long a stream stood still at a hand-over.",
            buckets=_PAUSE_SECONDS,
            registry=r,
        )
        self._events = Counter("headgate_events", "Events told, by reason.", ["type", "reason"], registry=r)
        self._requests = Counter("headgate_api_requests", "Requests to Kubernetes.", ["verb", "code"], registry=r)
        self._objects = _Objects()
        r.register(self._objects)
        ProcessCollector(registry=r)

    # ---- rounds ------------------------------------------------------------------------------------------------------

    def queue(self, length: Callable[[], int]) -> None:
        """``length`` says how many rounds wait for a thread; asked whenever somebody looks."""
        self._waiting.set_function(length)

    def measured(self, reconcile: Reconcile) -> Reconcile:
        """The same rounds, counted, with their object's name in every line of the log."""

        def round_of(namespace: str, name: str) -> Outcome:
            with about(namespace, name):
                return self._measure(namespace, name, reconcile)

        return round_of

    def _measure(self, namespace: str, name: str, reconcile: Reconcile) -> Outcome:
        began = time.monotonic()
        outcome: Outcome | None = None
        with self._running.track_inprogress():
            try:
                outcome = reconcile(namespace, name)
            finally:
                self._seconds.observe(time.monotonic() - began)
                self._ended(outcome)
        if outcome.requeue is None:
            self._objects.forget((namespace, name))
        elif outcome.plan is not None:
            self._planned((namespace, name), outcome.plan)
        return outcome

    def _ended(self, outcome: Outcome | None) -> None:
        if outcome is None:
            self._rounds.labels("mistake").inc()
            self._errors.labels("Mistake").inc()
        elif outcome.problem is not None:
            self._rounds.labels("problem").inc()
            self._errors.labels(outcome.problem.reason).inc()
        else:
            self._rounds.labels("done").inc()

    def _planned(self, key: Key, plan: Plan) -> None:
        before = self._objects.remember(key, plan.status)
        told = {event.reason for event in plan.events}
        for event in plan.events:
            self._events.labels(event.type.value, event.reason).inc()
        for reason, outcome in _ROLLOUT_OF.items():
            if reason in told:
                self._rollouts.labels(outcome).inc()
        if Reason.IMAGE_BUILT in told:
            self._builds.labels("succeeded").inc()
        for action in plan.actions:
            if isinstance(action, StartBuild):
                self._builds.labels("started").inc()
            elif isinstance(action, UpdateRevision) and action.status.phase is RevisionPhase.FAILED:
                self._gave_up(action)
        pause = plan.status.hand_over_seconds
        known = before.hand_over_seconds if before is not None else None
        if pause is not None and pause != known and told & _TOOK_OVER:
            self._pauses.observe(pause)

    def _gave_up(self, action: UpdateRevision) -> None:
        failure = action.status.last_failure
        stage, reason = (failure.stage, failure.reason) if failure is not None else ("", "")
        self._failures.labels(stage, reason).inc()
        if stage == "build":
            self._builds.labels("failed").inc()
        self._rollouts.labels("failed").inc()

    # ---- requests ----------------------------------------------------------------------------------------------------

    def count_requests(self, api: Any) -> None:
        """Count the requests of one of the official client's ``ApiClient``\\ s from now on, by verb and status code."""
        send = api.rest_client.request

        def counted(method: str, *arguments: Any, **named: Any) -> Any:
            code = "none"
            try:
                answer = send(method, *arguments, **named)
                code = str(answer.status)
            except ApiException as error:
                code = str(error.status or "none")
                raise
            finally:
                self._requests.labels(method, code).inc()
            return answer

        api.rest_client.request = counted

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Objects:
    """What is the case with every ModelDeployment that was looked at, collected when somebody asks."""

    def __init__(self) -> None:
        self._known: dict[Key, ModelDeploymentStatus] = {}
        self._lock = threading.Lock()

    def remember(self, key: Key, status: ModelDeploymentStatus) -> ModelDeploymentStatus | None:
        """Keep the newest status; gives the one before."""
        with self._lock:
            before = self._known.get(key)
            self._known[key] = status
        return before

    def forget(self, key: Key) -> None:
        """The object is gone."""
        with self._lock:
            self._known.pop(key, None)

    def collect(self) -> Iterator[Metric]:
        """The gauges, as Prometheus' registry asks for them."""
        with self._lock:
            known = sorted(self._known.items())
        who = ["namespace", "name"]
        phase = _gauge("phase", "Always 1; the label says in which phase the object is.", [*who, "phase"])
        info = _gauge("info", "Always 1; labels say what serves.", [*who, "version", "revision", "model_digest"])
        ready = _gauge("ready", "Whether what the spec asks for serves and runs.", who)
        stalled = _gauge("stalled", "Whether a person must do something.", who)
        rate = _gauge("records_per_second", "Records scored, over the last minute.", who)
        pending = _gauge("pending_records", "Records that the sources have yet to read.", who)
        restarts = _gauge("run_restarts", "How often the serving run was restarted.", who)
        pause = _gauge("hand_over_seconds", "How long the stream stood still at its last hand-over.", who)
        for key, status in known:
            phase.add_metric([*key, status.phase.value], 1)
            ready.add_metric(key, _holds(status, ConditionType.READY))
            stalled.add_metric(key, _holds(status, ConditionType.STALLED))
            if status.serving is not None:
                serving = status.serving
                info.add_metric([*key, serving.version, serving.revision, serving.model_digest], 1)
            if status.records_per_second is not None:
                rate.add_metric(key, status.records_per_second)
            if status.pending_records is not None:
                pending.add_metric(key, status.pending_records)
            if status.run is not None:
                restarts.add_metric(key, status.run.restarts)
            if status.hand_over_seconds is not None:
                pause.add_metric(key, status.hand_over_seconds)
        yield from (phase, info, ready, stalled, rate, pending, restarts, pause)


def _gauge(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"headgate_modeldeployment_{name}", text, labels=labels)


def _holds(status: ModelDeploymentStatus, kind: ConditionType) -> int:
    return int(any(c.type == kind.value and c.status is ConditionStatus.TRUE for c in status.conditions))


# ---- the server --------------------------------------------------------------------------------------------------------


def serve(metrics: Metrics, address: str) -> ThreadingHTTPServer:
    """Show ``/metrics``, ``/healthz`` and ``/readyz`` at ``address`` (``host:port``; port 0 takes a free one), from a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(200, metrics.text(), CONTENT_TYPE_LATEST)
                case "/healthz":
                    self._answer(200, b"alive\n")
                case "/readyz":
                    self._answer(*((200, b"ready\n") if metrics.ready else (503, b"starting\n")))
                case _:
                    self._answer(404, b"There are /metrics, /healthz and /readyz.\n")

        def _answer(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Requests for metrics are no news."""

    host, _, port = address.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
