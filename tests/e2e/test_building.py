"""``headgate build`` in a pod, with requirements from the package index; and an image without a registry, loaded by containerd."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import apply, delete, eventually, kubectl, read, tell_pods
from e2e.models import classifier
from e2e.stopwatch import STOPWATCH
from lab.build import binary_path
from lab.cluster.layout import REGISTRY, Node

_PATIENCE_S = 240
_CERTIFICATES = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")
_REQUIREMENT = "tabulate"
"""A package of one file that no base has."""

_RESOURCE = """\
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {{name: {name}}}
spec:
  model: {{uri: model.onnx, version: "1", inputs: {{features: [a, b, c, d]}}}}
  pipeline:
    tables: |
      CREATE TABLE records (id BIGINT, a FLOAT, b FLOAT, c FLOAT, d FLOAT) WITH ('connector' = 'datagen');
      CREATE TABLE scores (id BIGINT, probability FLOAT) WITH ('connector' = 'print');
    input: SELECT id, a, b, c, d FROM records
    key: id
    output: INSERT INTO scores SELECT id, probability FROM scored
    python: {{requirements: [{requirements}]}}
"""


class Pods:
    """Pods of a test, deleted at its end."""

    def __init__(self) -> None:
        self.name = f"build-{uuid.uuid4().hex[:6]}"
        self.made: list[dict[str, Any]] = []

    def apply(self, *objects: dict[str, Any]) -> None:
        self.made += objects
        apply(*objects)

    def run(self, image: str, *command: str, volumes: dict[str, dict[str, Any]] | None = None, **extra: object) -> str:
        """What a pod printed that runs to its end; ``volumes`` by the path where they are mounted."""
        name = f"{self.name}-{len(self.made)}"
        mounted = list(enumerate((volumes or {}).items()))
        container = {
            "name": "main", "image": image, "command": list(command),
            "env": [{"name": "SSL_CERT_FILE", "value": f"{_CERTIFICATES[0]}/ca-certificates.crt"}],
            "volumeMounts": [{"name": f"v{number}", "mountPath": path} for number, (path, _) in mounted],
            "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
        } | extra  # fmt: skip
        self.apply({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"e2e": self.name}},
            "spec": {
                "restartPolicy": "Never", "containers": [container],
                "volumes": [{"name": f"v{number}"} | volume for number, (_, volume) in mounted],
            },
        })  # fmt: skip

        def ended() -> str:
            phase = str((read("default", "pod", name) or {}).get("status", {}).get("phase"))
            return phase if phase in {"Succeeded", "Failed"} else ""

        phase = eventually(f"{name} ends", ended, _PATIENCE_S, self.tell)
        assert phase == "Succeeded", self.tell()
        return kubectl("-n", "default", "logs", name)

    def tell(self) -> str:
        return tell_pods("default", f"e2e={self.name}")


@pytest.fixture
def pods(lab: None) -> Iterator[Pods]:
    """A name of its own for pods in ``default``, whose files of the machine a tenant's could not see."""
    made = Pods()
    yield made
    delete("default", made.made)


def test_a_pod_builds_an_image_with_packages_from_the_index_and_the_image_has_them(
    pods: Pods, operator_image: str, runtime_image: str, tmp_path: Path
) -> None:
    model = classifier(tmp_path / "model.onnx", seed=1).read_bytes()
    resource = _RESOURCE.format(name=pods.name, requirements=_REQUIREMENT)
    source = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": pods.name, "namespace": "default"},
        "data": {"churn.yaml": resource}, "binaryData": {"model.onnx": base64.b64encode(model).decode()},
    }  # fmt: skip
    pods.apply(source)
    volumes = {path: {"hostPath": {"path": path}} for path in _CERTIFICATES if Path(path).is_dir()}
    volumes |= {"/source": {"configMap": {"name": pods.name}}, "/tmp": {"emptyDir": {}}}
    with STOPWATCH.step("headgate build in a pod, with a package from the index"):
        told = json.loads(
            pods.run(
                operator_image, "sh", "-c",
                # A ConfigMap's files are links that lead through folders of Kubernetes' own.
                f"cp -L /source/* /tmp && exec headgate build /tmp/churn.yaml --push {REGISTRY}/e2e/{pods.name}"
                f" --base {runtime_image} --plain-http --allow-private {REGISTRY.partition(':')[0]} -o json 2>/dev/null",
                volumes=volumes,
            )
        )  # fmt: skip
    assert "dependencies" in [layer["name"] for layer in told["layers"]]
    code = f"import {_REQUIREMENT}; print({_REQUIREMENT}.__file__)"
    printed = pods.run(told["image"], "python3", "-c", code, volumes={"/tmp": {"emptyDir": {}}})
    assert printed.startswith("/opt/headgate/site/")


def test_a_layout_is_loaded_by_containerd_and_runs_without_a_registry(
    pods: Pods, runtime_image: str, tmp_path: Path
) -> None:
    classifier(tmp_path / "model.onnx", seed=1)
    file = tmp_path / "churn.yaml"
    file.write_text(_RESOURCE.format(name=pods.name, requirements=""))
    layout, archive = tmp_path / "image", tmp_path / "image.tar"
    command = [str(Path(sys.executable).with_name("headgate")), "build", str(file), "--oci-layout", str(layout)]
    with STOPWATCH.step("headgate build --oci-layout, the base included"):
        _succeed(*command, "--base", runtime_image, "--plain-http", "--allow-private", REGISTRY.partition(":")[0])
    _succeed("tar", "-C", str(layout), "-cf", str(archive), ".")
    name = f"headgate.test/e2e/{pods.name}"
    ctr = (str(binary_path("ctr")), "--address", str(Node(1).socket), "--namespace", "k8s.io", "images")
    with STOPWATCH.step("the layout loaded by containerd"):
        _succeed(*ctr, "import", "--base-name", name, str(archive))
    try:
        printed = pods.run(
            f"{name}:latest", "python3", "-c", "print(open('/opt/headgate/job/job.json').read())",
            volumes={"/tmp": {"emptyDir": {}}}, imagePullPolicy="Never",
        )  # fmt: skip
    finally:
        _succeed(*ctr, "rm", f"{name}:latest")
    assert json.loads(printed)["name"] == pods.name


def _succeed(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
