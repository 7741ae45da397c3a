"""Gathers the world of one ModelDeployment into an observation. Reads only; judges nothing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from headgate.api.resources import API_VERSION, KIND, ModelDeploymentSpec
from headgate.api.revision import REVISION_KIND, ModelRevision
from headgate.api.status import parse_status
from headgate.api.validation import parse_modeldeployment
from headgate.errors import InvalidResource
from headgate.kube.client import Kube
from headgate.kube.runs import OpenFlink, RunObjects, label, observe_run, pod_problem
from headgate.planning.buildjob import BUILD
from headgate.planning.draft import read_stamp
from headgate.planning.manifests import COMPONENT_LABEL, DEPLOYMENT_LABEL, REVISION_LABEL
from headgate.planning.observation import BuildResult, BuildState, Observation, ObservedBuild

Manifest = dict[str, Any]


class Observer:
    """Reads through ``kube`` and, where a run answers, through Flink's REST API."""

    def __init__(self, kube: Kube, open_flink: OpenFlink, builders: int) -> None:
        self.kube, self.open_flink, self.builders = kube, open_flink, builders

    def observe(self, namespace: str, name: str, now: datetime) -> Observation | None:
        """The world as it stands; None where the object is gone."""
        obj = self.kube.get(API_VERSION, KIND, namespace, name)
        if obj is None:
            return None
        metadata = obj["metadata"]
        status = parse_status(obj.get("status") or {})
        spec, problems = _spec(obj)
        mine = {DEPLOYMENT_LABEL: name}
        jobs = self.kube.list("batch/v1", "Job", namespace, mine)
        pods = self.kube.list("v1", "Pod", namespace, mine)
        objects = RunObjects(
            tuple(j for j in jobs if label(j, COMPONENT_LABEL) != BUILD),
            self.kube.list("apps/v1", "Deployment", namespace, mine),
            self.kube.list("v1", "ConfigMap", namespace, mine),
            pods,
        )
        hand_over, request = status.hand_over, status.savepoint_request
        asked = ("", "")
        if hand_over is not None:
            asked = hand_over.from_run, hand_over.trigger
        elif request is not None:
            asked = request.run, request.trigger
        return Observation(
            now=now,
            name=name,
            namespace=namespace,
            uid=metadata["uid"],
            generation=int(metadata.get("generation", 0)),
            deleting=read_stamp(metadata["deletionTimestamp"]) if metadata.get("deletionTimestamp") else None,
            finalizers=tuple(metadata.get("finalizers") or ()),
            annotations=tuple(sorted((metadata.get("annotations") or {}).items())),
            spec=spec,
            problems=problems,
            status=status,
            revisions=self._revisions(namespace, name),
            builds=tuple(_build(j, pods, self.kube) for j in jobs if label(j, COMPONENT_LABEL) == BUILD),
            runs=tuple(
                observe_run(run, objects, namespace, self.open_flink, asked[1] if asked[0] == run else "")
                for run in objects.names()
            ),
            free_builders=self._free_builders(),
        )

    def _revisions(self, namespace: str, name: str) -> tuple[ModelRevision, ...]:
        found = self.kube.list(API_VERSION, REVISION_KIND, namespace, {DEPLOYMENT_LABEL: name})
        return tuple(sorted((ModelRevision.model_validate(r) for r in found), key=lambda r: r.spec.number))

    def _free_builders(self) -> int:
        jobs = self.kube.list("batch/v1", "Job", None, {COMPONENT_LABEL: BUILD})
        return self.builders - sum(1 for j in jobs if (j.get("status") or {}).get("active"))


def _spec(obj: Manifest) -> tuple[ModelDeploymentSpec | None, tuple[str, ...]]:
    try:
        return parse_modeldeployment({k: v for k, v in obj.items() if k != "status"}).spec, ()
    except InvalidResource as error:
        return None, error.problems


def _build(job: Manifest, pods: tuple[Manifest, ...], kube: Kube) -> ObservedBuild:
    revision = label(job, REVISION_LABEL)
    conditions = {c["type"] for c in (job.get("status") or {}).get("conditions") or [] if c["status"] == "True"}
    mine = tuple(p for p in pods if label(p, REVISION_LABEL) == revision and label(p, COMPONENT_LABEL) == BUILD)
    said = _termination(mine)
    if "Complete" in conditions:
        result = _result(said)
        if result is not None:
            return ObservedBuild(revision, BuildState.SUCCEEDED, result)
        return ObservedBuild(
            revision, BuildState.FAILED, reason="BuildFailed", message="The build ended without naming an image."
        )
    if "Failed" in conditions:
        message = said or _last_lines(mine, kube) or "The build failed without a word."
        return ObservedBuild(revision, BuildState.FAILED, reason="BuildFailed", message=message)
    if (job.get("status") or {}).get("ready"):
        return ObservedBuild(revision, BuildState.RUNNING)
    return ObservedBuild(revision, BuildState.WAITING, message=pod_problem(mine))


def _termination(pods: tuple[Manifest, ...]) -> str:
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or []:
            ended = (container.get("state") or {}).get("terminated") or {}
            if ended.get("message"):
                return str(ended["message"]).strip()
    return ""


def _last_lines(pods: tuple[Manifest, ...], kube: Kube) -> str:
    for pod in pods:
        text = kube.logs(pod["metadata"]["namespace"], pod["metadata"]["name"], 5).strip()
        if text:
            return text
    return ""


def _result(text: str) -> BuildResult | None:
    try:
        raw = json.loads(text)
        return BuildResult(raw["image"], raw["version"], raw["modelDigest"], raw.get("lockDigest", ""))
    except (ValueError, KeyError, TypeError):
        return None
