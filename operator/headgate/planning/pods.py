"""The pods of a run: their one container, their security, and what is mounted where. Pure; ``manifests.py`` puts them into objects."""

from __future__ import annotations

from headgate.api.secrets import secret_refs
from headgate.planning.runspec import Manifest, RunSpec, run_labels

FLINK_UID = 9999
FLINK_HOME = "/opt/flink"
CONFIG_FOLDER = f"{FLINK_HOME}/conf"
SECRETS_FOLDER = "/opt/headgate/secrets"
STORAGE_FOLDER = "/opt/headgate/storage"


def render_container(run: RunSpec, component: str, command: list[str], ports: dict[str, int]) -> Manifest:
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


def render_pod(run: RunSpec, component: str, container: Manifest, restart_policy: str) -> Manifest:
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
