"""What the operator does not carry out is refused with a sentence; nothing of it happens in a smaller way."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.flink import ImageSpec, StorageSpec
from headgate.api.model import FollowSpec
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.rollout import Strategy
from headgate.planning.scope import Installation
from scenarios.world.specs import version

_HERE = Installation(repository="registry.example.com/streams")


@pytest.mark.parametrize(
    ("rollout", "paths"),
    [
        pytest.param({}, [], id="an upgrade"),
        pytest.param({"strategy": Strategy.CANARY}, ["spec.rollout.strategy"], id="a canary"),
        pytest.param({"strategy": Strategy.SHADOW}, ["spec.rollout.strategy"], id="a shadow"),
    ],
)
def test_strategies(rollout: dict[str, Any], paths: list[str]) -> None:
    assert [said.split(": ")[0] for said in _HERE.problems(version("1", rollout=rollout))] == paths


def test_following_versions() -> None:
    spec = version("1")
    model = spec.model.model_copy(update={"follow": FollowSpec(uri="s3://models/churn/{version}/model.onnx")})
    said = _HERE.problems(spec.model_copy(update={"model": model}))
    assert [one.split(": ")[0] for one in said] == ["spec.model.follow"]


def _without_places() -> ModelDeploymentSpec:
    spec = version("1")
    return spec.model_copy(
        update={"image": ImageSpec(), "flink": spec.flink.model_copy(update={"storage": StorageSpec()})}
    )


def test_what_has_no_place_is_refused_by_its_field() -> None:
    nowhere = Installation()
    said = nowhere.problems(nowhere.complete(_without_places()))
    assert [one.split(": ")[0] for one in said] == ["spec.flink.storage.uri", "spec.image.repository"]


def test_an_installations_places_are_for_whoever_names_none() -> None:
    here = Installation.from_environment(
        {
            "HEADGATE_STORAGE": "s3://state/all",
            "HEADGATE_STORAGE_SECRET": "state",
            "HEADGATE_REPOSITORY": "registry.example.com/s",
        }
    )
    completed = here.complete(_without_places())
    assert (completed.flink.storage.uri, completed.flink.storage.secret) == ("s3://state/all", "state")
    assert here.problems(completed) == ()
    assert here.complete(version("1")) == version("1")
