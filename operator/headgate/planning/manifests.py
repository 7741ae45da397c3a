"""The Kubernetes objects of one run: a Flink application cluster of its own. Pure.

A run is made of two ConfigMaps (Flink's configuration; the status that main() reports), a Service for Flink's REST API, a
NetworkPolicy that lets only the operator reach it, a ServiceAccount whose Role is ConfigMaps alone, the JobManager as a Job (one
that ended well must never start again) and the TaskManagers as a Deployment. *Go* is a third ConfigMap, made when the run may
start. Names follow from the run's name, and every object belongs to the owner that is given, so that nothing is left when that goes.
"""

from __future__ import annotations

from headgate.api.flink import FlinkSpec
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
from headgate.planning.pods import FLINK_HOME, render_container, render_pod
from headgate.planning.runspec import COMPONENT_LABEL, RUN_LABEL, Manifest, RunSpec, run_labels


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
    container = render_container(run, "jobmanager", command, ports)
    container["readinessProbe"] = {"httpGet": {"path": "/config", "port": "rest"}, "periodSeconds": 2}
    container["startupProbe"] = {"tcpSocket": {"port": "rpc"}, "periodSeconds": 2, "failureThreshold": 90}
    container["livenessProbe"] = {"tcpSocket": {"port": "rpc"}, "periodSeconds": 20, "failureThreshold": 6}
    spec = {
        # The JobManager comes back after every crash; it is the operator that gives a run up.
        "backoffLimit": 1_000_000,
        "template": render_pod(run, "jobmanager", container, "OnFailure"),
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
    container = render_container(run, "taskmanager", command, {"metrics": METRICS_PORT})
    spec = {
        "replicas": task_manager_count(run.flink),
        "selector": {"matchLabels": {RUN_LABEL: run.name, COMPONENT_LABEL: "taskmanager"}},
        "template": render_pod(run, "taskmanager", container, "Always"),
    }
    return _object(run, "apps/v1", "Deployment", f"{run.name}-tm") | {"spec": spec}
