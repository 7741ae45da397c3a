"""The generated definitions on a real API server: accepted, defaulted, listed, scaled, and their status kept apart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from headgate.api.validation import parse_modeldeployment
from lab.apiserver import KubeApi
from lab.definitions import definitions, install_definitions

_PATH = "/apis/headgate.dev/v1alpha1/namespaces/default/modeldeployments"


@pytest.fixture(scope="module")
def client(kubernetes: KubeApi) -> Iterator[httpx.Client]:
    """The API with the definitions installed."""
    with kubernetes.client() as client:
        install_definitions(client)
        yield client


def minimal(name: str) -> dict[str, Any]:
    """The shortest resource that means something."""
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": "s3://models/churn/3/model.onnx"},
            "pipeline": {
                "tables": "CREATE TABLE c (id STRING, age INT) WITH ('connector' = 'datagen');"
                "CREATE TABLE p (id STRING, probability FLOAT) WITH ('connector' = 'print')",
                "input": "SELECT id, age FROM c",
                "key": "id",
                "output": "INSERT INTO p SELECT id, probability FROM scored",
            },
        },
    }


def said(value: Any) -> Any:
    """A resource without its empty texts, lists and maps: those mean the same as nothing, and the server adds none."""
    if not isinstance(value, dict):
        return value
    kept = {key: said(inner) for key, inner in value.items()}
    return {key: inner for key, inner in kept.items() if inner not in ("", [], {})}


def created(client: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    """What the server stored."""
    response = client.post(_PATH, json=resource, params={"fieldValidation": "Strict"})
    assert response.status_code == 201, response.text
    stored: dict[str, Any] = response.json()
    return stored


def test_every_definition_is_accepted_without_a_complaint(client: httpx.Client) -> None:
    for definition in definitions():
        name = definition["metadata"]["name"]
        got = client.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}").json()
        states = {condition["type"]: condition["status"] for condition in got["status"]["conditions"]}
        assert states["NamesAccepted"] == "True"
        assert states.get("NonStructuralSchema", "False") == "False"


def test_the_server_fills_in_the_defaults_that_python_fills_in(client: httpx.Client) -> None:
    stored = created(client, minimal("defaults"))
    parsed = parse_modeldeployment(minimal("defaults"))
    assert stored["spec"]["flink"]["parallelism"] == 1
    assert said(stored["spec"]) == said(parsed.spec.model_dump(mode="json", by_alias=True, exclude_none=True))


def test_what_the_server_stored_parses_to_what_was_meant(client: httpx.Client) -> None:
    resource = minimal("roundtrip")
    resource["spec"]["model"] |= {"constants": {"sr": 16000}, "inputs": {"x": ["age"]}}
    resource["spec"]["flink"] = {"taskManager": {"cpu": 2, "memory": "1536Mi"}, "parallelism": 3}
    stored = created(client, resource)
    assert parse_modeldeployment(stored).spec == parse_modeldeployment(resource).spec


def test_scale_reads_and_writes_the_parallelism_within_its_bounds(client: httpx.Client) -> None:
    created(client, minimal("scaled"))
    path = f"{_PATH}/scaled/scale"
    assert client.get(path).json()["spec"] == {"replicas": 1}
    headers = {"content-type": "application/merge-patch+json"}
    assert client.patch(path, json={"spec": {"replicas": 4}}, headers=headers).status_code == 200
    assert client.get(f"{_PATH}/scaled").json()["spec"]["flink"]["parallelism"] == 4
    refused = client.patch(path, json={"spec": {"replicas": 0}}, headers=headers)
    assert refused.status_code == 422
    assert "spec.flink.parallelism" in refused.json()["message"]


def test_status_is_written_through_its_subresource_alone(client: httpx.Client) -> None:
    stored = created(client, minimal("status"))
    headers = {"content-type": "application/merge-patch+json"}
    status = {"phase": "Serving", "observedGeneration": 1, "recordsPerSecond": 12.5}
    ignored = client.patch(f"{_PATH}/status", json={"status": status}, headers=headers).json()
    assert ignored.get("status", {}).get("recordsPerSecond") is None
    patch = {"status": status, "spec": {"suspend": True}}
    written = client.patch(f"{_PATH}/status/status", json=patch, headers=headers)
    assert written.status_code == 200, written.text
    assert written.json()["status"] | status == written.json()["status"]
    assert written.json()["spec"] == stored["spec"]
    assert written.json()["metadata"]["generation"] == 1
    wrong = client.patch(f"{_PATH}/status/status", json={"status": {"phase": "Dreaming"}}, headers=headers)
    assert wrong.status_code == 422


def test_a_list_shows_what_people_look_for(client: httpx.Client) -> None:
    created(client, minimal("columns"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = client.get(f"{_PATH}/columns", headers={"accept": accept}).json()
    shown = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert shown == ["Name", "Phase", "Ready", "Version", "Candidate", "Weight", "Records/s", "Age"]
    assert table["rows"][0]["cells"][0] == "columns"


@pytest.mark.parametrize("name", ["mdep", "modeldeployment", "modeldeployments", "headgate", "mrev"])
def test_kubectl_knows_the_kind_by_its_short_and_long_names(
    client: httpx.Client, kubernetes: KubeApi, name: str
) -> None:
    asked = subprocess.run(
        [kubernetes.kubectl, "--kubeconfig", kubernetes.kubeconfig, "get", name, "-o", "name"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr


def test_kubectl_explains_a_field_in_the_words_of_the_model(client: httpx.Client, kubernetes: KubeApi) -> None:
    asked = subprocess.run(
        [kubernetes.kubectl, "--kubeconfig", kubernetes.kubeconfig, "explain", "mdep.spec.rollout.steps.setWeight"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Percent of keys that go to the candidate." in asked.stdout
