"""Gathers the world of one ModelDeployment into an observation. Reads only; judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from headgate.api.resources import API_VERSION, KIND, ModelDeploymentSpec
from headgate.api.revision import REVISION_KIND, ModelRevision
from headgate.api.status import ModelDeploymentStatus, parse_status
from headgate.api.validation import parse_modeldeployment
from headgate.errors import InvalidResource
from headgate.kube.builds import observe_build
from headgate.kube.client import Kube
from headgate.kube.errors import ObjectUnreadable
from headgate.kube.objects import FLINKS_OWN, RunObjects, conditions, label, runs_of, standing
from headgate.kube.runs import OpenFlink, observe_run
from headgate.planning.buildjob import BUILD
from headgate.planning.draft import read_stamp
from headgate.planning.observation import Observation
from headgate.planning.runspec import COMPONENT_LABEL, DEPLOYMENT_LABEL
from headgate.planning.scope import Installation

Manifest = dict[str, Any]


class Observer:
    """Reads through ``kube`` and, where a run answers, through Flink's REST API.

    ``namespaces``: those that are looked after, which may share no more than ``builders`` builds; none: all of the cluster's.
    """

    def __init__(
        self,
        kube: Kube,
        open_flink: OpenFlink,
        builders: int,
        installation: Installation,
        namespaces: Sequence[str] = (),
    ) -> None:
        self.kube, self.open_flink, self.builders = kube, open_flink, builders
        self.installation, self.namespaces = installation, tuple(namespaces)

    def observe(self, namespace: str, name: str, now: datetime) -> Observation | None:
        """The world as it stands; None where the object is gone."""
        obj = self.kube.get(API_VERSION, KIND, namespace, name)
        if obj is None:
            return None
        metadata = obj["metadata"]
        status = _status(obj)
        spec, problems = _spec(obj, self.installation)
        revisions = self._revisions(namespace, name)
        mine = {DEPLOYMENT_LABEL: name}
        jobs = standing(self.kube.list("batch/v1", "Job", namespace, mine))
        pods = self.kube.list("v1", "Pod", namespace, mine)
        builds = tuple(pod for pod in pods if label(pod, COMPONENT_LABEL) == BUILD)
        objects = RunObjects(
            jobs=tuple(job for job in jobs if label(job, COMPONENT_LABEL) != BUILD),
            deployments=standing(self.kube.list("apps/v1", "Deployment", namespace, mine)),
            services=standing(self.kube.list("v1", "Service", namespace, mine)),
            config_maps=standing(self.kube.list("v1", "ConfigMap", namespace, mine)),
            pods=tuple(pod for pod in pods if label(pod, COMPONENT_LABEL) != BUILD),
            flinks_own=runs_of(name, self.kube.list("v1", "ConfigMap", namespace, FLINKS_OWN)),
        )
        run, trigger = _asked(status)
        return Observation(
            now=now,
            name=name,
            namespace=namespace,
            uid=metadata["uid"],
            resource_version=str(metadata.get("resourceVersion", "")),
            generation=int(metadata.get("generation", 0)),
            deleting=read_stamp(metadata["deletionTimestamp"]) if metadata.get("deletionTimestamp") else None,
            finalizers=tuple(metadata.get("finalizers") or ()),
            annotations=tuple(sorted((metadata.get("annotations") or {}).items())),
            spec=spec,
            problems=problems,
            status=status,
            revisions=revisions,
            builds=tuple(
                observe_build(job, builds, self.kube.logs) for job in jobs if label(job, COMPONENT_LABEL) == BUILD
            ),
            runs=tuple(
                observe_run(one, objects, namespace, self.open_flink, trigger if run == one else "")
                for one in objects.names()
            ),
            free_builders=self.builders if all(one.status.image for one in revisions) else self.free_builders(),
        )

    def _revisions(self, namespace: str, name: str) -> tuple[ModelRevision, ...]:
        found = self.kube.list(API_VERSION, REVISION_KIND, namespace, {DEPLOYMENT_LABEL: name})
        try:
            revisions = [ModelRevision.model_validate(one) for one in found]
        except ValidationError as error:
            raise _unreadable(f"A ModelRevision of {namespace}/{name}", error) from error
        return tuple(sorted(revisions, key=lambda one: one.spec.number))

    def free_builders(self) -> int:
        """How many builds may be begun; a Job counts from its creation to its end."""
        places: tuple[str | None, ...] = self.namespaces or (None,)
        jobs = [j for place in places for j in self.kube.list("batch/v1", "Job", place, {COMPONENT_LABEL: BUILD})]
        return self.builders - sum(1 for job in standing(jobs) if not conditions(job) & {"Complete", "Failed"})


def _asked(status: ModelDeploymentStatus) -> tuple[str, str]:
    """The run that the status says was asked for a savepoint, and under which id."""
    if status.hand_over is not None:
        return status.hand_over.from_run, status.hand_over.trigger
    if status.savepoint_request is not None:
        return status.savepoint_request.run, status.savepoint_request.trigger
    return "", ""


def _status(obj: Manifest) -> ModelDeploymentStatus:
    try:
        return parse_status(obj.get("status") or {})
    except ValidationError as error:
        metadata = obj["metadata"]
        raise _unreadable(f"The status of {metadata.get('namespace', '')}/{metadata['name']}", error) from error


def _spec(obj: Manifest, installation: Installation) -> tuple[ModelDeploymentSpec | None, tuple[str, ...]]:
    try:
        spec = installation.complete(parse_modeldeployment({k: v for k, v in obj.items() if k != "status"}).spec)
    except InvalidResource as error:
        return None, error.problems
    problems = installation.problems(spec)
    return (None, problems) if problems else (spec, ())


def _unreadable(what: str, error: ValidationError) -> ObjectUnreadable:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return ObjectUnreadable(
        f"{what} cannot be read: {where}: {first['msg']}. It was written by a newer release, or by somebody else; nothing is touched."
    )
