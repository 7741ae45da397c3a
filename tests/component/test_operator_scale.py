"""Fifty objects at once: all get ready, never more builds than allowed, and what the operator takes is bounded and told."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from component.cluster_hand import Hand, flink_of
from lab.apiserver import KubeApi
from lab.definitions import install_definitions
from lab.network_ports import free_ports
from lab.processes import Program, start, stop, wait_ready

_OBJECTS = 50
_BUILDERS = 2
_NAMESPACE = "fifty"
_PATH = f"/apis/headgate.dev/v1alpha1/namespaces/{_NAMESPACE}/modeldeployments"
_OPERATOR = Path(__file__).parents[2] / "operator"
_MEASURED_S = 30
_NEVER = threading.Event()


def _resource(name: str) -> dict[str, object]:
    tables = (
        "CREATE TABLE c (id STRING, age INT) WITH ('connector' = 'datagen');"
        "CREATE TABLE p (id STRING, probability FLOAT) WITH ('connector' = 'print')"
    )
    output = "INSERT INTO p SELECT id, probability FROM scored"
    return {
        "apiVersion": "headgate.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": name},
        "spec": {
            "model": {"uri": f"s3://models/{name}/model.onnx"},
            "pipeline": {"tables": tables, "input": "SELECT id, age FROM c", "key": "id", "output": output},
            "flink": {"storage": {"uri": "s3://state"}},
        },
    }  # fmt: skip


def _ready(client: httpx.Client) -> int:
    items = client.get(_PATH).json()["items"]
    held = [c for item in items for c in item.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
    return sum(c["status"] == "True" for c in held)


def _metric(text: str, name: str) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
    )


def test_fifty_objects_at_once(kubernetes: KubeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    log = tmp_path / "operator.log"
    with kubernetes.client() as client, kubernetes.client() as hands:
        install_definitions(client)
        client.post("/api/v1/namespaces", json={"metadata": {"name": _NAMESPACE}}).raise_for_status()
        hand = Hand(hands, _NAMESPACE)
        with flink_of(hand) as template:
            program = Program(
                name="operator",
                argv=(sys.executable, "-m", "kopf", "run", "--module", "headgate.handlers", f"--namespace={_NAMESPACE}"),
                ready=lambda: None,
                log=log,
                environment={
                    "KUBECONFIG": str(kubernetes.kubeconfig), "PYTHONPATH": str(_OPERATOR), "HEADGATE_METRICS": f"127.0.0.1:{port}",
                    "HEADGATE_IMAGE": "x", "HEADGATE_BASE": "x", "HEADGATE_REPOSITORY": "x", "HEADGATE_BUILDERS": str(_BUILDERS),
                    "HEADGATE_NAMESPACES": _NAMESPACE, "HEADGATE_FLINK_URL": template,
                },
            )  # fmt: skip
            running = start(program)
            playing = threading.Thread(target=hand.play)
            playing.start()
            try:
                wait_ready(running)
                began = time.monotonic()
                for number in range(_OBJECTS):
                    client.post(_PATH, json=_resource(f"m{number}")).raise_for_status()
                while _ready(client) < _OBJECTS:
                    assert time.monotonic() - began < 300, log.read_text()[-4000:]
                    _NEVER.wait(1)
                all_ready = time.monotonic() - began
                before = _shown(port)
                _NEVER.wait(_MEASURED_S)
                after = _shown(port)
            finally:
                hand.rest()
                playing.join()
                stop(running)
    requests = _metric(after, "headgate_api_requests_total") - _metric(before, "headgate_api_requests_total")
    cpu = _metric(after, "process_cpu_seconds_total") - _metric(before, "process_cpu_seconds_total")
    memory = _metric(after, "process_resident_memory_bytes") / 2**20
    each = requests * 60 / _MEASURED_S / _OBJECTS
    with capsys.disabled():
        print(
            f"\n{_OBJECTS} objects: all Ready after {all_ready:.0f} s with {_BUILDERS} builders; then {each:.0f} requests a minute "
            f"for each, {100 * cpu / _MEASURED_S:.0f} % of a core, {memory:.0f} MiB"
        )
    assert hand.most_builds <= _BUILDERS
    assert _metric(after, 'headgate_reconciles_total{result="mistake"}') == 0
    assert memory < 256
    assert each < 60


def _shown(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=10).text
