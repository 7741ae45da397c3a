"""What the commands that look at a cluster share: which one, which object, and how an object that is not there is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from headgate.api.resources import API_VERSION, KIND
from headgate.api.revision import REVISION_KIND, ModelRevision
from headgate.errors import HeadgateError
from headgate.kube.client import Kube, Manifest
from headgate.kube.contexts import open_context
from headgate.planning.runspec import DEPLOYMENT_LABEL

Name = Annotated[str, typer.Argument(metavar="NAME", help="The ModelDeployment.")]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Its namespace. Default: the context's.")]
Kubeconfig = Annotated[str, typer.Option("--kubeconfig", metavar="FILE", help="Default: $KUBECONFIG, ~/.kube/config.")]
Context = Annotated[str, typer.Option("--context", help="The kubeconfig's context. Default: the current one.")]


class NotFound(HeadgateError):
    """There is no such object."""

    reason = "NotFound"


@dataclass(frozen=True, slots=True)
class Target:
    """One ModelDeployment of a cluster."""

    kube: Kube
    namespace: str
    name: str

    @classmethod
    def find(cls, name: str, namespace: str, kubeconfig: str, context: str) -> Target:
        """The object that a command line means; it may not be there."""
        kube, default = open_context(kubeconfig or None, context or None)
        return cls(kube, namespace or default, name)

    def read(self) -> Manifest:
        """The object as it stands; raises :class:`NotFound` with those that there are."""
        found = self.kube.get(API_VERSION, KIND, self.namespace, self.name)
        if found is None:
            others = sorted(one["metadata"]["name"] for one in self.kube.list(API_VERSION, KIND, self.namespace, {}))
            there = f"There are: {', '.join(others)}." if others else "There is none."
            raise NotFound(f"There is no ModelDeployment {self.name} in namespace {self.namespace}. {there}")
        return found

    def revisions(self) -> tuple[ModelRevision, ...]:
        """Its revisions, by number."""
        found = self.kube.list(API_VERSION, REVISION_KIND, self.namespace, {DEPLOYMENT_LABEL: self.name})
        return tuple(sorted((ModelRevision.model_validate(one) for one in found), key=lambda one: one.spec.number))

    def change(self, patch: dict[str, Any]) -> None:
        """Merge ``patch`` into the object; raises :class:`NotFound` where it is gone."""
        if self.kube.merge(API_VERSION, KIND, self.namespace, self.name, patch) is None:
            raise NotFound(f"ModelDeployment {self.name} in namespace {self.namespace} is gone.")
