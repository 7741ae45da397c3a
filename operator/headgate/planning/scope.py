"""What an installation adds to a spec, and what of a valid spec this release's operator does not carry out. Pure; ``kube/observe.py`` asks.

What is not carried out is refused as a problem of the spec: a canary that quietly got the whole stream would be worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.api.flink import StorageSpec
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.rollout import Strategy


@dataclass(frozen=True, slots=True)
class Installation:
    """What holds for every resource that says nothing of its own."""

    storage: StorageSpec = field(default_factory=StorageSpec)
    """Where state is kept."""
    repository: str = ""
    """Where images go."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Installation:
        """Read ``HEADGATE_…`` variables, as the chart sets them."""
        storage = StorageSpec(
            uri=environ.get("HEADGATE_STORAGE", ""), secret=environ.get("HEADGATE_STORAGE_SECRET", "")
        )
        return cls(storage, environ.get("HEADGATE_REPOSITORY", ""))

    def complete(self, spec: ModelDeploymentSpec) -> ModelDeploymentSpec:
        """The spec with a place for its state."""
        if spec.flink.storage.uri:
            return spec
        return spec.model_copy(update={"flink": spec.flink.model_copy(update={"storage": self.storage})})

    def problems(self, spec: ModelDeploymentSpec) -> tuple[str, ...]:
        """What keeps a completed spec from being carried out, each as ``path: sentence``; empty where nothing does."""
        problems = []
        if not spec.flink.storage.uri:
            problems.append(
                "spec.flink.storage.uri: a stream on a cluster keeps its state in a directory that every pod reaches, such as "
                "s3://flink-state/churn; name one, or have the chart's storage.uri set for all"
            )
        if not spec.image.repository and not self.repository:
            problems.append(
                "spec.image.repository: the image has nowhere to go; name a repository such as registry.example.com/models/churn, or "
                "have the chart's repository set for all"
            )
        if spec.rollout.strategy is not Strategy.UPGRADE:
            problems.append(
                f"spec.rollout.strategy: this release of the operator carries out Upgrade alone, not {spec.rollout.strategy}; "
                "leave strategy and steps out"
            )
        if spec.model.follow is not None:
            problems.append(
                "spec.model.follow: this release of the operator follows no versions by itself; leave it out and change "
                "spec.model.uri"
            )
        return tuple(problems)
