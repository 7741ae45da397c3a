"""``--set field=value``."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from headgate.api.validation import parse_modeldeployment
from headgate.cli.overrides import OverrideRefused, apply_overrides
from unit.local.kit import RESOURCE


def resource() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(RESOURCE)
    raw["spec"]["model"]["state"] = [{"input": "h", "output": "hn", "shape": [1, 2]}]
    return raw


def at(raw: dict[str, Any], path: str) -> Any:
    value: Any = raw
    for part in path.split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        pytest.param("spec.model.version=3", "spec/model/version", "3", id="a text field stays text"),
        pytest.param("model.version=true", "spec/model/version", "true", id="spec may be left out"),
        pytest.param("model.uri=a=b.onnx", "spec/model/uri", "a=b.onnx", id="a value may hold an equals sign"),
        pytest.param("flink.parallelism=4", "spec/flink/parallelism", 4, id="a number is read as YAML"),
        pytest.param("suspend=true", "spec/suspend", True, id="a boolean is read as YAML"),
        pytest.param("model.nan=DeadLetter", "spec/model/nan", "DeadLetter", id="a word of a closed set"),
        pytest.param(
            "model.inputs.x=[c, b, a]", "spec/model/inputs/x", ["c", "b", "a"], id="a list of columns as YAML"
        ),
        pytest.param("model.constants.sr=16000", "spec/model/constants/sr", 16000, id="a constant is a value"),
        pytest.param(
            "flink.config.table.exec.state.ttl=1 d",
            "spec/flink/config/table.exec.state.ttl",
            "1 d",
            id="the key of a map may have dots",
        ),
        pytest.param("model.state.0.init=0.5", "spec/model/state/0/init", 0.5, id="an entry of a list by its position"),
        pytest.param("metadata.name=other", "metadata/name", "other", id="metadata"),
        pytest.param("model.execution.maxDelay=5ms", "spec/model/execution/maxDelay", "5ms", id="a part not there yet"),
    ],
)
def test_a_field_is_set(assignment: str, path: str, value: object) -> None:
    assert at(apply_overrides(resource(), [assignment]), path) == value


def test_the_original_is_left_alone_and_the_last_assignment_wins() -> None:
    raw = resource()
    changed = apply_overrides(raw, ["model.version=2", "model.version=3"])
    assert (raw["spec"]["model"]["version"], changed["spec"]["model"]["version"]) == ("1", "3")


def test_the_result_is_validated_like_a_file() -> None:
    raw: dict[str, Any] = yaml.safe_load(RESOURCE)
    deployment = parse_modeldeployment(apply_overrides(raw, ["flink.parallelism=2", "flink.checkpointInterval=1m"]))
    assert (deployment.spec.flink.parallelism, deployment.spec.flink.checkpoint_interval) == (2, "1m")


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        pytest.param(
            "model.verison=3", 'spec.model has no field "verison"; did you mean "version"?', id="a misspelt field"
        ),
        pytest.param("flink.max_delay=3", 'spec.flink has no field "max_delay"', id="nothing is near"),
        pytest.param("version", "write it as field=value, such as spec.model.version=3.", id="no value"),
        pytest.param("=3", "write it as field=value", id="no field"),
        pytest.param(
            "model.state.7.init=0", "spec.model.state has 1 entries, counted from 0; there is no 7.", id="no entry"
        ),
        pytest.param("model.uri.x=0", "spec.model.uri has no fields.", id="a field of a text"),
        pytest.param("flink.parallelism=[1", "the value cannot be read: ", id="broken YAML"),
    ],
)
def test_what_cannot_be_set_is_told(assignment: str, told: str) -> None:
    with pytest.raises(OverrideRefused) as caught:
        apply_overrides(resource(), [assignment])
    assert str(caught.value).startswith(f"--set {assignment}: ")
    assert told in str(caught.value)
