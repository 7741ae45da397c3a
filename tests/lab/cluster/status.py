"""Says how the cluster is, in words: which part is down and what it said last, which node or pod is unwell and why."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from lab.build import binary_path
from lab.cluster import cgroups, daemons
from lab.cluster.layout import API, KAFKA, KUBECONFIG, LOGS, REGISTRY, S3
from lab.processes import last_lines

_EXPECTED = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns",
    "metrics-server", "containerd-1", "kubelet-1", "registry", "versitygw", "kafka",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """Lines for a person, and whether all is well."""

    lines: tuple[str, ...]
    well: bool


def report() -> Report:
    """The state of every part, of the nodes, and of pods that are neither running nor done."""
    noted = daemons.noted()
    if not noted:
        leftover = cgroups.processes()
        words = f"but processes of it are left: {sorted(leftover)}; run: make lab-stop" if leftover else ""
        return Report((f"the lab is not running {words}".strip(),), well=False)
    lines, well = [], True
    for name in sorted({*noted, *_EXPECTED}, key=lambda one: (one not in _EXPECTED, one)):
        found = daemons.find(name)
        if found is not None:
            lines.append(f"{name:<26} running, process {found.pid}")
        else:
            well = False
            said = last_lines(daemons.log_of(name), 1).splitlines()[-1][:200]
            lines.append(f"{name:<26} DOWN; last words: {said}")
    problems = (
        _kubernetes_problems() if daemons.find("kube-apiserver") else ("the API server is down, so no more is known",)
    )
    well = well and not problems
    lines += problems or ("every node is Ready, every pod runs or is done",)
    lines += (f"kubeconfig {KUBECONFIG}   API {API}", f"registry {REGISTRY}   S3 {S3}   Kafka {KAFKA}", f"logs {LOGS}")
    return Report(tuple(lines), well)


def _kubernetes_problems() -> tuple[str, ...]:
    asked = subprocess.run(
        [binary_path("kubectl"), f"--kubeconfig={KUBECONFIG}", "--request-timeout=10s", "get", "nodes,pods", "-A", "-o", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if asked.returncode != 0:
        return (f"the API server does not answer: {asked.stderr.strip()[-300:]}",)
    items = json.loads(asked.stdout)["items"]
    found = [problem for item in items if (problem := (_node if item["kind"] == "Node" else _pod)(item))]
    return tuple(found) if any(item["kind"] == "Node" for item in items) else ("no node has registered yet", *found)


def _node(item: dict[str, Any]) -> str:
    ready = next((one for one in item["status"].get("conditions", ()) if one["type"] == "Ready"), None)
    if ready is not None and ready["status"] == "True":
        return ""
    return f"node {item['metadata']['name']} is not Ready: {ready['message'] if ready else 'it has said nothing yet'}"


def _pod(item: dict[str, Any]) -> str:
    status = item["status"]
    waiting = [
        f"{state['waiting']['reason']} {state['waiting'].get('message', '')}".strip()
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
        if "waiting" in (state := container["state"])
    ]
    if status["phase"] in ("Succeeded", "Running") and not waiting:
        return ""
    unscheduled = [one["message"] for one in status.get("conditions", ()) if one.get("reason") == "Unschedulable"]
    why = "; ".join((*waiting, *unscheduled)) or status.get("message", "")
    name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
    return f"pod {name} is {status['phase']}: {why}".rstrip(": ")
