"""Two operators for the same objects, as when one is slow to end: everything is done once, and either can go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from component.cluster_hand import played_cluster
from component.operators import (
    deployment,
    metrics_of,
    objects_path,
    operator_program,
    ready_objects,
    ready_operators,
)
from lab.apiserver import KubeApi
from lab.network_ports import free_ports
from lab.processes import stop

_OBJECTS = 6
_NAMESPACE = "pair"
_PATH = objects_path(_NAMESPACE)
_PATIENCE_S = 120
_NEVER = threading.Event()


def test_two_operators_do_everything_once_and_one_of_them_is_enough(kubernetes: KubeApi, tmp_path: Path) -> None:
    ports = free_ports(2)
    logs = [tmp_path / f"operator-{number}.log" for number in range(2)]
    with played_cluster(kubernetes, _NAMESPACE) as cluster:
        client, told = cluster.client, {"HEADGATE_FLINK_URL": cluster.flink_url}
        both = [
            operator_program(kubernetes, _NAMESPACE, port, log, told) for port, log in zip(ports, logs, strict=True)
        ]
        with ready_operators(*both) as (first, _):
            for number in range(_OBJECTS):
                client.post(_PATH, json=deployment(f"m{number}")).raise_for_status()
            _until(lambda: ready_objects(client, _NAMESPACE) == _OBJECTS, logs)

            jobs = client.get(f"/apis/batch/v1/namespaces/{_NAMESPACE}/jobs").json()["items"]
            made = sorted(job["metadata"]["name"] for job in jobs)
            assert [name for name in made if name.endswith("-jm")] == [f"m{n}-r1-jm" for n in range(_OBJECTS)]
            assert len(made) == 2 * _OBJECTS
            events = client.get(f"/apis/events.k8s.io/v1/namespaces/{_NAMESPACE}/events").json()["items"]
            promoted = [e["regarding"]["name"] for e in events if e["reason"] == "Promoted"]
            assert sorted(promoted) == [f"m{n}" for n in range(_OBJECTS)]
            for port in ports:
                assert 'headgate_reconciles_total{result="mistake"}' not in metrics_of(port)

            stop(first)
            client.patch(
                f"{_PATH}/m0",
                json={"spec": {"suspend": True}},
                headers={"Content-Type": "application/merge-patch+json"},
            ).raise_for_status()
            _until(lambda: client.get(f"{_PATH}/m0").json()["status"]["phase"] not in {"Serving"}, logs)


def _until(holds: Callable[[], bool], logs: list[Path]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < _PATIENCE_S, "\n".join(log.read_text()[-3000:] for log in logs)
        _NEVER.wait(0.5)
