"""Turns pydantic's errors into sentences that name what is there and what would do. Pure; called by validation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from headgate.api.base import ApiModel
from headgate.api.introspect import all_fields, model_at, wire_fields
from headgate.api.names import did_you_mean, listing, nearest
from headgate.api.problems import Path, Problem, format_path, unique
from headgate.api.resources import MAX_NAME

_PATTERNS = (
    (r"^[A-Za-z_][A-Za-z0-9_]*$", "a column name: letters, digits and _, no digit first"),
    (r"^[0-9]+(ms|s|m|h)$", "a duration: a whole number and ms, s, m or h, such as 500ms or 10s"),
    ("[KMGT]i", "a quantity such as 500m, 2, 1536Mi or 2Gi"),
    ("[0-9a-f]{64}", "a sha256: 64 hexadecimal digits, with or without sha256: before them"),
    (r"^[a-z]([-a-z0-9]*", "lower-case letters, digits and -, a letter first and no - at the end"),
    ("[-A-Za-z0-9_.]*", "letters, digits and - _ . between them (it also becomes a Kubernetes label)"),
    ("[-a-z0-9.]*", "the name of a Kubernetes object: lower-case letters, digits, - and ."),
    ("ExecutionProvider", "an onnxruntime execution provider, such as CPUExecutionProvider"),
)
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "finite_number": "a finite number",
}


def translate_all(errors: Iterable[Mapping[str, Any]], root: type[ApiModel]) -> tuple[Problem, ...]:
    """``ValidationError.errors()`` as problems. A list that is too short because its items were refused is not told."""
    entries = [(tuple(error["loc"]), error) for error in errors]
    return unique(
        translate(error, root)
        for location, error in entries
        if error["type"] != "too_short" or not any(other[: len(location)] == location != other for other, _ in entries)
    )


def translate(error: Mapping[str, Any], root: type[ApiModel]) -> Problem:
    """One entry of ``ValidationError.errors()`` as a problem; ``root`` is the model that was validated."""
    location: Path = tuple(error["loc"])
    if location and location[-1] == "[key]":
        return Problem(location[:-1], f"the name {_because(error, 'the name')}")
    if error["type"] == "extra_forbidden":
        return Problem(location, _unknown(location, root))
    if error["type"] == "missing":
        return Problem(location, "is missing")
    return Problem(location, _because(error, "the value"))


def _because(error: Mapping[str, Any], what: str) -> str:
    kind, context, given = error["type"], error.get("ctx", {}), error.get("input")
    if wanted := _WANTED.get(kind):
        return f"must be {wanted}, not {_shown(given)}{_quoting_hint(kind, given)}"
    match kind:
        case "string_pattern_mismatch":
            form = next((form for part, form in _PATTERNS if part in context["pattern"]), f"like {context['pattern']}")
            return f"{_shown(given)} is not {form}" if what == "the value" else f"must be {form}"
        case "string_too_long" if error["loc"] == ("metadata", "name"):
            return (
                f"is {len(str(given))} characters long; {MAX_NAME} are allowed, "
                "because the names of the objects made for it are longer and Kubernetes allows 63"
            )
        case "string_too_long":
            return f"is {len(str(given))} characters long; {context['max_length']} are allowed"
        case "string_too_short":
            return "must not be empty"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}, not {_shown(given)}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}, not {_shown(given)}"
        case "too_short":
            return f"needs at least {context['min_length']}, has {context['actual_length']}"
        case "too_long":
            return f"may have at most {context['max_length']}, has {_size(given, context)}"
        case "enum" | "literal_error":
            return _choice(str(context["expected"]), given)
        case _:
            return f"{error['msg'][0].lower()}{error['msg'][1:]}"


def _choice(expected: str, given: object) -> str:
    choices = [one.strip().strip("'") for one in expected.replace(" or ", ",").split(",")]
    known = listing(choices)
    one_of = "one of " if len(choices) > 1 else ""
    hint = did_you_mean(given, choices) if isinstance(given, str) and len(choices) > 1 else ""
    return f"must be {one_of}{known}, not {_shown(given)}{hint}"


def _size(given: object, context: Mapping[str, Any]) -> object:
    return len(given) if isinstance(given, list | tuple | dict) else context["actual_length"]


def _shown(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case str() if len(value) > 60:
            return f'"{value[:57]}…"'
        case str():
            return f'"{value}"'
        case _:
            return json.dumps(value, default=str)


def _quoting_hint(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'; write "{_shown(value)}" in quotes'
    return ""


def _unknown(location: Path, root: type[ApiModel]) -> str:
    name = str(location[-1])
    model = model_at(root, location[:-1])
    known = list(wire_fields(model)) if model is not None else []
    if hint := did_you_mean(name, known):
        return f"there is no such field{hint}"
    places: dict[str, list[Path]] = {}
    for path in all_fields(root):
        places.setdefault(str(path[-1]), []).append(path)
    elsewhere = places.get(nearest(name, places) or "", [])
    if len(elsewhere) == 1:
        return f"there is no such field here; did you mean {format_path(elsewhere[0])}?"
    return f"there is no such field; known here: {listing(known)}" if known else "there is no such field"
