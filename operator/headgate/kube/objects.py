"""The Kubernetes objects of all runs of one ModelDeployment, sorted by run, and what their pods tell. Reads values only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.planning.observation import JobManagerState
from headgate.planning.runspec import COMPONENT_LABEL, RUN_LABEL

Manifest = dict[str, Any]

FLINKS_OWN = {"type": "flink-native-kubernetes"}
"""Label of the ConfigMaps that Flink itself makes (leader, checkpoint pointers); ``app`` names the run."""

GAVE_UP = frozenset({163, 165})
"""Exit statuses of a JobManager whose application failed or came to an unknown end: 1443 and 1445, of 256."""

_STUCK = {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}


@dataclass(frozen=True, slots=True)
class RunObjects:
    """Objects that are there; what is being deleted counts as gone, but for pods, which may still work."""

    jobs: tuple[Manifest, ...] = ()
    deployments: tuple[Manifest, ...] = ()
    services: tuple[Manifest, ...] = ()
    config_maps: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    flinks_own: tuple[Manifest, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Every run of which anything is left, in order."""
        labelled = (*self.jobs, *self.deployments, *self.services, *self.config_maps, *self.pods)
        found = {label(one, RUN_LABEL) for one in labelled} | {label(one, "app") for one in self.flinks_own}
        return tuple(sorted(name for name in found if name))

    def of(self, run: str) -> RunObjects:
        """Those of one run."""

        def mine(group: tuple[Manifest, ...], key: str = RUN_LABEL) -> tuple[Manifest, ...]:
            return tuple(one for one in group if label(one, key) == run)

        return RunObjects(
            mine(self.jobs), mine(self.deployments), mine(self.services), mine(self.config_maps), mine(self.pods),
            mine(self.flinks_own, "app"),
        )  # fmt: skip

    def data(self, name: str) -> Mapping[str, str] | None:
        """What a ConfigMap holds; None where it is not there."""
        return next((one.get("data") or {} for one in self.config_maps if one["metadata"]["name"] == name), None)

    def intact(self, run: str) -> bool:
        """Whether all is there beside the JobManager. The account is made first and the TaskManagers last, so they stand for it."""
        known = {one["metadata"]["name"] for one in (*self.deployments, *self.services, *self.config_maps)}
        return {f"{run}-tm", f"{run}-rest", f"{run}-flink", f"{run}-status"} <= known


def runs_of(deployment: str, maps: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Those of Flink's own ConfigMaps that belong to runs of ``deployment``."""
    name = re.compile(rf"{re.escape(deployment)}-r\d+")
    return tuple(one for one in maps if name.fullmatch(label(one, "app")))


def label(obj: Manifest, key: str) -> str:
    """A label's value; empty where there is none."""
    return str((obj["metadata"].get("labels") or {}).get(key, ""))


def standing(objects: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Without those that are being deleted."""
    return tuple(one for one in objects if not one["metadata"].get("deletionTimestamp"))


def conditions(obj: Manifest) -> set[str]:
    """The types of the conditions that hold."""
    return {c["type"] for c in (obj.get("status") or {}).get("conditions") or [] if c["status"] == "True"}


def job_manager_state(jobs: tuple[Manifest, ...]) -> JobManagerState:
    """What the JobManager's Job says."""
    if not jobs:
        return JobManagerState.ABSENT
    held = conditions(jobs[0])
    if held & {"Complete", "SuccessCriteriaMet"}:
        return JobManagerState.ENDED
    return JobManagerState.FAILED if "Failed" in held else JobManagerState.ACTIVE


def job_manager_restarts(objects: RunObjects) -> int:
    """How often its container was started again, in its present pod and in those that were lost."""
    lost = sum(int((job.get("status") or {}).get("failed") or 0) for job in objects.jobs)
    return lost + sum(int(status.get("restartCount", 0)) for status in _managers(objects.pods))


def gave_up(pods: tuple[Manifest, ...]) -> bool:
    """Whether the JobManager's last process ended because Flink gave the application up."""
    return any(
        int(((status.get(when) or {}).get("terminated") or {}).get("exitCode", 0)) in GAVE_UP
        for status in _managers(pods)
        for when in ("state", "lastState")
    )


def has_address(pods: tuple[Manifest, ...]) -> bool:
    """Whether the JobManager's pod runs, so that it is worth asking."""
    return any(
        label(pod, COMPONENT_LABEL) == "jobmanager" and (pod.get("status") or {}).get("phase") == "Running"
        for pod in pods
    )


def at_work(pods: tuple[Manifest, ...]) -> int:
    """Pods that have not come to their end."""
    return sum((pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"} for pod in pods)


def pod_problem(pods: tuple[Manifest, ...], deployments: tuple[Manifest, ...] = ()) -> str:
    """Why a pod cannot start or stay, in the words of its node, the scheduler or a quota; empty where nothing is wrong."""
    for pod in pods:
        status = pod.get("status") or {}
        for container in status.get("containerStatuses") or []:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _STUCK:
                return f"{waiting['reason']}: {waiting.get('message', '')}".strip(": ")
            ended = (container.get("lastState") or {}).get("terminated") or {}
            if ended.get("reason") == "OOMKilled" and not container.get("ready"):
                return f"OOMKilled: {container.get('name')} needs more memory than it was given."
        for condition in status.get("conditions") or []:
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f"{condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
    for deployment in deployments:
        for condition in (deployment.get("status") or {}).get("conditions") or []:
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                return f"{condition.get('reason', 'FailedCreate')}: {condition.get('message', '')}"
    return ""


def _managers(pods: tuple[Manifest, ...]) -> Iterable[Manifest]:
    for pod in pods:
        if label(pod, COMPONENT_LABEL) == "jobmanager":
            yield from (pod.get("status") or {}).get("containerStatuses") or []
