"""Plays the rest of a cluster over an API server that has no nodes: builds end, pods run, main() reports, Flink answers.

For measuring the operator with many objects; nothing scores a record here.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from component.operators import prepare_namespace
from lab.apiserver import KubeApi

_STATUS = {"Content-Type": "application/merge-patch+json"}
_NOW = "2026-03-01T12:00:00Z"
_BETWEEN_LOOKS_S = 0.3
_RESULT = {"image": f"registry.example.com/x@sha256:{'0' * 64}", "version": "1", "modelDigest": f"sha256:{'1' * 64}"}
_JOB = "ffffffff000000000000000000000000"


class Hand:
    """Looks at what the operator made and does what a cluster would. ``most_builds``: the most that ran at once."""

    def __init__(self, client: httpx.Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.most_builds = 0
        self.let_go: set[str] = set()
        self._done: set[str] = set()
        self._end = threading.Event()

    def play(self) -> None:
        """Until :meth:`rest`."""
        while not self._end.wait(_BETWEEN_LOOKS_S):
            self._look()

    def rest(self) -> None:
        """Do nothing more."""
        self._end.set()

    def _look(self) -> None:
        maps = self._list("api/v1", "configmaps")
        self.let_go = {
            m["metadata"]["labels"]["headgate.dev/run"] for m in maps if m["metadata"]["name"].endswith("-go")
        }
        jobs = self._list("apis/batch/v1", "jobs")
        builds = [job for job in jobs if job["metadata"]["name"].endswith("-build")]
        running = [job for job in builds if not (job.get("status") or {}).get("conditions")]
        self.most_builds = max(self.most_builds, len(running))
        for job in running:
            self._pod(job, "Succeeded", {"terminated": {"exitCode": 0, "message": json.dumps(_RESULT)}})
            held = [
                {"type": t, "status": "True", "lastTransitionTime": _NOW} for t in ("SuccessCriteriaMet", "Complete")
            ]
            ended = {"startTime": _NOW, "completionTime": _NOW, "succeeded": 1, "conditions": held}
            self._status("apis/batch/v1", "jobs", job, ended)
        for job in jobs:
            if job["metadata"]["name"].endswith("-jm"):
                self._pod(job, "Running", {"running": {"startedAt": _NOW}})
        for deployment in self._list("apis/apps/v1", "deployments"):
            ready = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
            self._status("apis/apps/v1", "deployments", deployment, ready)
        for one in maps:
            if one["metadata"]["name"].endswith("-status") and not one.get("data"):
                report = {"stage": "wait", "stageStatus": "started", "operators": "[]"}
                self._patch(f"{self._path('api/v1', 'configmaps')}/{one['metadata']['name']}", {"data": report})

    def _pod(self, job: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
        name = f"{job['metadata']['name']}-0"
        if name in self._done:
            return
        self._done.add(name)
        labels = job["spec"]["template"]["metadata"]["labels"]
        pod = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": labels | {"batch.kubernetes.io/job-name": job["metadata"]["name"]}},
            "spec": {"containers": [{"name": "main", "image": "x"}], "automountServiceAccountToken": False},
        }  # fmt: skip
        assert self.client.post(self._path("api/v1", "pods"), json=pod).status_code in {201, 409}
        status = {
            "name": "main",
            "image": "x",
            "imageID": "x",
            "ready": phase == "Running",
            "restartCount": 0,
            "state": state,
        }
        self._patch(
            f"{self._path('api/v1', 'pods')}/{name}/status", {"status": {"phase": phase, "containerStatuses": [status]}}
        )

    def _status(self, api: str, plural: str, one: dict[str, Any], status: dict[str, Any]) -> None:
        name = one["metadata"]["name"]
        if f"{plural}/{name}" not in self._done:
            self._done.add(f"{plural}/{name}")
            self._patch(f"{self._path(api, plural)}/{name}/status", {"status": status})

    def _patch(self, path: str, body: dict[str, Any]) -> None:
        answer = self.client.patch(path, content=json.dumps(body), headers=_STATUS)
        assert answer.status_code in {200, 404}, answer.text

    def _list(self, api: str, plural: str) -> list[dict[str, Any]]:
        answer = self.client.get(self._path(api, plural), params={"labelSelector": "headgate.dev/deployment"})
        return list(answer.json()["items"])

    def _path(self, api: str, plural: str) -> str:
        return f"/{api}/namespaces/{self.namespace}/{plural}"


@contextmanager
def flink_of(hand: Hand) -> Iterator[str]:
    """Flink's REST API of every run, as a template for ``HEADGATE_FLINK_URL``: a job runs once its run was let go."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            run, _, path = self.path.removeprefix("/").partition("/")
            body = json.dumps(_answer(path, run in hand.let_go)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{{run}}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, slots=True)
class PlayedCluster:
    """What a test holds of a cluster that is played. ``flink_url``: a value for ``HEADGATE_FLINK_URL``."""

    client: httpx.Client
    hand: Hand
    flink_url: str


@contextmanager
def played_cluster(kubernetes: KubeApi, namespace: str) -> Iterator[PlayedCluster]:
    """A new namespace with the definitions, where a :class:`Hand` plays until the block is left."""
    with kubernetes.client() as client, kubernetes.client() as hands:
        prepare_namespace(client, namespace)
        hand = Hand(hands, namespace)
        with flink_of(hand) as flink_url:
            playing = threading.Thread(target=hand.play)
            playing.start()
            try:
                yield PlayedCluster(client, hand, flink_url)
            finally:
                hand.rest()
                playing.join()


def _answer(path: str, runs: bool) -> Any:
    if path == "jobs/overview":
        tasks = {"running": 1, "finished": 0, "total": 1}
        return {
            "jobs": [{"jid": _JOB, "name": "x", "state": "RUNNING", "start-time": 1, "tasks": tasks}] if runs else []
        }
    if path.endswith("/checkpoints"):
        return {
            "counts": {"completed": 90, "failed": 0},
            "latest": {"completed": {"external_path": "s3://x/chk-90"}},
            "history": [],
        }
    if path.endswith("/resource-requirements"):
        return {"a": {"parallelism": {"lowerBound": 1, "upperBound": 1}}}
    if re.search(r"/jobs/[0-9a-f]+$", f"/{path}"):
        metrics = {"read-records": 0, "write-records": 0}
        return {"vertices": [{"id": "a", "name": "PythonCalc[5]", "parallelism": 1, "metrics": metrics}]}
    if "/subtasks/metrics" in path:
        return [{"id": "PythonCalc[5].numRecordsInPerSecond", "sum": 100.0}]
    return {} if "exceptions" in path else []
