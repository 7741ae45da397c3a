"""Flink's REST API, as far as a rollout needs it: the one door to a running job.

Every call is one request and a typed answer; nothing here waits, retries or decides. Source: Flink 2.3, REST API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from headgate.flink.errors import FlinkRefused, FlinkUnreachable

WARM_UP = "headgate warm-up"
"""The name of the job by which the runtime warms up a run that waits; it scores nothing of the stream."""

_LONGEST_CAUSE = 500
_NOT_FOUND = 404
_MODEL_STEP = re.compile(r"PythonCalc\[\d+\]|headgate model step[^>]*?(?= ->|$)")
_METRIC_SEPARATORS = re.compile(r"[ .:,]")
_PENDING = ".pendingRecords"
"""A source's gauge (FLIP-33), behind the operator's name. Kafka's is there once a first record was fetched; many have none."""


class JobState(StrEnum):
    """Flink's job states."""

    INITIALIZING = "INITIALIZING"
    CREATED = "CREATED"
    RUNNING = "RUNNING"
    FAILING = "FAILING"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELED = "CANCELED"
    FINISHED = "FINISHED"
    RESTARTING = "RESTARTING"
    SUSPENDED = "SUSPENDED"
    RECONCILING = "RECONCILING"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its cluster sees it. ``running`` tasks of ``total``; a job RUNNING with tasks initialising scores nothing yet."""

    id: str
    name: str
    state: JobState
    running: int
    total: int

    @property
    def scores(self) -> bool:
        """Whether every task runs."""
        return self.state is JobState.RUNNING and self.total > 0 and self.running == self.total


@dataclass(frozen=True, slots=True)
class SavepointRequest:
    """How a savepoint that was asked for is doing. ``path`` where it is complete, ``failure`` where it failed."""

    done: bool
    path: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Counts since the job's or its JobManager's start, the path of the newest complete one, and of what was restored (or empty)."""

    completed: int
    failed: int
    newest: str
    restored: str = ""
    failures: tuple[tuple[datetime, str], ...] = ()
    """When the latest failed ones were asked for, and in a sentence why they failed; newest first."""
    completions: tuple[datetime, ...] = ()
    """When the latest complete ones were asked for; newest first."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """One task of the job graph."""

    id: str
    name: str
    parallelism: int
    records_in: int
    records_out: int
    source: bool = False
    """Whether the plan gives it no input."""


class FlinkRest:
    """A client of one run's JobManager. ``base``: ``http://<service>:8081``."""

    def __init__(self, base: str, *, timeout_s: float = 5.0, transport: httpx.BaseTransport | None = None) -> None:
        # Plain http inside the cluster: to read certificate authorities for every client would cost more than the calls.
        self._client = httpx.Client(
            base_url=base, timeout=timeout_s, transport=transport, trust_env=False, verify=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def job(self) -> Job | None:
        """The stream's job; None before main() has submitted it."""
        return next((job for job in self.jobs() if job.name != WARM_UP), None)

    def jobs(self) -> tuple[Job, ...]:
        """Every job that the JobManager knows, the newest first."""
        found = self._call("GET", "/jobs/overview")["jobs"]
        return tuple(_job(one) for one in sorted(found, key=lambda one: int(one["start-time"]), reverse=True))

    def stop(self, job_id: str, folder: str, trigger: str, *, drain: bool = False) -> None:
        """Ask for a stop with savepoint below ``folder``, under an id (32 hex digits): asking twice is asking once."""
        body = {"targetDirectory": folder, "drain": drain, "formatType": "CANONICAL", "triggerId": trigger}
        self._call("POST", f"/jobs/{job_id}/stop", body)

    def savepoint(self, job_id: str, folder: str, trigger: str) -> None:
        """Ask for a savepoint while the job runs on, under an id as above."""
        body = {"target-directory": folder, "cancel-job": False, "formatType": "CANONICAL", "triggerId": trigger}
        self._call("POST", f"/jobs/{job_id}/savepoints", body)

    def savepoint_request(self, job_id: str, trigger: str) -> SavepointRequest | None:
        """How a stop or savepoint that was asked for is doing; None where the JobManager knows of no such request."""
        try:
            answer = self._call("GET", f"/jobs/{job_id}/savepoints/{trigger}")
        except FlinkRefused as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        if answer["status"]["id"] != "COMPLETED":
            return SavepointRequest(done=False)
        operation = answer.get("operation") or {}
        # A savepoint that failed is COMPLETED as well: only a location says that there is one.
        if operation.get("location"):
            return SavepointRequest(done=True, path=str(operation["location"]))
        trace = str((operation.get("failure-cause") or {}).get("stack-trace", "the savepoint failed without a cause"))
        return SavepointRequest(done=True, failure=sentence_of(trace))

    def cancel(self, job_id: str) -> None:
        """Cancel without a savepoint."""
        self._call("PATCH", f"/jobs/{job_id}?mode=cancel")

    def checkpoints(self, job_id: str) -> Checkpoints:
        """Counts and the newest complete checkpoint."""
        answer = self._call("GET", f"/jobs/{job_id}/checkpoints")
        counts = answer["counts"]
        latest = answer.get("latest") or {}
        newest, restored = (
            str((latest.get(kind) or {}).get("external_path") or "") for kind in ("completed", "restored")
        )
        history = [(_moment(int(one["trigger_timestamp"])), one) for one in answer.get("history") or []]
        failures = tuple(
            (when, sentence_of(str(one.get("failure_message") or "")))
            for when, one in history
            if one["status"] == "FAILED"
        )
        completions = tuple(
            when for when, one in history if one["status"] == "COMPLETED" and not one.get("is_savepoint")
        )
        return Checkpoints(int(counts["completed"]), int(counts["failed"]), newest, restored, failures, completions)

    def failure(self, job_id: str) -> str:
        """The newest exception of the job as one sentence; empty where there is none."""
        entries = (self._call("GET", f"/jobs/{job_id}/exceptions?maxExceptions=1").get("exceptionHistory") or {}).get(
            "entries"
        ) or []
        return sentence_of(str(entries[0].get("stacktrace", ""))) if entries else ""

    def restarts(self, job_id: str) -> int:
        """How often the job started again by itself; Flink counts a new parallelism among the restarts."""
        found = self._call("GET", f"/jobs/{job_id}/metrics?get=numRestarts,numRescales")
        counts = {one["id"]: int(float(one["value"])) for one in found}
        return max(0, counts.get("numRestarts", 0) - counts.get("numRescales", 0))

    def vertices(self, job_id: str) -> tuple[Vertex, ...]:
        """The tasks of the job graph with their counts."""
        answer = self._call("GET", f"/jobs/{job_id}")
        # The plan leaves ``inputs`` out where there are none.
        sources = {node["id"] for node in (answer.get("plan") or {}).get("nodes") or () if not node.get("inputs")}
        return tuple(
            Vertex(
                v["id"],
                v["name"],
                int(v["parallelism"]),
                int(v["metrics"]["read-records"]),
                int(v["metrics"]["write-records"]),
                v["id"] in sources,
            )
            for v in answer["vertices"]
        )

    def metrics(self, job_id: str, vertex_id: str, names: tuple[str, ...]) -> Mapping[str, float]:
        """Sums over a task's subtasks, by metric name; what is not known is left out."""
        query = quote(",".join(names), safe=",")
        answer = self._call("GET", f"/jobs/{job_id}/vertices/{vertex_id}/subtasks/metrics?get={query}&agg=sum")
        return {item["id"]: float(item["sum"]) for item in answer if "sum" in item}

    def running_since(self, job_id: str, vertices: tuple[Vertex, ...]) -> datetime | None:
        """Since when every task runs, by Flink's clock; None where one does not."""
        since: list[int] = []
        for vertex in vertices:
            answer = self._call("GET", f"/jobs/{job_id}/vertices/{vertex.id}")
            for task in answer["subtasks"]:
                if task["status"] != "RUNNING":
                    return None
                since.append(int(answer["now"]) - int(task["status-duration"]["RUNNING"]))
        return _moment(max(since)) if since else None

    def wanted_parallelism(self, job_id: str) -> int:
        """What the adaptive scheduler was last told to reach; 0 where there is none."""
        answer = self._call("GET", f"/jobs/{job_id}/resource-requirements")
        return max((int(one["parallelism"]["upperBound"]) for one in answer.values()), default=0)

    def scored_per_second(self, job_id: str, vertices: tuple[Vertex, ...]) -> float | None:
        """Records that reach the model step in a second; None where Flink does not tell."""
        for vertex in vertices:
            step = _MODEL_STEP.search(vertex.name)
            if step is not None:
                metric = f"{_METRIC_SEPARATORS.sub('_', step[0])}.numRecordsInPerSecond"
                return self.metrics(job_id, vertex.id, (metric,)).get(metric)
        return None

    def pending_records(self, job_id: str, vertices: tuple[Vertex, ...]) -> int | None:
        """Records that the sources have yet to read, over all that tell; None where none does."""
        told: list[float] = []
        for vertex in vertices:
            if vertex.source:
                # One task may hold several sources, and Flink shortens their names in ways of its own: so it is asked for them.
                listed = self._call("GET", f"/jobs/{job_id}/vertices/{vertex.id}/subtasks/metrics")
                names = tuple(item["id"] for item in listed if item["id"].endswith(_PENDING))
                told += self.metrics(job_id, vertex.id, names).values() if names else ()
        return max(0, int(sum(told))) if told else None

    def rescale(self, job_id: str, parallelism: int) -> None:
        """Ask the adaptive scheduler for another parallelism of every task."""
        wanted = {"parallelism": {"lowerBound": 1, "upperBound": parallelism}}
        self._call("PUT", f"/jobs/{job_id}/resource-requirements", {v.id: wanted for v in self.vertices(job_id)})

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise FlinkUnreachable(
                f"Flink does not answer {method} {path}: {error or type(error).__name__}."
            ) from error
        if answer.status_code in {502, 503, 504}:
            raise FlinkUnreachable(f"Flink is not ready for {method} {path}: {answer.status_code}.")
        if answer.is_error:
            message = f"Flink refused {method} {path} ({answer.status_code}): {_errors(answer)}"
            raise FlinkRefused(message, status=answer.status_code)
        return answer.json() if answer.content else {}


def _job(raw: Mapping[str, Any]) -> Job:
    tasks = raw["tasks"]
    running = int(tasks["running"]) + int(tasks["finished"])
    return Job(raw["jid"], raw["name"], JobState(raw["state"]), running, int(tasks["total"]))


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _errors(answer: httpx.Response) -> str:
    try:
        errors = answer.json().get("errors", [])
    except ValueError:
        errors = [answer.text]
    return sentence_of("\n".join(str(e) for e in errors)) or "no reason given."


def sentence_of(trace: str) -> str:
    """A Java stack trace's innermost cause, or of a Python worker's traceback what was raised; one line, at most 500 characters."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    raised = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Refused|Unusable|Failure): ", line)]
    chosen = (
        raised[-1]
        if "Traceback (most recent call last)" in trace and raised
        else (causes or lines or [""])[-1 if causes else 0]
    )
    text = re.sub(r"^(?:[A-Za-z_][\w$]*\.)+[\w$]+: ", "", chosen)
    return text if len(text) <= _LONGEST_CAUSE else text[: _LONGEST_CAUSE - 1] + "…"
