"""``--set field=value``: changes a resource before it is validated.

Called by ``run`` and ``explain``. Fields are written as in the file, with dots (``spec.`` may be left out); a value is
read as YAML unless the field is a text. It knows the resource's fields only to find out what a value should be and what
an unknown name may have meant; whether the result makes sense is validation's to say.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from headgate.api.introspect import as_model, element, unwrap, wire_fields
from headgate.api.names import did_you_mean, listing
from headgate.api.resources import ModelDeployment
from headgate.errors import HeadgateError


class OverrideRefused(HeadgateError):
    """A ``--set`` that names no field, or whose value cannot be read."""

    reason = "OverrideRefused"


def apply_overrides(raw: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of ``raw`` with every ``field=value`` set, in order.

    Raises :class:`OverrideRefused` for an unknown field (with the nearest known one) or an unreadable value.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(raw))
    for assignment in assignments:
        field, equals, text = assignment.partition("=")
        if not equals or not field:
            raise OverrideRefused(f"--set {assignment}: write it as field=value, such as spec.model.version=3.")
        _put(changed, _path(field), text, assignment)
    return changed


def _path(field: str) -> list[str]:
    parts = field.split(".")
    return parts if parts[0] in wire_fields(ModelDeployment) else ["spec", *parts]


def _put(resource: dict[str, Any], path: list[str], text: str, assignment: str) -> None:
    place: Any = resource
    annotation: Any = ModelDeployment
    walked: list[str] = []
    while True:
        model = as_model(annotation)
        part, rest = path[0], path[1:]
        if model is not None:
            fields = wire_fields(model)
            if part not in fields:
                where = ".".join(walked) or "the resource"
                hint = did_you_mean(part, fields)
                known = "" if hint else f"; there are {listing(fields, limit=20)}."
                raise OverrideRefused(f'--set {assignment}: {where} has no field "{part}"{hint}{known}')
            annotation = fields[part].annotation
        elif isinstance(place, list):
            annotation = element(annotation)
            if not part.isdigit() or int(part) >= len(place):
                raise OverrideRefused(
                    f"--set {assignment}: {'.'.join(walked)} has {len(place)} entries, counted from 0; there is no {part}."
                )
        elif unwrap(annotation) is not str and element(annotation) is not None:
            # The keys of a map may have dots themselves: what is left of the path is one key.
            annotation, part, rest = element(annotation), ".".join(path), []
        else:
            raise OverrideRefused(f"--set {assignment}: {'.'.join(walked)} has no fields.")
        walked.append(part)
        key: Any = int(part) if isinstance(place, list) else part
        if not rest:
            place[key] = _value(text, annotation, assignment)
            return
        present = place[key] if isinstance(place, list) else place.get(key)
        if not isinstance(present, dict | list):
            place[key] = present = {}
        place, path = present, rest


def _value(text: str, annotation: Any, assignment: str) -> Any:
    wanted = unwrap(annotation)
    if isinstance(wanted, type) and issubclass(wanted, str):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise OverrideRefused(f"--set {assignment}: the value cannot be read: {problem}.") from error
