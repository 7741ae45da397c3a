"""What the operator does not carry out is refused with a sentence; nothing of it happens in a smaller way."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.model import FollowSpec
from headgate.api.rollout import Strategy
from headgate.planning.scope import beyond_this_release
from scenarios.world.specs import version


@pytest.mark.parametrize(
    ("rollout", "paths"),
    [
        pytest.param({}, [], id="an upgrade"),
        pytest.param({"strategy": Strategy.CANARY}, ["spec.rollout.strategy"], id="a canary"),
        pytest.param({"strategy": Strategy.SHADOW}, ["spec.rollout.strategy"], id="a shadow"),
    ],
)
def test_strategies(rollout: dict[str, Any], paths: list[str]) -> None:
    assert [said.split(": ")[0] for said in beyond_this_release(version("1", rollout=rollout))] == paths


def test_following_versions() -> None:
    spec = version("1")
    model = spec.model.model_copy(update={"follow": FollowSpec(uri="s3://models/churn/{version}/model.onnx")})
    said = beyond_this_release(spec.model_copy(update={"model": model}))
    assert [one.split(": ")[0] for one in said] == ["spec.model.follow"]
