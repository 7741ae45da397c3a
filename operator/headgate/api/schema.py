"""Turns the pydantic models into the structural schemas that Kubernetes asks of a CustomResourceDefinition.

A structural schema has no references, no unions and no ``null``, and gives each value one type. Whatever pydantic says
beyond that is either said in the API server's words (a default, a bound, a CEL rule) or left out; what can be neither
raises, so that a model which cannot be a CRD is found when it is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headgate.api.base import ApiModel

Schema = dict[str, Any]

_KEPT = (
    "type",
    "format",
    "description",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
)
_DROPPED = ("title", "$defs", "examples", "propertyNames", "default", "required", "additionalProperties")


class NotStructural(TypeError):
    """A model that has no structural schema; a mistake in this package, never in a resource."""


def structural(model: type[ApiModel]) -> Schema:
    """The structural schema of a model, as nested plain dicts.

    Raises:
        NotStructural: a field is a union, a fixed-length tuple, a free-form object, or uses a keyword unknown here.
    """
    raw = model.model_json_schema(by_alias=True, mode="validation")
    return _convert(raw, raw.get("$defs", {}), model.__name__)


def _convert(raw: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    given = _resolve(raw, definitions, where)
    schema: Schema = {key: given[key] for key in _KEPT if key in given}
    if "const" in given:
        schema["enum"] = [given["const"]]
    if "description" in schema:
        schema["description"] = describe(given)
    extensions = {key: value for key, value in given.items() if key.startswith("x-kubernetes-")}
    unknown = given.keys() - set(_KEPT) - set(_DROPPED) - extensions.keys() - {"const", "properties", "items"}
    if unknown - {"patternProperties"}:
        raise NotStructural(f"{where}: no structural schema has {', '.join(sorted(unknown))}")
    if "type" not in given and not extensions:
        raise NotStructural(f"{where}: has no type")
    default = _default(given)
    if default is not None:
        schema["default"] = default
    if "items" in given:
        schema["items"] = _convert(given["items"], definitions, f"{where}[]")
    if given.get("type") == "object":
        schema.update(_object(given, definitions, where))
    return schema | extensions


def _object(given: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    if "properties" in given:
        properties = {
            name: _convert(inner, definitions, f"{where}.{name}") for name, inner in given["properties"].items()
        }
        return {"properties": properties} | ({"required": given["required"]} if given.get("required") else {})
    patterns = list(given.get("patternProperties", {}).values())
    values = given.get("additionalProperties", patterns[0] if len(patterns) == 1 else None)
    if not isinstance(values, Mapping):
        raise NotStructural(f"{where}: is an object without properties")
    return {"additionalProperties": _convert(values, definitions, f"{where}{{}}")}


def _resolve(raw: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    """``raw`` without references and without the ``null`` of an optional field; what stands beside them wins."""
    given = dict(raw)
    while True:
        if "$ref" in given:
            name = given.pop("$ref").rsplit("/", 1)[-1]
            given = {**definitions[name], **given}
        elif "anyOf" in given or "allOf" in given or "oneOf" in given:
            keyword = next(key for key in ("anyOf", "allOf", "oneOf") if key in given)
            members = [one for one in given.pop(keyword) if one.get("type") != "null"]
            if len(members) != 1:
                raise NotStructural(f"{where}: is a union of {len(members)} types")
            given = {**members[0], **given}
        else:
            return given


def _default(given: Mapping[str, Any]) -> object:
    """The default that the API server fills in; None where leaving the field out means the same.

    An object's default is ``{}``: the defaults of its own fields then follow, as they do when it is given in part.
    """
    default = given.get("default")
    if isinstance(default, Mapping) and "properties" in given:
        return {} if _has_content(default) else None
    return default if default not in ("", [], {}, None) else None


def _has_content(default: Mapping[str, Any]) -> bool:
    return any(
        _has_content(value) if isinstance(value, Mapping) else value not in ("", [], None) for value in default.values()
    )


def describe(given: Mapping[str, Any]) -> str:
    """A field's docstring as one paragraph of plain text, with its first example."""
    text = " ".join(str(given["description"]).split()).replace("``", "`")
    if examples := given.get("examples"):
        example = examples[0] if isinstance(examples[0], str) else json.dumps(examples[0], ensure_ascii=False)
        text += f" Example: `{example}`"
    return text
