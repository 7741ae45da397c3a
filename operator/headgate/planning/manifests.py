"""The Kubernetes objects of one run: a Flink application cluster of its own. Pure.

A run is made of two ConfigMaps (Flink's configuration; the status that main() reports), a Service for Flink's REST API, a
NetworkPolicy that lets only the operator reach it, a ServiceAccount whose Role is ConfigMaps alone, the JobManager as a Job (one
that ended well must never start again) and the TaskManagers as a Deployment. *Go* is a third ConfigMap, made when the run may
start. Names follow from the run's name, and every object belongs to the owner that is given, so that nothing is left when that goes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from headgate.api.flink import FlinkSpec
from headgate.api.secrets import secret_refs
from headgate.planning.flinkconfig import (
    BIN_FOLDER,
    BLOB_PORT,
    LOG4J,
    METRICS_PORT,
    REST_PORT,
    RPC_PORT,
    RunPlace,
    render_flink_config,
)

Manifest = dict[str, Any]

FLINK_UID = 9999
FLINK_HOME = "/opt/flink"
CONFIG_FOLDER = f"{FLINK_HOME}/conf"
SECRETS_FOLDER = "/opt/headgate/secrets"
STORAGE_FOLDER = "/opt/headgate/storage"
DEPLOYMENT_LABEL = "headgate.dev/deployment"
REVISION_LABEL = "headgate.dev/revision"
RUN_LABEL = "headgate.dev/run"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY = "headgate"


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that a run's objects belong to."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What an installation adds to every pod."""

    pull_secrets: tuple[str, ...] = ()
    priority_class: str = ""
    tolerations: tuple[dict[str, Any], ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    network_policy: bool = True

    @classmethod
    def from_text(cls, text: str) -> PodSettings:
        """Read the JSON object that the chart makes of ``runs``."""
        raw = json.loads(text or "{}")
        return cls(
            pull_secrets=tuple(raw.get("pullSecrets") or ()),
            priority_class=raw.get("priorityClassName") or "",
            tolerations=tuple(raw.get("tolerations") or ()),
            node_selector=tuple(sorted((raw.get("nodeSelector") or {}).items())),
            environment=tuple(sorted((raw.get("environment") or {}).items())),
            network_policy=bool(raw.get("networkPolicy", True)),
        )

    def over(self, own: PodSettings) -> PodSettings:
        """These with a run's own ones, which come first."""
        return PodSettings(
            pull_secrets=tuple(dict.fromkeys((*own.pull_secrets, *self.pull_secrets))),
            priority_class=own.priority_class or self.priority_class,
            tolerations=(*own.tolerations, *self.tolerations),
            node_selector=own.node_selector or self.node_selector,
            environment=(*own.environment, *self.environment),
            network_policy=own.network_policy and self.network_policy,
        )


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that a run's objects are made of. ``image`` is always by digest; ``folder`` is where the run's data lies, and no
    other run's."""

    name: str
    namespace: str
    deployment: str
    revision: str
    image: str
    flink: FlinkSpec
    folder: str
    tables: str = ""
    owner: Owner | None = None
    pods: PodSettings = field(default_factory=PodSettings)


def render_run(run: RunSpec) -> tuple[Manifest, ...]:
    """Every object of a run but *go*, in the order in which they are to be applied."""
    return (
        *_account(run),
        _config(run),
        _object(run, "v1", "ConfigMap", f"{run.name}-status"),
        _service(run),
        *((_network_policy(run),) if run.pods.network_policy else ()),
        _job_manager(run),
        _task_managers(run),
    )


def run_object_names(run: str) -> tuple[tuple[str, str, str], ...]:
    """apiVersion, kind and name of everything that a run may have; what ends the stream comes first."""
    return (
        ("batch/v1", "Job", f"{run}-jm"),
        ("apps/v1", "Deployment", f"{run}-tm"),
        ("v1", "Service", f"{run}-rest"),
        ("networking.k8s.io/v1", "NetworkPolicy", run),
        ("v1", "ConfigMap", f"{run}-go"),
        ("v1", "ConfigMap", f"{run}-status"),
        ("v1", "ConfigMap", f"{run}-flink"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", run),
        ("rbac.authorization.k8s.io/v1", "Role", run),
        ("v1", "ServiceAccount", run),
    )


def render_go(run: RunSpec, savepoint: str, *, drop_state: bool = False) -> Manifest:
    """The ConfigMap that lets a run start; it lasts as long as the run.

    ``savepoint``: see :class:`headgate.planning.actions.LetGo`. ``drop_state``: state that no operator claims is left behind.
    """
    data = {"savepoint": savepoint} | ({"dropState": "true"} if drop_state else {})
    return _object(run, "v1", "ConfigMap", f"{run.name}-go") | {"data": data}


def run_labels(run: RunSpec, component: str = "") -> dict[str, str]:
    """The labels of a run's objects."""
    labels = {
        "app.kubernetes.io/name": "headgate-run",
        "app.kubernetes.io/instance": run.deployment,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        DEPLOYMENT_LABEL: run.deployment,
        REVISION_LABEL: run.revision,
        RUN_LABEL: run.name,
    }
    return labels | ({COMPONENT_LABEL: component} if component else {})


def task_manager_count(flink: FlinkSpec) -> int:
    """TaskManagers whose slots hold the parallelism."""
    return -(-flink.parallelism // flink.slots_per_task_manager)


def rest_url(run: str, namespace: str) -> str:
    """Where a run's REST API answers inside the cluster."""
    return f"http://{run}-rest.{namespace}.svc:8081"


def _object(run: RunSpec, api_version: str, kind: str, name: str) -> Manifest:
    metadata: Manifest = {"name": name, "namespace": run.namespace, "labels": run_labels(run)}
    if run.owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": run.owner.api_version,
                "kind": run.owner.kind,
                "name": run.owner.name,
                "uid": run.owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _account(run: RunSpec) -> tuple[Manifest, ...]:
    rbac = "rbac.authorization.k8s.io"
    # Flink's leader election and checkpoint pointers are ConfigMaps whose names Flink makes up: no narrower rule can name them.
    rules = [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        }
    ]
    subject = {"kind": "ServiceAccount", "name": run.name, "namespace": run.namespace}
    return (
        _object(run, "v1", "ServiceAccount", run.name),
        _object(run, f"{rbac}/v1", "Role", run.name) | {"rules": rules},
        _object(run, f"{rbac}/v1", "RoleBinding", run.name)
        | {"roleRef": {"apiGroup": rbac, "kind": "Role", "name": run.name}, "subjects": [subject]},
    )


def _config(run: RunSpec) -> Manifest:
    files = {
        "config.yaml": render_flink_config(run.flink, RunPlace(run.name, run.namespace, run.folder)),
        "log4j-console.properties": LOG4J,
    }
    return _object(run, "v1", "ConfigMap", f"{run.name}-flink") | {"data": files}


def _service(run: RunSpec) -> Manifest:
    ports = [{"name": "rest", "port": REST_PORT, "targetPort": "rest"}]
    selector = {RUN_LABEL: run.name, COMPONENT_LABEL: "jobmanager"}
    return _object(run, "v1", "Service", f"{run.name}-rest") | {"spec": {"selector": selector, "ports": ports}}


def _network_policy(run: RunSpec) -> Manifest:
    """Flink asks nobody who they are: its pods are reached by one another, by the operator, and for their metrics."""
    operator = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "headgate"}}}
    spec = {
        "podSelector": {"matchLabels": {RUN_LABEL: run.name}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": {RUN_LABEL: run.name}}}]},
            {"from": [operator], "ports": [{"port": REST_PORT}]},
            {"ports": [{"port": METRICS_PORT}]},
        ],
    }
    return _object(run, "networking.k8s.io/v1", "NetworkPolicy", run.name) | {"spec": spec}


