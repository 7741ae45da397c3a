"""What every API model has in common: camelCase on the wire, unknown fields refused, values immutable.

The scalar types below are the vocabulary of all resources. Each has a pattern and a length, because the API server
refuses CEL rules over unbounded text. No field is a union: the CRD's schema must stay structural.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel


class Change(StrEnum):
    """What a change of a field asks for, from least to most. Put on a field as ``Annotated[..., Change.SCALE]``.

    A field without a mark takes its parent's; the spec's own is ``REBUILD``.
    """

    IGNORE = "Ignore"
    """Nothing that runs changes."""
    SCALE = "Scale"
    """The run goes on with another parallelism."""
    UPGRADE = "Upgrade"
    """A new run of the same image takes over."""
    REBUILD = "Rebuild"
    """A new image, then a new run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold inside one object: said once for the API server (CEL) and once for Python.

    ``cel`` sees the object as ``self``; ``holds`` gets the parsed model of the same object. ``field`` is the field
    (wire name) that a person would change, or empty for the object itself.
    """

    cel: str
    holds: Callable[[Any], bool]
    message: str
    field: str = ""


def _add_rules(schema: dict[str, Any], model: type[Any]) -> None:
    """Puts a model's rules into its JSON schema, in the API server's words."""
    rules = model.rules()
    if rules:
        schema["x-kubernetes-validations"] = [
            {"rule": rule.cel, "message": rule.message} | ({"fieldPath": f".{rule.field}"} if rule.field else {})
            for rule in rules
        ]


class ApiModel(BaseModel):
    """Base of all resource models."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_enum_values=False,
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
        json_schema_extra=_add_rules,
    )

    @classmethod
    def rules(cls) -> tuple[Rule, ...]:
        """What must hold between this object's fields; part of the CRD and of :mod:`headgate.api.validation`."""
        return ()


def _integer_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|[kMGT]|[KMGT]i)?$"

Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
"""A SQL column name that needs no quoting."""

Duration = Annotated[str, StringConstraints(pattern=r"^[0-9]+(ms|s|m|h)$", max_length=16)]
"""A length of time such as ``20ms``, ``10s``, ``5m``, ``1h``, read by
:func:`headgate.api.quantities.parse_duration`."""

Quantity = Annotated[
    str,
    BeforeValidator(_integer_as_text),
    StringConstraints(pattern=_QUANTITY, max_length=16),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": _QUANTITY, "maxLength": 16}),
]
"""A Kubernetes quantity such as ``500m``, ``2``, ``1536Mi``, ``2Gi``; :func:`headgate.api.quantities.parse_quantity`
reads it. On the wire a whole number need not be quoted."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$", max_length=71)]
"""A sha256 in hex, with or without the ``sha256:`` prefix."""

SecretName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
"""The name of a Secret or claim of the same namespace; empty for none."""

Constant = Annotated[JsonValue, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True})]
"""A number, a boolean, a text, or nested lists of one of these."""
