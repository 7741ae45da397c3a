"""The lab's cluster for the end-to-end tests: kubectl, waiting for a condition, and what to say when it does not come."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from headgate.flink.rest import FlinkRest
from lab.build import binary_path
from lab.cluster.layout import KUBECONFIG, Node
from lab.places import LAB_FOLDER

Manifest = Mapping[str, Any]
Found = TypeVar("Found")
_BETWEEN_QUESTIONS_S = 0.2
_NEVER = threading.Event()


def run_lab(*arguments: str, seconds: float = 3600) -> str:
    """What ``python -m lab`` printed, run as people run it; its complaint fails the test."""
    environment = os.environ | {"PYTHONPATH": str(LAB_FOLDER.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        capture_output=True, text=True, env=environment, check=False, timeout=seconds,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask_kubectl(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What became of one call."""
    command = [str(binary_path("kubectl")), f"--kubeconfig={KUBECONFIG}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)


def kubectl(*arguments: str, stdin: str = "") -> str:
    """What kubectl printed; its complaint fails the test."""
    done = ask_kubectl(*arguments, stdin=stdin)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def apply(*objects: Manifest) -> None:
    """Server-side, all fields known: a misspelt one is refused."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=listed)


def read(namespace: str, kind: str, name: str) -> dict[str, Any] | None:
    """The object, or None where there is none."""
    done = ask_kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def listed(namespace: str, kind: str, selector: str = "") -> tuple[dict[str, Any], ...]:
    """Objects of a kind that carry the labels."""
    return tuple(json.loads(kubectl("-n", namespace, "get", kind, "-l", selector, "-o", "json"))["items"])


def flink_of(namespace: str, run: str) -> FlinkRest:
    """A run's REST API, by its Service's address."""
    service = read(namespace, "service", f"{run}-rest")
    assert service is not None
    return FlinkRest(f"http://{service['spec']['clusterIP']}:8081", timeout_s=10)


def delete(namespace: str, objects: Iterable[Manifest]) -> None:
    """Without waiting for it; what is gone already is no complaint."""
    wanted = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    kubectl("-n", namespace, "delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=wanted)


@contextmanager
def watching(namespace: str, kind: str, name: str, field: str, seconds: float) -> Iterator[Iterator[str]]:
    """The values of an object's field (a JSONPath) as they come, each once it is there; ends after so many seconds."""
    command = [
        str(binary_path("kubectl")), f"--kubeconfig={KUBECONFIG}", "-n", namespace, "get", kind, name, "--watch", "-o",
        f'jsonpath={field}{{"\\n"}}',
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        end = threading.Timer(seconds, process.kill)
        end.start()
        try:
            yield (line.strip() for line in process.stdout)
        finally:
            end.cancel()
            process.kill()


def eventually(
    what: str, ask: Callable[[], Found | None], seconds: float, explain: Callable[[], str] = lambda: ""
) -> Found:
    """The first answer of ``ask`` that is neither None nor false; fails with what ``explain`` says when none comes."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s\n{explain()}"
        _NEVER.wait(_BETWEEN_QUESTIONS_S)
    return found


def tell_pods(namespace: str, selector: str, lines: int = 40) -> str:
    """Pods, their latest events, what their logs complain of and how they end: what a person would look at first."""
    told = [ask_kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "wide").stdout]
    told.append(ask_kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp").stdout[-3000:])
    for pod in listed(namespace, "pods", selector):
        name = pod["metadata"]["name"]
        for previous in ("--previous=true", "--previous=false"):
            log = ask_kubectl("-n", namespace, "logs", name, "--tail=5000", previous).stdout.splitlines()
            told += [f"--- {name} {previous}", *_complaints(log)[-2 * lines :], "...", *log[-lines:]] if log else []
    return "\n".join(told)


def _complaints(log: Iterable[str]) -> list[str]:
    """Lines that a main() wrote, warnings and worse with their traces; Flink's own frames are left out."""
    return [line for line in log if " INFO " not in line and not line.lstrip().startswith(("at ", "..."))]


def kill_container(pod: Manifest) -> None:
    """SIGKILL for the processes of a pod's one container, as the kernel would when memory runs out."""
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    node = next(Node(number) for number in (1, 2, 3) if Node(number).name == pod["spec"]["nodeName"])
    command = [str(binary_path("ctr")), "--address", str(node.socket), "--namespace", "k8s.io"]
    subprocess.run([*command, "tasks", "kill", "--signal", "SIGKILL", "--all", container], check=True, timeout=60)