def _job_manager(run: RunSpec) -> Manifest:
    command = [
        f"{FLINK_HOME}/bin/standalone-job.sh",
        "start-foreground",
        "-Djobmanager.rpc.address=$(POD_IP)",
        "--job-classname",
        "org.apache.flink.client.python.PythonDriver",
        "-pyclientexec",
        "python3",
        "-pym",
        "headgate_runtime.cluster",
    ]
    ports = {"rest": REST_PORT, "rpc": RPC_PORT, "blob": BLOB_PORT, "metrics": METRICS_PORT}
    container = _container(run, "jobmanager", command, ports)
    container["readinessProbe"] = {"httpGet": {"path": "/config", "port": "rest"}, "periodSeconds": 2}
    container["startupProbe"] = {"tcpSocket": {"port": "rpc"}, "periodSeconds": 2, "failureThreshold": 90}
    container["livenessProbe"] = {"tcpSocket": {"port": "rpc"}, "periodSeconds": 20, "failureThreshold": 6}
    spec = {
        # The JobManager comes back after every crash; it is the operator that gives a run up.
        "backoffLimit": 1_000_000,
        "template": _pod(run, "jobmanager", container, "OnFailure"),
    }
    return _object(run, "batch/v1", "Job", f"{run.name}-jm") | {"spec": spec}


