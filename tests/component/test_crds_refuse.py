"""What the real API server refuses with the generated definitions, and that Python refuses it in the same words.

Each rule of the models is written twice, in CEL and in Python. Every CEL rule of ``crds/`` must be broken by a case
here, and the sentence that people see must be the same from ``kubectl apply`` and from ``headgate validate``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from headgate.api.validation import examine
from lab.apiserver import KubeApi
from lab.definitions import definitions, install_definitions

_PATH = "/apis/headgate.dev/v1alpha1/namespaces/default"
_MINIMAL: dict[str, Any] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "refused"},
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

Change = tuple[str, Any]
"""A field's path below ``spec`` with dots, and its value."""


def _canary(*steps: dict[str, Any]) -> Change:
    return ("rollout", {"strategy": "Canary", "steps": list(steps)})


def _analysis(**metric: Any) -> Change:
    return _canary({"setWeight": 10}, {"analysis": {"metrics": [{"name": "m", **metric}]}})


RULES: dict[str, tuple[Change, str]] = {
    "a claim needs a local directory": (
        ("flink.storage", {"claim": "state", "uri": "s3://bucket/state"}), "a claim is mounted at a local directory"),
    "a metric is not both built in and a query": (
        _analysis(metric="latency", query="sum(x)", max=1), "a metric needs either metric or query"),
    "a metric is one of the two": (_analysis(max=1), "a metric needs either metric or query"),
    "a metric needs a bound": (_analysis(metric="latency"), "a metric without min and max"),
    "a metric's bounds leave room": (_analysis(metric="latency", min=2, max=1), "min is greater than max"),
    "a step is not two things": (_canary({"setWeight": 5, "pause": {}}), "a step has exactly one of"),
    "a step is something": (_canary({"setWeight": 5}, {}), "a step has exactly one of"),
    "an upgrade takes no steps": (("rollout", {"steps": [{"pause": {}}]}), "steps belong to strategy Canary or Shadow"),
    "a canary needs a weight": (_canary({"pause": {}}), "strategy Canary needs at least one setWeight"),
    "a shadow has no weight": (
        ("rollout", {"strategy": "Shadow", "steps": [{"setWeight": 5}]}), "strategy Shadow gives the candidate no weight"),
    "a canary only grows": (_canary({"setWeight": 50}, {"setWeight": 10}), "setWeight goes down"),
}  # fmt: skip

SCHEMA: dict[str, tuple[Change, str]] = {
    "an unknown strategy": (("rollout.strategy", "BlueGreen"), "spec.rollout.strategy"),
    "a weight over a hundred": (_canary({"setWeight": 101}), "spec.rollout.steps[0].setWeight"),
    "a parallelism of nought": (("flink.parallelism", 0), "spec.flink.parallelism"),
    "a duration without a unit": (("flink.checkpointInterval", "10"), "spec.flink.checkpointInterval"),
    "a memory that is no quantity": (("flink.taskManager", {"memory": "much"}), "spec.flink.taskManager.memory"),
    "a key that is no column": (("pipeline.key", "a key"), "spec.pipeline.key"),
    "a digest that is none": (("model.sha256", "abc"), "spec.model.sha256"),
    "no input": (("pipeline.input", ""), "spec.pipeline.input"),
    "an unknown field": (("model.urll", "s3://x"), "spec.model.urll"),
    "an unknown field deep down": (_canary({"setWeight": 5, "wait": "5m"}), "spec.rollout.steps[0].wait"),
    "an unknown field of the spec": (("models", []), "spec.models"),
}


@pytest.fixture(scope="module")
def client(kubernetes: KubeApi) -> Iterator[httpx.Client]:
    """The API with the definitions installed."""
    with kubernetes.client() as client:
        install_definitions(client)
        yield client


def changed(change: Change) -> dict[str, Any]:
    """The minimal resource with one field set."""
    resource = copy.deepcopy(_MINIMAL)
    *parents, last = change[0].split(".")
    place = resource["spec"]
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = change[1]
    return resource


