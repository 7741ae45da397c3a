"""Fifty objects at once: all get ready, never more builds than allowed, and what the operator takes is bounded and told."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

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

_OBJECTS = 50
_BUILDERS = 2
_NAMESPACE = "fifty"
_PATH = objects_path(_NAMESPACE)
_MEASURED_S = 30
_NEVER = threading.Event()


def _metric(text: str, name: str) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
    )


def test_fifty_objects_at_once(kubernetes: KubeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    log = tmp_path / "operator.log"
    with played_cluster(kubernetes, _NAMESPACE) as cluster:
        client = cluster.client
        told = {"HEADGATE_BUILDERS": str(_BUILDERS), "HEADGATE_FLINK_URL": cluster.flink_url}
        with ready_operators(operator_program(kubernetes, _NAMESPACE, port, log, told)):
            began = time.monotonic()
            for number in range(_OBJECTS):
                client.post(_PATH, json=deployment(f"m{number}")).raise_for_status()
            while ready_objects(client, _NAMESPACE) < _OBJECTS:
                assert time.monotonic() - began < 300, log.read_text()[-4000:]
                _NEVER.wait(1)
            all_ready = time.monotonic() - began
            before = metrics_of(port)
            _NEVER.wait(_MEASURED_S)
            after = metrics_of(port)

    requests = _metric(after, "headgate_api_requests_total") - _metric(before, "headgate_api_requests_total")
    cpu = _metric(after, "process_cpu_seconds_total") - _metric(before, "process_cpu_seconds_total")
    memory = _metric(after, "process_resident_memory_bytes") / 2**20
    each = requests * 60 / _MEASURED_S / _OBJECTS
    with capsys.disabled():
        print(
            f"\n{_OBJECTS} objects: all Ready after {all_ready:.0f} s with {_BUILDERS} builders; then {each:.0f} requests a minute "
            f"for each, {100 * cpu / _MEASURED_S:.0f} % of a core, {memory:.0f} MiB"
        )
    assert cluster.hand.most_builds <= _BUILDERS
    assert _metric(after, 'headgate_reconciles_total{result="mistake"}') == 0
    assert memory < 256
    assert each < 60
