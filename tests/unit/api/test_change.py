"""What a changed field asks for, and that the worst of all changes wins."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.base import Change
from headgate.api.change import ChangedField, change_kind, changed_fields
from headgate.api.resources import Metadata, ModelDeploymentSpec

SPEC: dict[str, Any] = {
    "model": {"uri": "model.onnx"},
    "pipeline": {"tables": "a", "input": "b", "key": "id", "output": "c"},
}


def spec(**changes: Any) -> ModelDeploymentSpec:
    """A spec with some sections replaced."""
    return ModelDeploymentSpec.model_validate(SPEC | changes)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({}, None, id="no change asks for nothing"),
        pytest.param({"flink": {"parallelism": 1}}, None, id="a default written out is no change"),
        pytest.param({"rollout": {"paused": True}}, Change.IGNORE, id="a rollout's settings leave the run alone"),
        pytest.param({"suspend": True}, Change.IGNORE, id="suspending is no new revision"),
        pytest.param(
            {"model": {"uri": "model.onnx", "sizeLimit": "1Gi"}}, Change.IGNORE, id="a limit is no part of the image"
        ),
        pytest.param(
            {"model": {"uri": "model.onnx", "goldens": {"uri": "g"}}}, Change.REBUILD, id="goldens are in the image"
        ),
        pytest.param({"flink": {"parallelism": 4}}, Change.SCALE, id="parallelism rescales"),
        pytest.param({"flink": {"config": {"a": "b"}}}, Change.UPGRADE, id="an option of Flink needs a new run"),
        pytest.param({"flink": {"taskManager": {"cpu": "2"}}}, Change.UPGRADE, id="resources need a new run"),
        pytest.param({"image": {"pullSecret": "x"}}, Change.UPGRADE, id="a pull secret needs a new run"),
        pytest.param({"image": {"repository": "r.example.com/x"}}, Change.REBUILD, id="a repository needs a new image"),
        pytest.param({"model": {"uri": "other.onnx"}}, Change.REBUILD, id="a model needs a new image"),
        pytest.param(
            {"flink": {"parallelism": 4}, "model": {"uri": "b"}}, Change.REBUILD, id="a new image outweighs a rescale"
        ),
        pytest.param(
            {"flink": {"parallelism": 4, "config": {"a": "b"}}, "suspend": True},
            Change.UPGRADE,
            id="the worst change wins",
        ),
    ],
)
def test_a_change_asks_for(changes: dict[str, Any], kind: Change | None) -> None:
    assert change_kind(spec(), spec(**changes)) is kind
    assert change_kind(spec(**changes), spec()) is kind


def test_every_changed_field_is_named() -> None:
    new = spec(flink={"parallelism": 4, "storage": {"uri": "s3://a/b"}}, model={"uri": "model.onnx", "state": [
        {"input": "h", "output": "hn", "shape": [1]}]})  # fmt: skip
    assert changed_fields(spec(), new) == (
        ChangedField(("model", "state"), Change.REBUILD),
        ChangedField(("flink", "parallelism"), Change.SCALE),
        ChangedField(("flink", "storage", "uri"), Change.UPGRADE),
    )


def test_things_of_two_kinds_are_not_compared() -> None:
    with pytest.raises(TypeError, match="cannot compare"):
        change_kind(spec(), Metadata(name="x"))
