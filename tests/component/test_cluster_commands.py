"""``headgate status`` and the verbs against a real API server: what they read, what they change, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.api.revision import ModelRevision
from headgate.api.validation import parse_modeldeployment
from headgate.cli.main import main
from headgate.planning.revisions import new_revision, revision_name_of, template_of
from headgate.planning.runspec import DEPLOYMENT_LABEL
from lab.apiserver import KubeApi
from lab.definitions import install_definitions

_BASE = "/apis/headgate.dev/v1alpha1/namespaces/told"
_MERGE = {"Content-Type": "application/merge-patch+json"}

Said = tuple[int, str, str]
"""Exit status, stdout, stderr."""
Headgate = Callable[..., Said]


def resource(version: str) -> dict[str, Any]:
    """The stream with that version of its model."""
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "churn", "namespace": "told"},
        "spec": {
            "model": {"uri": f"s3://models/churn/{version}.onnx", "version": version} | (
                {"labels": "s3://models/labels.txt"} if version == "1" else {}
            ),
            "pipeline": {
                "tables": "CREATE TABLE c (id STRING, age INT) WITH ('connector' = 'datagen');"
                "CREATE TABLE p (id STRING, probability FLOAT) WITH ('connector' = 'print')",
                "input": "SELECT id, age FROM c",
                "key": "id",
                "output": "INSERT INTO p SELECT id, probability FROM scored",
            },
            "flink": {"parallelism": 2},
        },
    }  # fmt: skip


def revision_of(version: str, known: tuple[ModelRevision, ...] = ()) -> ModelRevision:
    """The revision that the operator writes down for it."""
    template = template_of(parse_modeldeployment(resource(version)).spec)
    return new_revision("churn", "told", revision_name_of("churn", template), template, known)


@pytest.fixture(scope="module")
def client(kubernetes: KubeApi) -> Iterator[httpx.Client]:
    """The API, with the definitions and a namespace."""
    with kubernetes.client() as client:
        install_definitions(client)
        assert client.post("/api/v1/namespaces", json={"metadata": {"name": "told"}}).status_code == 201
        yield client


@pytest.fixture
def stream(client: httpx.Client) -> Iterator[httpx.Client]:
    """Version 2 serves, version 1 served before; as an operator would have written it."""
    assert client.post(f"{_BASE}/modeldeployments", json=resource("2")).status_code == 201
    first = revision_of("1")
    for revision, phase, served in (
        (first, "Retired", "2026-03-01T10:00:00Z"), (revision_of("2", (first,)), "Serving", "2026-03-02T10:00:00Z")
    ):  # fmt: skip
        raw = revision.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
        raw["metadata"] = {"name": revision.metadata.name, "labels": {DEPLOYMENT_LABEL: "churn"}}
        answer = client.post(f"{_BASE}/modelrevisions", json=raw)
        assert answer.status_code == 201, answer.text
        version = revision.spec.template.model.version
        status = {"phase": phase, "version": version, "modelDigest": "sha256:" + version * 64, "servedAt": served}
        _status(client, f"modelrevisions/{revision.metadata.name}", status)
    serving = revision_of("2")
    _status(
        client,
        "modeldeployments/churn",
        {
            "phase": "Serving",
            "observedGeneration": 1,
            "target": serving.metadata.name,
            "serving": {"revision": serving.metadata.name, "version": "2"},
            "run": {"name": "churn-r2", "state": "Running"},
            "recordsPerSecond": 812.4,
        },
    )
    yield client
    for kind in ("modeldeployments/churn", *(f"modelrevisions/{revision_of(v).metadata.name}" for v in "12")):
        client.delete(f"{_BASE}/{kind}")


def _status(client: httpx.Client, path: str, status: dict[str, Any]) -> None:
    answer = client.patch(f"{_BASE}/{path}/status", content=json.dumps({"status": status}), headers=_MERGE)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def headgate(kubernetes: KubeApi, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Headgate:
    """``headgate(command, *arguments)`` about the stream."""

    def run(command: str, *arguments: str, namespace: str = "told") -> Said:
        code = main([command, "churn", *arguments, "-n", namespace, "--kubeconfig", str(kubernetes.kubeconfig)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def read(client: httpx.Client) -> dict[str, Any]:
    """The object as it stands."""
    found: dict[str, Any] = client.get(f"{_BASE}/modeldeployments/churn").json()
    return found


def test_the_story_is_told_in_text_and_for_programs(stream: httpx.Client, headgate: Headgate) -> None:
    code, out, _ = headgate("status")
    assert code == 0
    assert "told/churn\n  phase  Serving" in out
    assert "records  812.4 a second" in out
    rows = [line.split() for line in out.split("Versions\n")[1].split("\n\n")[0].splitlines()[1:]]
    assert [row[:4] for row in rows] == [
        ["2", "2", "serving", "sha256:222222222222"],
        ["1", "1", "retired", "sha256:111111111111"],
    ]
    code, out, _ = headgate("status", "-o", "json")
    told = json.loads(out)
    assert (told["status"]["recordsPerSecond"], len(told["revisions"])) == (812.4, 2)


def test_kubectl_finds_the_command_as_its_plugin(stream: httpx.Client, kubernetes: KubeApi) -> None:
    folder = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(kubernetes.kubeconfig),
    }
    done = subprocess.run(
        [str(kubernetes.kubectl), "headgate", "status", "churn", "-n", "told"],
        capture_output=True, text=True, check=False, timeout=300, env=environment,
    )  # fmt: skip
    assert (done.returncode, "phase  Serving" in done.stdout) == (0, True), done.stderr


def test_a_stream_is_suspended_and_its_rollout_paused_and_both_resumed(
    stream: httpx.Client, headgate: Headgate
) -> None:
    assert headgate("suspend")[0] == 0
    assert headgate("pause")[0] == 0
    spec = read(stream)["spec"]
    assert (spec["suspend"], spec["rollout"]["paused"]) == (True, True)
    assert "held   spec.suspend; headgate resume churn goes on" in headgate("status")[1]
    for verb in ("suspend", "pause"):
        code, _, err = headgate(verb)
        assert (code, "already" in err) == (1, True)
    assert headgate("resume")[1] == "The stream goes on from its savepoint. The rollout goes on.\n"
    spec = read(stream)["spec"]
    assert not spec.get("suspend")
    assert not (spec.get("rollout") or {}).get("paused")
    code, _, err = headgate("resume")
    assert (code, "neither suspended nor is its rollout paused" in err) == (1, True)


def test_an_undo_makes_the_spec_of_what_served_before(stream: httpx.Client, headgate: Headgate) -> None:
    stream.patch(
        f"{_BASE}/modeldeployments/churn", content=json.dumps({"spec": {"flink": {"parallelism": 5}}}), headers=_MERGE
    )
    code, out, err = headgate("undo")
    assert code == 0, err
    assert out.startswith("churn asks for revision 1 (version 1) again.")
    spec = parse_modeldeployment({k: v for k, v in read(stream).items() if k != "status"}).spec
    assert revision_name_of("churn", template_of(spec)) == revision_of("1").metadata.name
    assert (spec.model.labels, spec.flink.parallelism) == ("s3://models/labels.txt", 5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("undo", "--to-revision", "7"), "churn has no revision 7. There are: 1, 2.", id="no such revision"
        ),
        pytest.param(("undo", "--to-revision", "2"), "churn asks for revision 2 already.", id="what is asked for"),
        pytest.param(("retry",), "has not failed", id="a retry of what did not fail"),
    ],
)
def test_what_means_nothing_is_refused_and_changes_nothing(
    stream: httpx.Client, headgate: Headgate, arguments: tuple[str, ...], said: str
) -> None:
    before = read(stream)["metadata"]["resourceVersion"]
    code, _, err = headgate(*arguments)
    assert (code, said in err) == (1, True), err
    assert read(stream)["metadata"]["resourceVersion"] == before


def test_verbs_that_ask_the_operator_are_annotations(stream: httpx.Client, headgate: Headgate) -> None:
    assert headgate("savepoint")[0] == 0
    assert headgate("restore", "--from", "s3://state/chk-7")[0] == 0
    failed = revision_of("2").metadata.name
    _status(stream, f"modelrevisions/{failed}", {"phase": "Failed"})
    assert headgate("retry")[1] == f"Revision {failed} is tried again.\n"
    assert read(stream)["metadata"]["annotations"] == {
        "headgate.dev/savepoint": "asked",
        "headgate.dev/restore-from": "s3://state/chk-7",
        "headgate.dev/retry": "true",
    }


def test_an_object_that_is_not_there_is_told_with_those_that_are(
    stream: httpx.Client, headgate: Headgate, kubernetes: KubeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = headgate("status", namespace="default")
    assert (code, "There is no ModelDeployment churn in namespace default." in err) == (1, True)
    assert main(["status", "chrun", "-n", "told", "--kubeconfig", str(kubernetes.kubeconfig)]) == 1
    assert "There are: churn." in capsys.readouterr().err


def test_a_cluster_that_is_not_known_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "churn", "--kubeconfig", str(tmp_path / "nowhere")]) == 1
    said = capsys.readouterr().err
    assert "No cluster is known" in said
    assert "Set KUBECONFIG or --kubeconfig" in said
