"""The chart as a person installs it on the lab: one release in a namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from e2e.cluster import kubectl
from lab.build import binary_path
from lab.cluster.layout import KUBECONFIG, PORTS, REGISTRY
from lab.places import REPOSITORY

RELEASE = "headgate"
RELEASE_NAMESPACE = "headgate-system"
CHART = REPOSITORY / "charts" / "headgate"
_CRDS = ("modeldeployments.headgate.dev", "modelrevisions.headgate.dev")


def helm(*arguments: str, values: dict[str, Any] | None = None) -> str:
    """What helm printed; its complaint fails the test."""
    command = [str(binary_path("helm")), "--kubeconfig", str(KUBECONFIG), "--namespace", RELEASE_NAMESPACE, *arguments]
    if values is not None:
        command += ["--values", "-"]
    done = subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, check=False, timeout=300, env=os.environ | {"HOME": "/tmp"}
    )  # fmt: skip
    assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def values(image: str, base: str) -> dict[str, Any]:
    """What the lab needs said: where images are, and that its registry has no certificate."""
    repository, _, digest = image.partition("@")
    return {
        "image": {"repository": repository, "digest": digest},
        "base": base,
        "repository": f"{REGISTRY}/streams",
        "builds": {
            "arguments": ["--plain-http", "--allow-private", REGISTRY],
            "resources": {"cpu": "200m", "memory": "1Gi"},
        },
        "networkPolicy": {"apiServerPorts": [443, PORTS["apiserver"]]},
    }


def install(image: str, base: str) -> str:
    """Install or upgrade, and wait until the operator is ready; gives the notes."""
    return helm(
        "upgrade", "--install", RELEASE, str(CHART), "--create-namespace", "--wait", "--timeout", "180s", values=values(image, base)
    )  # fmt: skip


def change(**values: Any) -> None:
    """Upgrade the release that is there with some values changed, and wait until its operator is ready."""
    sets = [argument for name, value in values.items() for argument in ("--set", f"{name.replace('__', '.')}={value}")]
    helm("upgrade", RELEASE, str(CHART), "--reuse-values", *sets, "--wait", "--timeout", "180s")


def roll_back() -> None:
    """To the release before."""
    helm("rollback", RELEASE, "--wait", "--timeout", "180s")


def uninstall() -> None:
    """Take the release away and then the CRDs, which it leaves; nothing else of it stays."""
    helm("uninstall", RELEASE, "--wait")
    left = kubectl(
        "get",
        "all,configmaps,serviceaccounts,networkpolicies",
        "-l",
        f"app.kubernetes.io/instance={RELEASE}",
        "-o",
        "name",
    )
    roles = kubectl(
        "get", "clusterroles,clusterrolebindings", "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name"
    )
    assert (left + roles).split() == []
    kubectl("get", "crd", *_CRDS)
    kubectl("delete", "crd", *_CRDS, "--ignore-not-found", "--timeout=60s")
    kubectl("delete", "namespace", RELEASE_NAMESPACE, "--ignore-not-found", "--timeout=60s")
