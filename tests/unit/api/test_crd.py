"""The generated definitions: what Kubernetes asks of their schemas, and that they say what the models say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field
from typer.testing import CliRunner

from headgate.api.base import ApiModel
from headgate.api.crd import DEPLOYMENT, KINDS, Kind, render_definition, render_files
from headgate.api.introspect import model_at, objects, wire_fields
from headgate.api.reference import FILE, render_reference
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.schema import NotStructural, Schema, structural
from headgate.api.status import ModelDeploymentStatus, dump_status, parse_status
from headgate.api.validation import parse_modeldeployment
from headgate.cli.crd import app

ROOT = Path(__file__).parents[3]
FORBIDDEN = {
    "$ref",
    "$defs",
    "anyOf",
    "oneOf",
    "allOf",
    "title",
    "const",
    "examples",
    "patternProperties",
    "propertyNames",
}
MINIMAL: dict[str, Any] = {
    "metadata": {"name": "churn"},
    "spec": {
        "model": {"uri": "model.onnx", "state": [{"input": "h", "output": "hn", "shape": [1]}], "follow": {"uri": "s3://a/{version}/b"}},
        "pipeline": {
            "tables": "CREATE TABLE a (id STRING) WITH ('connector' = 'datagen')",
            "input": "SELECT id FROM a",
            "key": "id",
            "output": "INSERT INTO a SELECT id FROM scored",
        },
        "rollout": {
            "strategy": "Canary",
            "steps": [{"setWeight": 1}, {"analysis": {"metrics": [{"name": "m", "metric": "latency", "max": 1}]}}],
        },
    },
}  # fmt: skip


def root_schema(kind: Kind) -> Schema:
    """The schema of a whole object."""
    version = render_definition(kind)["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema inside a schema, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from walk(schema[name], f"{path}[]")


ALL = [pytest.param(kind, id=kind.plural) for kind in KINDS]


@pytest.mark.parametrize("kind", ALL)
def test_every_value_has_one_type_and_no_word_that_kubernetes_refuses(kind: Kind) -> None:
    for path, schema in walk(root_schema(kind)):
        assert not FORBIDDEN & schema.keys(), path
        assert "type" in schema or {key for key in schema if key.startswith("x-kubernetes-")}, path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert "null" not in str(schema.get("type")), path


@pytest.mark.parametrize("kind", ALL)
def test_everything_is_bounded_so_that_rules_stay_cheap(kind: Kind) -> None:
    for path, schema in walk(root_schema(kind)["properties"]["spec"]):
        match schema.get("type"):
            case "string":
                assert "maxLength" in schema or "enum" in schema, path
            case "array":
                assert "maxItems" in schema, path
            case "object" if "additionalProperties" in schema:
                assert "maxProperties" in schema, path


@pytest.mark.parametrize("kind", ALL)
def test_every_field_says_what_it_is(kind: Kind) -> None:
    for path, schema in walk(root_schema(kind)):
        if path and not path.endswith("[]") and not path.startswith(".metadata"):
            assert schema.get("description"), path


@pytest.mark.parametrize("kind", ALL)
def test_every_column_and_rule_points_at_a_field_that_exists(kind: Kind) -> None:
    schemas = dict(walk(root_schema(kind)))
    for column in kind.columns:
        if "?(@" not in column.path and not column.path.startswith(".metadata"):
            assert column.path in schemas
    for path, schema in schemas.items():
        for rule in schema.get("x-kubernetes-validations", []):
            assert rule.get("fieldPath", path).removeprefix(path) in {
                "",
                *(f".{name}" for name in schema.get("properties", {})),
            }


def defaulted(schema: Schema, value: Any) -> Any:
    """What the API server stores: the value with the schema's defaults filled in, as its documentation describes."""
    if isinstance(value, list):
        return [defaulted(schema["items"], one) for one in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    filled = {name: inner["default"] for name, inner in schema["properties"].items() if "default" in inner} | value
    return {name: defaulted(schema["properties"].get(name, {}), inner) for name, inner in filled.items()}


def test_the_server_fills_in_what_the_models_assume() -> None:
    stored = MINIMAL | {"spec": defaulted(structural(ModelDeploymentSpec), MINIMAL["spec"])}
    assert stored["spec"]["flink"]["jobManager"] == {"cpu": "1", "memory": "1Gi"}
    assert parse_modeldeployment(stored) == parse_modeldeployment(MINIMAL)


def test_an_object_given_in_part_keeps_the_defaults_of_the_rest() -> None:
    flink = defaulted(structural(ModelDeploymentSpec)["properties"]["flink"], {"jobManager": {"cpu": "2"}})
    assert flink["jobManager"] == {"cpu": "2", "memory": "1Gi"}
    spec = MINIMAL["spec"] | {"flink": {"jobManager": {"cpu": "2"}}}
    assert parse_modeldeployment(MINIMAL | {"spec": spec}).spec.flink.job_manager.memory == "1Gi"


def test_every_rule_of_the_models_is_in_the_definition() -> None:
    written = [
        rule["message"]
        for _, schema in walk(root_schema(DEPLOYMENT))
        for rule in schema.get("x-kubernetes-validations", [])
    ]
    models = {type(one) for _, one in objects(parse_modeldeployment(MINIMAL))}
    assert sorted(written) == sorted(rule.message for model in models for rule in model.rules())


def test_lists_of_statements_are_merged_by_their_type() -> None:
    conditions = structural(ModelDeploymentStatus)["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])
    assert {"type", "status", "reason", "lastTransitionTime"} <= set(conditions["items"]["required"])


class Union(ApiModel):
    value: int | str = 1


class Pair(ApiModel):
    value: tuple[int, str] = (1, "")


class Exclusive(ApiModel):
    value: Annotated[int, Field(gt=1)] = 2


class Anything(ApiModel):
    value: dict[str, object] = {}  # noqa: RUF012 - pydantic copies it


@pytest.mark.parametrize("model", [Union, Pair, Exclusive, Anything])
def test_a_model_without_a_structural_schema_is_refused(model: type[ApiModel]) -> None:
    with pytest.raises(NotStructural, match=model.__name__):
        structural(model)


def test_the_committed_files_are_the_generated_ones() -> None:
    for name, text in render_files().items():
        assert (ROOT / "crds" / name).read_text(encoding="utf-8") == text, "run: headgate crd generate"
        assert yaml.safe_load(text)["kind"] == "CustomResourceDefinition"
        assert len(text) < 200_000, "kubectl apply keeps a copy in an annotation of at most 256 KiB"
    assert (ROOT / "docs/reference" / FILE).read_text(encoding="utf-8") == render_reference()


def test_the_reference_names_every_field() -> None:
    page = render_reference()
    for name in wire_fields(ModelDeploymentSpec):
        model = model_at(ModelDeploymentSpec, (name,))
        assert f"| `{name}` |" in page
        assert model is None or f"## spec.{name}\n" in page


def test_check_is_content_with_what_generate_wrote_and_shows_what_differs(tmp_path: Path) -> None:
    arguments = ["--dir", str(tmp_path / "crds"), "--docs", str(tmp_path / "docs"), "--chart", str(tmp_path / "chart")]
    assert CliRunner().invoke(app, ["check", *arguments]).exit_code == 1
    assert CliRunner().invoke(app, ["generate", *arguments]).exit_code == 0
    assert CliRunner().invoke(app, ["check", *arguments]).exit_code == 0
    page = tmp_path / "docs" / FILE
    page.write_text(page.read_text(encoding="utf-8").replace("# ModelDeployment", "# Something"), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", *arguments])
    assert result.exit_code == 1
    assert "-# Something" in result.output
    assert "+# ModelDeployment" in result.output


def test_a_status_reads_what_it_writes_and_overlooks_what_it_does_not_know() -> None:
    raw = {
        "phase": "Serving",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Serving",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "new": 1,
            }
        ],
        "serving": {"revision": "churn-1", "version": "3"},
        "fromTheFuture": {"a": 1},
    }
    status = parse_status(raw)
    assert dump_status(status)["serving"]["revision"] == "churn-1"
    assert "new" not in dump_status(status)["conditions"][0]
    assert parse_status(dump_status(status)) == status
    assert parse_status({}) == ModelDeploymentStatus()