def _task_managers(run: RunSpec) -> Manifest:
    # A Python with everything loaded stands by: a worker that is forked from it starts seconds sooner.
    command = [
        f"{BIN_FOLDER}/with-standby",
        f"{FLINK_HOME}/bin/taskmanager.sh",
        "start-foreground",
        "-Dtaskmanager.host=$(POD_IP)",
    ]
    container = _container(run, "taskmanager", command, {"metrics": METRICS_PORT})
    spec = {
        "replicas": task_manager_count(run.flink),
        "selector": {"matchLabels": {RUN_LABEL: run.name, COMPONENT_LABEL: "taskmanager"}},
        "template": _pod(run, "taskmanager", container, "Always"),
    }
    return _object(run, "apps/v1", "Deployment", f"{run.name}-tm") | {"spec": spec}


def _container(run: RunSpec, component: str, command: list[str], ports: dict[str, int]) -> Manifest:
    size = run.flink.job_manager if component == "jobmanager" else run.flink.task_manager
    resources = {"cpu": size.cpu, "memory": size.memory}
    environment = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "HEADGATE_RUN", "value": run.name},
        {"name": "FLINK_LOG_DIR", "value": "/tmp"},
        *({"name": name, "value": value} for name, value in run.pods.environment),
    ]
    if run.flink.storage.secret:
        # A path, not a secret: the credentials themselves stay in the mounted file.
        environment.append({"name": "AWS_SHARED_CREDENTIALS_FILE", "value": f"{STORAGE_FOLDER}/credentials"})
    return {
        "name": component,
        "image": run.image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": environment,
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [mount for _, mount in _volumes(run)],
    }


def _pod(run: RunSpec, component: str, container: Manifest, restart_policy: str) -> Manifest:
    spec: Manifest = {
        "serviceAccountName": run.name,
        "restartPolicy": restart_policy,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 15,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": FLINK_UID,
            "runAsGroup": FLINK_UID,
            "fsGroup": FLINK_UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [volume for volume, _ in _volumes(run)],
    }
    if run.pods.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in run.pods.pull_secrets]
    if run.pods.priority_class:
        spec["priorityClassName"] = run.pods.priority_class
    if run.pods.tolerations:
        spec["tolerations"] = list(run.pods.tolerations)
    if run.pods.node_selector:
        spec["nodeSelector"] = dict(run.pods.node_selector)
    return {"metadata": {"labels": run_labels(run, component)}, "spec": spec}


def _volumes(run: RunSpec) -> tuple[tuple[Manifest, Manifest], ...]:
    """Pairs of a volume and its mount."""
    storage = run.flink.storage
    pairs: list[tuple[Manifest, Manifest]] = [
        ({"name": "tmp", "emptyDir": {}}, {"name": "tmp", "mountPath": "/tmp"}),
        (
            {"name": "flink", "configMap": {"name": f"{run.name}-flink"}},
            {"name": "flink", "mountPath": CONFIG_FOLDER, "readOnly": True},
        ),
    ]
    if storage.claim:
        folder = "/" + storage.uri.removeprefix("file://").strip("/")
        pairs.append(
            (
                {"name": "state", "persistentVolumeClaim": {"claimName": storage.claim}},
                {"name": "state", "mountPath": folder},
            )
        )
    if storage.secret:
        pairs.append(
            (
                {"name": "storage", "secret": {"secretName": storage.secret, "defaultMode": 0o440}},
                {"name": "storage", "mountPath": STORAGE_FOLDER, "readOnly": True},
            )
        )
    for number, name in enumerate(sorted({ref.name for ref in secret_refs(run.tables)})):
        pairs.append(
            (
                {"name": f"secret-{number}", "secret": {"secretName": name, "defaultMode": 0o440}},
                {"name": f"secret-{number}", "mountPath": f"{SECRETS_FOLDER}/{name}", "readOnly": True},
            )
        )
    return tuple(pairs)
