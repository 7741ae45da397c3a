"""The Kubernetes objects of one build: the operator's own image runs ``headgate build`` as a Job beside the resource. Pure.

The build has the namespace's credentials and no others, and no access to the Kubernetes API. It leaves its result as the
pod's termination message; where it fails, Kubernetes takes the last lines of its log in that place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from headgate.api.resources import API_VERSION, KIND
from headgate.api.revision import ModelRevision
from headgate.planning.runspec import COMPONENT_LABEL, DEPLOYMENT_LABEL, MANAGED_BY, REVISION_LABEL, Manifest

BUILD = "build"
"""The component label of build Jobs and their pods."""

BUILDER_UID = 10001
_REPORT = "/dev/termination-log"
_RESOURCE = "/headgate/resource"
_REGISTRY = "/headgate/registry"
_MODEL = "/headgate/model"
_CA = "/headgate/ca"
_DEADLINE_S = 1800
_KEEP_S = 3600


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What an installation says about builds.

    ``image``: the operator's own image. ``base``: the runtime base, by digest. ``repository``: where images go whose resource
    names no repository; the deployment's namespace and name are put behind it. ``ca_config_map``: a bundle under ``ca.crt``.
    """

    image: str
    base: str = ""
    repository: str = ""
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ca_config_map: str = ""
    pull_secret: str = ""
    cpu: str = "1"
    memory: str = "1Gi"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> BuildSettings:
        """Read ``HEADGATE_…`` variables, as the chart sets them."""
        return cls(
            image=environ.get("HEADGATE_IMAGE", ""),
            base=environ.get("HEADGATE_BASE", ""),
            repository=environ.get("HEADGATE_REPOSITORY", ""),
            arguments=tuple(json.loads(environ.get("HEADGATE_BUILD_ARGUMENTS", "[]"))),
            environment=tuple(sorted(json.loads(environ.get("HEADGATE_BUILD_ENVIRONMENT", "{}")).items())),
            ca_config_map=environ.get("HEADGATE_CA_CONFIG_MAP", ""),
            pull_secret=environ.get("HEADGATE_BUILD_PULL_SECRET", ""),
            cpu=environ.get("HEADGATE_BUILD_CPU", "1"),
            memory=environ.get("HEADGATE_BUILD_MEMORY", "1Gi"),
        )


def build_name(revision: str) -> str:
    """The name of a revision's build Job and of its ConfigMap."""
    return f"{revision}-build"


def render_build(revision: ModelRevision, deployment: str, uid: str, settings: BuildSettings) -> tuple[Manifest, ...]:
    """The ConfigMap with the resource, and the Job."""
    name, namespace = build_name(revision.metadata.name), revision.metadata.namespace
    metadata: Manifest = {
        "name": name,
        "namespace": namespace,
        "labels": _labels(revision, deployment),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": deployment,
                "uid": uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    resource = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"resource.yaml": _resource(revision, deployment)},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            # Whether another try makes sense is the plan's to say: it knows why the build failed.
            "backoffLimit": 0,
            "activeDeadlineSeconds": _DEADLINE_S,
            "ttlSecondsAfterFinished": _KEEP_S,
            "template": {
                "metadata": {"labels": _labels(revision, deployment)},
                "spec": _pod(revision, deployment, settings),
            },
        },
    }
    return resource, job


def _labels(revision: ModelRevision, deployment: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "headgate-build",
        "app.kubernetes.io/instance": deployment,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        COMPONENT_LABEL: BUILD,
        DEPLOYMENT_LABEL: deployment,
        REVISION_LABEL: revision.metadata.name,
    }


def _resource(revision: ModelRevision, deployment: str) -> str:
    template = revision.spec.template.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    resource = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": deployment, "namespace": revision.metadata.namespace},
        "spec": template,
    }
    return yaml.safe_dump(resource, sort_keys=False)


def _pod(revision: ModelRevision, deployment: str, settings: BuildSettings) -> dict[str, Any]:
    template = revision.spec.template
    volumes: list[tuple[Manifest, Manifest]] = [
        ({"name": "tmp", "emptyDir": {}}, {"name": "tmp", "mountPath": "/tmp"}),
        (
            {"name": "resource", "configMap": {"name": build_name(revision.metadata.name)}},
            {"name": "resource", "mountPath": _RESOURCE, "readOnly": True},
        ),
    ]
    repository = (
        template.image.repository or f"{settings.repository.rstrip('/')}/{revision.metadata.namespace}/{deployment}"
    )
    arguments = [
        "build", f"{_RESOURCE}/resource.yaml", "--push", repository,
        "--revision", revision.metadata.name, "--report", _REPORT, *settings.arguments,
    ]  # fmt: skip
    if not template.image.base:
        arguments += ["--base", settings.base]
    for secret, folder, flag, file in (
        (template.image.pull_secret, _REGISTRY, "--auth-file", "/.dockerconfigjson"),
        (template.model.secret, _MODEL, "--credentials", ""),
    ):
        if secret:
            volumes.append(_secret(flag.strip("-"), secret, folder))
            arguments += [flag, f"{folder}{file}"]
    environment = [{"name": n, "value": v} for n, v in (("HOME", "/tmp"), ("USER", "headgate"), *settings.environment)]
    if settings.ca_config_map:
        mount = {"name": "ca", "mountPath": _CA, "readOnly": True}
        volumes.append(({"name": "ca", "configMap": {"name": settings.ca_config_map}}, mount))
        arguments += ["--ca-file", f"{_CA}/ca.crt"]
        environment.append({"name": "SSL_CERT_FILE", "value": f"{_CA}/ca.crt"})
    size = {"cpu": settings.cpu, "memory": settings.memory}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": BUILDER_UID,
            "runAsGroup": BUILDER_UID,
            "fsGroup": BUILDER_UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "build",
                "image": settings.image,
                "args": arguments,
                "command": ["headgate"],
                "env": environment,
                "resources": {"requests": size, "limits": size},
                "terminationMessagePath": _REPORT,
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [mount for _, mount in volumes],
            }
        ],
        "volumes": [volume for volume, _ in volumes],
    }
    if settings.pull_secret:
        pod["imagePullSecrets"] = [{"name": settings.pull_secret}]
    return pod


def _secret(name: str, secret: str, folder: str) -> tuple[Manifest, Manifest]:
    volume = {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}
    return volume, {"name": name, "mountPath": folder, "readOnly": True}
