"""All that a run is made of, and the labels by which its objects are found. Pure values; ``manifests.py`` makes objects of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from headgate.api.flink import FlinkSpec

Manifest = dict[str, Any]

DEPLOYMENT_LABEL = "headgate.dev/deployment"
REVISION_LABEL = "headgate.dev/revision"
RUN_LABEL = "headgate.dev/run"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY = "headgate"


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that a run's objects belong to."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What an installation adds to every pod."""

    pull_secrets: tuple[str, ...] = ()
    priority_class: str = ""
    tolerations: tuple[dict[str, Any], ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    network_policy: bool = True

    @classmethod
    def from_text(cls, text: str) -> PodSettings:
        """Read the JSON object that the chart makes of ``runs``."""
        raw = json.loads(text or "{}")
        return cls(
            pull_secrets=tuple(raw.get("pullSecrets") or ()),
            priority_class=raw.get("priorityClassName") or "",
            tolerations=tuple(raw.get("tolerations") or ()),
            node_selector=tuple(sorted((raw.get("nodeSelector") or {}).items())),
            environment=tuple(sorted((raw.get("environment") or {}).items())),
            network_policy=bool(raw.get("networkPolicy", True)),
        )

    def over(self, own: PodSettings) -> PodSettings:
        """These with a run's own ones, which come first."""
        return PodSettings(
            pull_secrets=tuple(dict.fromkeys((*own.pull_secrets, *self.pull_secrets))),
            priority_class=own.priority_class or self.priority_class,
            tolerations=(*own.tolerations, *self.tolerations),
            node_selector=own.node_selector or self.node_selector,
            environment=(*own.environment, *self.environment),
            network_policy=own.network_policy and self.network_policy,
        )


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that a run's objects are made of. ``image`` is always by digest; ``folder`` is where the run's data lies, and no
    other run's."""

    name: str
    namespace: str
    deployment: str
    revision: str
    image: str
    flink: FlinkSpec
    folder: str
    tables: str = ""
    owner: Owner | None = None
    pods: PodSettings = field(default_factory=PodSettings)


def run_labels(run: RunSpec, component: str = "") -> dict[str, str]:
    """The labels of a run's objects."""
    labels = {
        "app.kubernetes.io/name": "headgate-run",
        "app.kubernetes.io/instance": run.deployment,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        DEPLOYMENT_LABEL: run.deployment,
        REVISION_LABEL: run.revision,
        RUN_LABEL: run.name,
    }
    return labels | ({COMPONENT_LABEL: component} if component else {})
