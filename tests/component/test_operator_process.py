"""The operator as a process against a real API server: its metrics, its health, its log, and a clean end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from component.operators import (
    deployment,
    metrics_of,
    objects_path,
    operator_program,
    prepare_namespace,
    ready_operators,
)
from lab.apiserver import KubeApi
from lab.network_ports import free_ports
from lab.processes import Running, ended

_NAMESPACE = "measured"
_PATH = objects_path(_NAMESPACE)


@pytest.fixture(scope="module")
def port() -> int:
    """Where the operator shows its metrics."""
    (free,) = free_ports(1)
    return free


@pytest.fixture(scope="module")
def operator(kubernetes: KubeApi, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An operator with nothing to do."""
    with kubernetes.client() as client:
        prepare_namespace(client, _NAMESPACE)
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    with ready_operators(operator_program(kubernetes, _NAMESPACE, port, log)) as (running,):
        yield running


def until(running: Running, happens: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait; an operator that ended has nothing more to wait for."""
    for _ in range(int(seconds / 0.2)):
        if happens():
            return
        assert not ended(running, 0.2), running.program.log.read_text()[-4000:]
    raise AssertionError(running.program.log.read_text()[-4000:])


def test_an_object_is_counted_shown_and_named_in_the_log_until_the_operator_ends(
    kubernetes: KubeApi, operator: Running, port: int
) -> None:
    def shown() -> str:
        return metrics_of(port)

    with kubernetes.client() as client:
        assert client.post(_PATH, json=deployment("measured")).status_code == 201
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