def refusal(client: httpx.Client, resource: dict[str, Any]) -> str:
    """The server's words; fails the test when it accepts."""
    parameters = {"fieldValidation": "Strict", "dryRun": "All"}
    response = client.post(f"{_PATH}/modeldeployments", json=resource, params=parameters)
    assert response.status_code in (400, 422), f"accepted: {response.text}"
    message: str = response.json()["message"]
    return message


def test_the_unchanged_resource_is_accepted(client: httpx.Client) -> None:
    response = client.post(f"{_PATH}/modeldeployments", json=_MINIMAL, params={"fieldValidation": "Strict"})
    assert response.status_code == 201, response.text
    assert examine(_MINIMAL).problems == ()


@pytest.mark.parametrize(("change", "sentence"), RULES.values(), ids=RULES.keys())
def test_a_broken_rule_is_said_alike_by_the_server_and_by_python(
    client: httpx.Client, change: Change, sentence: str
) -> None:
    resource = changed(change)
    assert sentence in refusal(client, resource)
    assert any(sentence in problem.message for problem in examine(resource).problems)


@pytest.mark.parametrize(("change", "path"), SCHEMA.values(), ids=SCHEMA.keys())
def test_what_the_schema_forbids_is_named_by_its_path(client: httpx.Client, change: Change, path: str) -> None:
    resource = changed(change)
    assert path in refusal(client, resource)
    assert any(str(problem).startswith(path) for problem in examine(resource).problems)


def test_every_rule_of_the_definitions_is_broken_by_some_case_here() -> None:
    sentences = {sentence for _, sentence in RULES.values()} | {_NEVER_CHANGES}
    messages = {message for definition in definitions() for message in rule_messages(definition)}
    assert {message for message in messages if not any(message.startswith(one) for one in sentences)} == set()


def rule_messages(schema: Any) -> Iterator[str]:
    """The messages of all CEL rules below a schema."""
    if isinstance(schema, dict):
        for rule in schema.get("x-kubernetes-validations", ()):
            yield rule["message"]
        for inner in schema.values():
            yield from rule_messages(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from rule_messages(inner)


def test_without_strict_validation_an_unknown_field_is_dropped(client: httpx.Client) -> None:
    resource = changed(("model.urll", "s3://x"))
    parameters = {"fieldValidation": "Ignore", "dryRun": "All"}
    stored = client.post(
        f"{_PATH}/modeldeployments", json=resource | {"metadata": {"name": "pruned"}}, params=parameters
    ).json()
    assert stored["spec"]["model"] == _MINIMAL["spec"]["model"] | {
        key: value for key, value in stored["spec"]["model"].items() if key != "uri"
    }
    assert "urll" not in stored["spec"]["model"]


@pytest.mark.parametrize("name", ["a" * 41, "3rd-model", "Churn"], ids=["too long", "a digit first", "a capital"])
def test_a_name_that_its_children_cannot_carry_is_refused(client: httpx.Client, name: str) -> None:
    assert "metadata.name" in refusal(client, copy.deepcopy(_MINIMAL) | {"metadata": {"name": name}})


_NEVER_CHANGES = "a ModelRevision never changes"


def test_a_revision_is_made_once_and_never_changes(client: httpx.Client) -> None:
    template = {key: _MINIMAL["spec"][key] for key in ("model", "pipeline")}
    revision = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "ModelRevision",
        "metadata": {"name": "churn-7f3a9c21d4"},
        "spec": {"deployment": "churn", "number": 1, "template": template},
    }
    made = client.post(f"{_PATH}/modelrevisions", json=revision, params={"fieldValidation": "Strict"})
    assert made.status_code == 201, made.text
    headers = {"content-type": "application/merge-patch+json"}
    path = f"{_PATH}/modelrevisions/churn-7f3a9c21d4"
    patched = client.patch(path, json={"spec": {"number": 2}}, headers=headers)
    assert patched.status_code == 422
    assert _NEVER_CHANGES in patched.json()["message"]
    status = client.patch(f"{path}/status", json={"status": {"phase": "Serving"}}, headers=headers)
    assert status.status_code == 200, status.text
