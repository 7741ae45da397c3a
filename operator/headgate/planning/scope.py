"""What a valid spec may ask for and this release's operator does not carry out. Pure; ``kube/observe.py`` asks.

It is refused as a problem of the spec: a canary that quietly got the whole stream would be worse than none.
"""

from __future__ import annotations

from headgate.api.resources import ModelDeploymentSpec
from headgate.api.rollout import Strategy


def beyond_this_release(spec: ModelDeploymentSpec) -> tuple[str, ...]:
    """Each as ``path: sentence``, like the problems of validation; empty where all is carried out."""
    problems = []
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
