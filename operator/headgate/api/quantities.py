"""Reads durations and Kubernetes quantities. Pure; called by validation and by whoever renders manifests or job.json.

Only the forms that :data:`headgate.api.base.Duration` and :data:`headgate.api.base.Quantity` admit are read, so a value
of a validated resource never raises here.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_DURATION = re.compile(r"^([0-9]+)(ms|s|m|h)$", re.ASCII)
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|[kMGT]|[KMGT]i)?$", re.ASCII)
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_FACTORS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
}


def parse_duration(text: str) -> int:
    """Milliseconds of a duration such as ``20ms``, ``10s``, ``5m``, ``1h``.

    Raises:
        ValueError: the text is not a whole number followed by ``ms``, ``s``, ``m`` or ``h``.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not a duration; write a whole number and ms, s, m or h, such as 500ms or 10s')
    return int(found[1]) * _MILLISECONDS[found[2]]


def format_duration(milliseconds: int) -> str:
    """The shortest exact duration text: the largest unit that divides ``milliseconds`` (never negative)."""
    for unit in ("h", "m", "s"):
        size = _MILLISECONDS[unit]
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def parse_quantity(text: str) -> Decimal:
    """The exact number of a Kubernetes quantity: cores for cpu, bytes for memory.

    Raises:
        ValueError: the text is not a number with an optional unit (``m``, ``k``, ``M``, ``G``, ``T``, ``Ki`` … ``Ti``).
    """
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not a quantity; write a number with an optional unit, such as 500m, 2 or 1536Mi')
    return Decimal(found[1]) * _FACTORS[found[2] or ""]


def parse_bytes(text: str) -> int:
    """Whole bytes of a quantity, rounded up.

    Raises:
        ValueError: see :func:`parse_quantity`.
    """
    return int(parse_quantity(text).to_integral_value(rounding=ROUND_CEILING))
