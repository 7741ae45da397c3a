"""The cluster does what its page promises: pods, names, volumes, a second node, mending, and going without a trace.

Needs root and this machine's lab for itself: it is stopped first, and stopped at the end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.build import binary_path
from lab.cluster import cgroups, daemons
from lab.cluster.layout import CGROUP, KUBECONFIG, REGISTRY, TENANTS
from lab.cluster.status import report
from lab.places import LAB_FOLDER
from lab.tiny_image import push, tiny_image
from lab.traces import Traces, traces

_PATIENCE = 90


def lab(*arguments: str) -> None:
    """Runs ``python -m lab``, as people do; its complaint fails the test."""
    environment = os.environ | {"PYTHONPATH": str(LAB_FOLDER.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def ask_kubectl(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What became of one call."""
    command = [str(binary_path("kubectl")), f"--kubeconfig={KUBECONFIG}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def kubectl(*arguments: str, stdin: str = "") -> str:
    """What kubectl printed; its complaint fails the test."""
    done = ask_kubectl(*arguments, stdin=stdin)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def apply(*objects: dict[str, Any]) -> None:
    kubectl(
        "apply", "--server-side", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )


def eventually(what: str, holds: Callable[[], bool], seconds: float = _PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} does not hold after {seconds} s: {report().lines}"
        signal.sigtimedwait([], 0.3)


@pytest.fixture(scope="module")
def before() -> Iterator[Traces]:
    """The machine without the lab; the lab is stopped again at the end, whatever happened."""
    if os.geteuid() != 0:
        pytest.skip("the cluster needs root")
    lab("down")
    yield traces()
    lab("down")


@pytest.fixture(scope="module")
def image(before: Traces) -> str:
    """The probe's image, in the registry of a fresh lab."""
    lab("up", "--fresh")
    return push(tiny_image("probe", binary_path("probe").read_bytes()), REGISTRY, "lab/probe")


def pod(name: str, image: str, *arguments: str, node: str = "", **extra: object) -> dict[str, Any]:
    """A pod that serves its name on port 8080 unless told otherwise, and passes the restricted standard."""
    container = {
        "name": "probe", "image": image, "args": list(arguments or ("serve", "8080")),
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }  # fmt: skip
    spec: dict[str, object] = {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never", "containers": [container]}
    spec |= extra
    spec |= {"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def say_in(pod_name: str, *arguments: str) -> str:
    """What the probe said inside a pod; empty when it failed."""
    return ask_kubectl("exec", pod_name, "--", "/probe", *arguments).stdout.strip()


def test_a_second_start_changes_nothing(image: str) -> None:
    running = {name: daemons.find(name) for name in daemons.noted()}
    assert len(running) == 12
    lab("up")
    assert {name: daemons.find(name) for name in daemons.noted()} == running
    assert report().well, report().lines


def test_pods_reach_one_another_by_service_name_and_the_labs_servers_by_address(image: str) -> None:
    apply(pod("web", image), service("web"), pod("asker", image))
    kubectl("wait", "--for=condition=Ready", "pod/web", "pod/asker", f"--timeout={_PATIENCE}s")
    eventually("the answer by name", lambda: say_in("asker", "get", "http://web/") == "200 web")
    eventually(
        "a pod's answer to itself", lambda: say_in("web", "get", "http://web.default.svc.cluster.local/") == "200 web"
    )
    assert say_in("asker", "get", f"http://{REGISTRY}/v2/") == "200 {}"
    assert "serve" not in kubectl("logs", "web")


def test_what_a_pod_uses_is_measured(image: str) -> None:
    apply(pod("measured", image))

    def used() -> list[str]:
        return ask_kubectl("top", "pod", "measured", "--no-headers").stdout.split()

    eventually("metrics of the pod", lambda: used() != [])
    name, processor, memory = used()
    assert (name, processor.endswith("m"), memory.endswith("Mi")) == ("measured", True, True)
    assert int(memory.removesuffix("Mi")) > 0


def test_a_claim_takes_a_volume_and_keeps_a_file_for_the_next_pod(image: str) -> None:
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "state"},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "lab", "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip
    volumes = [{"name": "state", "persistentVolumeClaim": {"claimName": "state"}}]
    inside = {"volumeMounts": [{"name": "state", "mountPath": "/state"}]}
    apply(claim)
    for name, arguments in (("writer", ("keep", "/state/file", "kept")), ("reader", ("show", "/state/file"))):
        one = pod(name, image, *arguments, volumes=volumes)
        one["spec"]["containers"][0] |= inside
        apply(one)
        kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", f"--timeout={_PATIENCE}s")
    assert kubectl("logs", "reader").strip() == "kept"


def test_a_tenants_namespace_takes_restricted_pods_only(image: str) -> None:
    for tenant in TENANTS:
        kubectl("-n", tenant, "create", "-f", "-", "--dry-run=server", stdin=json.dumps(pod("fine", image)))
        bold = json.dumps(pod("bold", image, hostNetwork=True))
        refused = ask_kubectl("-n", tenant, "create", "-f", "-", "--dry-run=server", stdin=bold)
        assert "violates PodSecurity" in refused.stderr


def test_a_second_node_joins_is_killed_and_comes_back(image: str) -> None:
    lab("up", "--nodes", "2")
    apply(pod("web", image), service("web"), pod("far", image, node="lab-2"))
    kubectl("wait", "--for=condition=Ready", "pod/far", "pod/web", f"--timeout={_PATIENCE}s")
    eventually("the answer across nodes", lambda: say_in("far", "get", "http://web/") == "200 web")
    lab("kill", "2")
    assert any("kubelet-2" in line and "DOWN" in line for line in report().lines)
    eventually("the dead node is noticed", lambda: any("node lab-2 is not Ready" in line for line in report().lines))
    kubectl("delete", "pod", "far", "--force", "--grace-period=0")
    lab("up", "--nodes", "2")
    eventually("all is well again", lambda: report().well)


def test_after_everything_was_killed_it_says_so_and_starts_again(image: str) -> None:
    for pid in cgroups.processes(CGROUP):
        os.kill(pid, signal.SIGKILL)
    eventually("nothing runs", lambda: not cgroups.processes(CGROUP))
    told = report()
    assert not told.well
    assert sum("DOWN; last words" in line for line in told.lines) >= 12
    lab("up")
    eventually(
        "all parts of one node run", lambda: all(daemons.find(name) for name in daemons.noted() if "2" not in name)
    )
    apply(pod("again", image))
    kubectl("wait", "--for=condition=Ready", "pod/again", f"--timeout={_PATIENCE}s")


def test_a_stop_leaves_no_trace(before: Traces, image: str) -> None:
    lab("down")
    assert traces() == before
    assert report().lines == ("the lab is not running",)
