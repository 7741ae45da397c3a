"""The operator as a process against an API server that has no nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from lab.apiserver import KubeApi
from lab.definitions import install_definitions
from lab.processes import Program, Running, start, stop, wait_ready

_OPERATOR = Path(__file__).parents[2] / "operator"


def objects_path(namespace: str) -> str:
    """Where the ModelDeployments of a namespace are."""
    return f"/apis/headgate.dev/v1alpha1/namespaces/{namespace}/modeldeployments"


def prepare_namespace(client: httpx.Client, name: str) -> None:
    """The definitions, and a new namespace for one test's objects. It stays: without controllers none is ever gone."""
    install_definitions(client)
    client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()


def operator_program(
    kubernetes: KubeApi, namespace: str, port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Program:
    """``kopf run`` as in the operator's pod, for one namespace, so that it sees no other test's objects; metrics on ``port``."""

    def ready() -> str | None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=5)
        except httpx.TransportError as error:
            return str(error)
        return None if answer.status_code == 200 else answer.text

    return Program(
        name="operator",
        argv=(
            sys.executable, "-m", "kopf", "run", "--module", "headgate.handlers", f"--namespace={namespace}", "--log-format=json"
        ),
        ready=ready,
        log=log,
        environment={
            "KUBECONFIG": str(kubernetes.kubeconfig), "PYTHONPATH": str(_OPERATOR), "HEADGATE_METRICS": f"127.0.0.1:{port}",
            "HEADGATE_IMAGE": "registry.example.com/headgate:1", "HEADGATE_BASE": "registry.example.com/base",
            "HEADGATE_REPOSITORY": "registry.example.com/jobs", "HEADGATE_NAMESPACES": namespace, **(environment or {}),
        },
    )  # fmt: skip


@contextmanager
def ready_operators(*programs: Program) -> Iterator[tuple[Running, ...]]:
    """All of them, started together and all ready, until the block is left; a test may stop one earlier."""
    with ExitStack() as stack:
        running = []
        for program in programs:
            running.append(start(program))
            stack.callback(stop, running[-1])
        for one in running:
            wait_ready(one)
        yield tuple(running)


def metrics_of(port: int) -> str:
    """What that operator shows."""
    return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=10).text


def deployment(name: str) -> dict[str, Any]:
    """A ModelDeployment that needs nothing but the operator to be carried out."""
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


def ready_objects(client: httpx.Client, namespace: str) -> int:
    """How many are Ready."""
    items = client.get(objects_path(namespace)).json()["items"]
    held = [c for item in items for c in item.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
    return sum(c["status"] == "True" for c in held)
