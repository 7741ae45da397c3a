"""What every API model has in common: camelCase on the wire, unknown fields refused, values immutable."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """Base of all resource models. No field is a union: the CRD's schema must stay structural."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_enum_values=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )


Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
"""A SQL column name that needs no quoting."""

Duration = Annotated[str, StringConstraints(pattern=r"^[0-9]+(ms|s|m|h)$", max_length=16)]
"""A length of time such as ``20ms``, ``10s``, ``5m``, ``1h``; :func:`headgate.api.quantities.parse_duration` reads it."""

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGT]i?)?$", max_length=16)]
"""A Kubernetes quantity such as ``500m``, ``2``, ``1536Mi``, ``2Gi``."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{64}$")]
"""A sha256 in hex, with or without the ``sha256:`` prefix."""
