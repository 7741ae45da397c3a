"""The chart: rendered by helm, judged by a real API server, which also says what breaks its *restricted* pod security."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.api.load import load_modeldeployments
from headgate.planning.buildjob import BuildSettings, render_build
from headgate.planning.manifests import render_run
from headgate.planning.revisions import new_revision, template_of
from headgate.planning.runspec import Owner, RunSpec
from lab.apiserver import KubeApi
from lab.build import binary_path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "headgate"
NAMESPACE = "headgate-system"
SERVER = "1.36.3"
DIGEST = "sha256:" + "ab" * 32
LEAST: dict[str, Any] = {
    "image": {"repository": "registry.example.com/headgate"},
    "base": f"registry.example.com/headgate/runtime@{DIGEST}",
}
EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example.com/headgate", "digest": DIGEST, "pullPolicy": "Always"},
    "base": LEAST["base"],
    "repository": "registry.example.com/jobs",
    "pullSecrets": ["registry"],
    "namespaces": ["shop", "bank"],
    "builds": {
        "concurrency": 4,
        "arguments": ["--plain-http"],
        "environment": {"HTTPS_PROXY": "http://proxy:3128"},
        "pullSecret": "registry",
    },
    "runs": {"pullSecrets": ["registry"], "priorityClassName": "streams", "environment": {"TZ": "UTC"}},
    "caConfigMap": "ca",
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "streams", "operator": "Exists", "effect": "NoSchedule"}],
    "environment": {"TZ": "UTC"},
    "podDisruptionBudget": {"enabled": True},
    "metrics": {
        "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "podMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True},
    },
}
CASES = [
    pytest.param(LEAST, id="as little as possible"),
    pytest.param(EVERYTHING, id="everything at once"),
    pytest.param(
        LEAST | {"metrics": {"enabled": False}, "networkPolicy": {"enabled": False}, "crds": {"install": False}},
        id="without metrics, network policy and definitions",
    ),
]


def helm(*arguments: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Helm on the chart, with these values."""
    return subprocess.run(
        [str(binary_path("helm")), *arguments, "--values", "-"],
        input=json.dumps(values), capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"HELM_NAMESPACE": NAMESPACE},
    )  # fmt: skip


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The chart's objects."""
    done = helm("template", "headgate", str(CHART), "--kube-version", SERVER, values=values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of a kind."""
    return [one for one in objects if one["kind"] == kind]


@pytest.mark.parametrize("values", CASES)
def test_helm_finds_nothing_to_complain_of(values: dict[str, Any]) -> None:
    done = helm("lint", "--strict", str(CHART), values=values)
    assert (done.returncode, "[WARNING]" in done.stdout, "[ERROR]" in done.stdout) == (0, False, False), done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"imagee": {}}, "imagee", id="a misspelt section"),
        pytest.param({"image": {"repository": "r", "tga": "1"}}, "tga", id="a misspelt field"),
        pytest.param({"metrics": {"podMonitor": {"enabld": True}}}, "enabld", id="a misspelt field, deep"),
        pytest.param({"base": "registry.example.com/runtime:latest"}, "base", id="a base by tag"),
        pytest.param({"image": {"repository": ""}}, "repository", id="no image"),
        pytest.param({"builds": {"concurrency": 0}}, "concurrency", id="no builder"),
        pytest.param({"namespaces": ["Shop"]}, "namespaces", id="a namespace that is none"),
        pytest.param({"metrics": {"podMonitor": {"interval": "often"}}}, "interval", id="an interval that is none"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_by_name(change: dict[str, Any], said: str) -> None:
    done = helm("template", "headgate", str(CHART), "--kube-version", SERVER, values=LEAST | change)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert said in done.stderr


def test_every_value_is_in_the_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    def check(value: dict[str, Any], known: dict[str, Any], where: str) -> None:
        assert known.get("additionalProperties") is False or not value or "properties" not in known, where
        for key, inner in value.items():
            assert key in known["properties"], f"{where}{key}"
            if isinstance(inner, dict) and "properties" in known["properties"][key]:
                check(inner, known["properties"][key], f"{where}{key}.")

    check(values, schema, "")


# ---- what it may do ----------------------------------------------------------------------------------------------------


def rules(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules of every Role and ClusterRole."""
    return [rule for kind in ("Role", "ClusterRole") for role in of_kind(objects, kind) for rule in role["rules"]]


@pytest.mark.parametrize("values", CASES)
def test_no_rule_reads_secrets_or_stands_for_everything(values: dict[str, Any]) -> None:
    for rule in rules(rendered(values)):
        assert "secrets" not in rule["resources"]
        assert "*" not in (*rule["resources"], *rule["verbs"], *rule["apiGroups"])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        assert "pods/exec" not in rule["resources"]


def test_where_namespaces_are_named_only_finding_things_is_allowed_everywhere() -> None:
    objects = rendered(EVERYTHING)
    (everywhere,) = of_kind(objects, "ClusterRole")
    assert {verb for rule in everywhere["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert {r for rule in everywhere["rules"] for r in rule["resources"]} == {"customresourcedefinitions", "namespaces"}
    assert {role["metadata"]["namespace"] for role in of_kind(objects, "Role")} == {"shop", "bank"}


def test_the_operator_may_itself_all_that_a_runs_role_allows() -> None:
    """Kubernetes lets nobody grant what they do not have."""
    own = {
        (group, resource, verb)
        for rule in rules(rendered(EVERYTHING))
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    granted = {
        (group, resource, verb)
        for role in of_kind(list(_pods_of_streams()), "Role")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted
    assert granted <= own


@pytest.mark.parametrize("values", CASES)
def test_definitions_stay_when_the_chart_goes(values: dict[str, Any]) -> None:
    found = of_kind(rendered(values), "CustomResourceDefinition")
    assert len(found) == (0 if values.get("crds") == {"install": False} else 2)
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in found)


def test_metrics_are_shown_probed_and_allowed_or_not_there_at_all() -> None:
    def container(values: dict[str, Any]) -> dict[str, Any]:
        (deployment,) = of_kind(rendered(values), "Deployment")
        one: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
        return one

    with_metrics, without = container(LEAST), container(LEAST | {"metrics": {"enabled": False}})
    assert {"name": "HEADGATE_METRICS", "value": "0.0.0.0:9090"} in with_metrics["env"]
    assert with_metrics["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert "HEADGATE_METRICS" not in {one["name"] for one in without["env"]}
    assert [port["name"] for port in without["ports"]] == ["health"]
    (policy,) = of_kind(rendered(EVERYTHING), "NetworkPolicy")
    (monitor,) = of_kind(rendered(EVERYTHING), "PodMonitor")
    assert policy["spec"]["ingress"][1] == {"ports": [{"port": "metrics"}], "from": EVERYTHING["metrics"]["from"]}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= policy["spec"]["podSelector"]["matchLabels"].items()
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    (config,) = (one for one in of_kind(rendered(EVERYTHING), "ConfigMap") if "headgate.json" in one["data"])
    board = json.loads(config["data"]["headgate.json"])
    documented = (ROOT / "docs" / "metrics.md").read_text()
    source = (ROOT / "operator" / "headgate" / "metrics.py").read_text()
    for panel in board["panels"]:
        for target in panel["targets"]:
            for word in target["expr"].replace("(", " ").replace("{", " ").replace("[", " ").replace(")", " ").split():
                if word.startswith("headgate_modeldeployment_"):
                    assert f'"{word.removeprefix("headgate_modeldeployment_")}"' in source, word
                elif word.startswith("headgate_"):
                    name = word.removesuffix("_bucket").removesuffix("_total")
                    assert (name in documented, f'"{name}"' in source) == (True, True), word


# ---- judged by the API server ------------------------------------------------------------------------------------------


def dry_run(kubernetes: KubeApi, objects: list[dict[str, Any]]) -> str:
    """Apply without applying, strictly, every object in its own namespace; gives the warnings."""
    done = subprocess.run(
        [
            str(kubernetes.kubectl), "--kubeconfig", str(kubernetes.kubeconfig), "apply", "--dry-run=server",
             "--validate=strict", "--filename", "-",
        ],
        input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def restricted(kubernetes: KubeApi) -> KubeApi:
    """Namespaces that warn of every pod that is not of the restricted kind."""
    with kubernetes.client() as client:
        for name in (NAMESPACE, "shop", "bank"):
            labels = {
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/warn-version": "latest",
            }
            answer = client.post("/api/v1/namespaces", json={"metadata": {"name": name, "labels": labels}})
            assert answer.status_code == 201, answer.text
    return kubernetes


@pytest.mark.parametrize("values", CASES)
def test_the_api_server_takes_every_object_and_warns_of_no_pod(restricted: KubeApi, values: dict[str, Any]) -> None:
    # The Prometheus operator's kind is not there.
    objects = [one for one in rendered(values) if one["kind"] != "PodMonitor"]
    assert dry_run(restricted, objects) == ""


def _pods_of_streams() -> tuple[dict[str, Any], ...]:
    """What the operator makes for a stream: a build, and a run."""
    text = """
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {name: churn, namespace: shop}
spec:
  model: {uri: s3://models/churn.onnx, version: "3", secret: store}
  pipeline:
    tables: |
      CREATE TABLE c (id BIGINT, x FLOAT) WITH ('connector' = 'kafka', 'topic' = 'c', 'format' = 'json',
        'properties.bootstrap.servers' = 'kafka:9092', 'properties.sasl.jaas.config' = '${secret:kafka/jaas}');
      CREATE TABLE p (id BIGINT, y FLOAT) WITH ('connector' = 'print');
    input: SELECT id, x FROM c
    key: id
    output: INSERT INTO p SELECT id, y FROM scored
  flink: {storage: {uri: "s3://state/churn"}}
  image: {repository: registry.example.com/churn, pullSecret: registry}
"""
    (deployment,) = load_modeldeployments(text, source="churn.yaml")
    revision = new_revision("churn", "shop", "churn-7f3a9c21d4", template_of(deployment.spec), ())
    settings = BuildSettings("registry.example.com/headgate:1", base=LEAST["base"], ca_config_map="ca")
    run = RunSpec(
        name="churn-r1",
        namespace="shop",
        deployment="churn",
        revision=revision.metadata.name,
        image=f"registry.example.com/churn@{DIGEST}",
        flink=deployment.spec.flink,
        folder="s3://state/churn/shop/churn-1/churn-r1",
        tables=deployment.spec.pipeline.tables,
        owner=Owner("headgate.dev/v1alpha1", "ModelDeployment", "churn", "0a"),
    )
    return (*render_build(revision, "churn", "0a", settings), *render_run(run))


def test_the_pods_of_builds_and_streams_are_of_the_restricted_kind(restricted: KubeApi) -> None:
    assert dry_run(restricted, list(_pods_of_streams())) == ""


def test_the_api_server_would_warn_of_a_pod_that_is_not(restricted: KubeApi) -> None:
    objects = list(_pods_of_streams())
    for one in objects:
        if one["kind"] == "Deployment":
            one["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert "would violate PodSecurity" in dry_run(restricted, objects)
