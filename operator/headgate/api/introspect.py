"""Answers questions about the resource models themselves: which fields there are, and what lies at a path.

Called by validation (nearest known field, rules of each object), by :mod:`headgate.api.change` and by the generators.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from headgate.api.base import ApiModel
from headgate.api.problems import Path


def wire_fields(model: type[ApiModel]) -> Mapping[str, FieldInfo]:
    """The model's fields by the name that they have on the wire, in their order."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def unwrap(annotation: Any) -> Any:
    """The annotation without ``Annotated`` and without ``None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            inner = [one for one in get_args(annotation) if one is not type(None)]
            if len(inner) != 1:
                return annotation
            annotation = inner[0]
        else:
            return annotation


def as_model(annotation: Any) -> type[ApiModel] | None:
    """The resource model that an annotation names, or None."""
    plain = unwrap(annotation)
    return plain if isinstance(plain, type) and issubclass(plain, ApiModel) else None


def element(annotation: Any) -> Any:
    """What a tuple or a dict holds; None for anything else."""
    plain = unwrap(annotation)
    arguments = get_args(plain)
    match get_origin(plain):
        case origin if origin is tuple:
            return arguments[0]
        case origin if origin is dict:
            return arguments[1]
        case _:
            return None


def model_at(root: type[ApiModel], path: Path) -> type[ApiModel] | None:
    """The model of the object at ``path`` below ``root``; None where no object can be."""
    annotation: Any = root
    for part in path:
        model = as_model(annotation)
        if model is None:
            annotation = element(annotation)
        else:
            field = wire_fields(model).get(str(part))
            if field is None:
                return None
            annotation = field.annotation
        if annotation is None:
            return None
    return as_model(annotation)


def all_fields(root: type[ApiModel], path: Path = ()) -> Iterator[Path]:
    """The path of every field below ``root``, lists and maps aside."""
    for wire, field in wire_fields(root).items():
        yield (*path, wire)
        model = as_model(field.annotation)
        if model is not None:
            yield from all_fields(model, (*path, wire))


def objects(value: object, path: Path = ()) -> Iterator[tuple[Path, ApiModel]]:
    """Every object inside a parsed resource, itself first, with its path."""
    if isinstance(value, ApiModel):
        yield path, value
        for wire, name in ((field.alias or name, name) for name, field in type(value).model_fields.items()):
            yield from objects(getattr(value, name), (*path, wire))
    elif isinstance(value, tuple):
        for position, one in enumerate(value):
            yield from objects(one, (*path, position))
