"""The operator as a process against a real API server: its metrics, its health, its log, and a clean end."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from lab.apiserver import KubeApi
from lab.definitions import install_definitions
from lab.network_ports import free_ports
from lab.processes import Program, Running, ended, start, stop, wait_ready

_NAMESPACE = "measured"
_PATH = f"/apis/headgate.dev/v1alpha1/namespaces/{_NAMESPACE}/modeldeployments"
_OPERATOR = Path(__file__).parents[2] / "operator"
RESOURCE = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "measured"},
    "spec": {
        "model": {"uri": "s3://models/churn/3/model.onnx"},
        "pipeline": {
            "tables": "CREATE TABLE c (id STRING, age INT) WITH ('connector' = 'datagen');"
            "CREATE TABLE p (id STRING, probability FLOAT) WITH ('connector' = 'print')",
            "input": "SELECT id, age FROM c",
            "key": "id",
            "output": "INSERT INTO p SELECT id, probability FROM scored",
        },
        "flink": {"storage": {"uri": "s3://state/churn"}},
    },
}


@pytest.fixture(scope="module")
def address() -> str:
    """Where the operator shows its metrics."""
    (port,) = free_ports(1)
    return f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def operator(kubernetes: KubeApi, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """``kopf run`` as in the operator's pod, in a namespace where it sees no other test's objects."""
    with kubernetes.client() as client:
        install_definitions(client)
        client.post("/api/v1/namespaces", json={"metadata": {"name": _NAMESPACE}}).raise_for_status()

    def ready() -> str | None:
        try:
            answer = httpx.get(f"http://{address}/readyz", trust_env=False, timeout=5)
        except httpx.TransportError as error:
            return str(error)
        return None if answer.status_code == 200 else answer.text

    program = Program(
        name="operator",
        argv=(
            sys.executable, "-m", "kopf", "run", "--module", "headgate.handlers", f"--namespace={_NAMESPACE}",
            "--log-format=json",
        ),
        ready=ready,
        log=tmp_path_factory.mktemp("operator") / "operator.log",
        environment={
            "KUBECONFIG": str(kubernetes.kubeconfig),
            "PYTHONPATH": str(_OPERATOR),
            "HEADGATE_METRICS": address,
            "HEADGATE_IMAGE": "registry.example.com/headgate:1",
            "HEADGATE_REPOSITORY": "registry.example.com/jobs",
            "HEADGATE_NAMESPACES": _NAMESPACE,
        },
    )  # fmt: skip
    running = start(program)
    try:
        wait_ready(running)
        yield running
    finally:
        stop(running)


def until(running: Running, happens: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait; an operator that ended has nothing more to wait for."""
    for _ in range(int(seconds / 0.2)):
        if happens():
            return
        assert not ended(running, 0.2), running.program.log.read_text()[-4000:]
    raise AssertionError(running.program.log.read_text()[-4000:])


def test_an_object_is_counted_shown_and_named_in_the_log_until_the_operator_ends(
    kubernetes: KubeApi, operator: Running, address: str
) -> None:
    def shown() -> str:
        return httpx.get(f"http://{address}/metrics", trust_env=False, timeout=10).text

    with kubernetes.client() as client:
        assert client.post(_PATH, json=RESOURCE).status_code == 201
        until(operator, lambda: 'headgate_builds_total{outcome="started"} 1.0' in shown())
        with contextlib.suppress(httpx.TransportError):
            status = client.get(f"{_PATH}/measured").json()["status"]
            assert status["phase"] == "Building"
        text = shown()
        assert 'headgate_modeldeployment_phase{name="measured",namespace="measured",phase="Building"} 1.0' in text
        assert 'headgate_modeldeployment_ready{name="measured",namespace="measured"} 0.0' in text
        assert 'headgate_events_total{reason="RolloutStarted",type="Normal"} 1.0' in text
        assert 'headgate_reconciles_total{result="done"}' in text
        assert 'headgate_api_requests_total{code="200",verb="GET"}' in text
        assert 'result="mistake"' not in text
        assert client.delete(f"{_PATH}/measured").status_code == 200
        until(operator, lambda: client.get(f"{_PATH}/measured").status_code == 404)
        until(operator, lambda: 'name="measured"' not in shown())
    told = [json.loads(line) for line in operator.program.log.read_text().splitlines() if line.startswith("{")]
    about = {line["object"]["name"] for line in told if "object" in line}
    assert about == {"measured"}
    operator.process.terminate()
    assert ended(operator, 30)
    assert operator.process.returncode == 0
