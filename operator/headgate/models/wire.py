"""A look at the outermost protobuf fields of a file, to tell an ONNX model from a cut one and from something else.

The parser itself only says "error"; this says where the file ends and what was announced. Called by the reader before
it parses. It trusts no length: each is compared with the bytes that are there. Field numbers are those of
``ModelProto`` in onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_FIELDS = {
    1: _VARINT,
    2: _BYTES,
    3: _BYTES,
    4: _BYTES,
    5: _VARINT,
    6: _BYTES,
    7: _BYTES,
    8: _BYTES,
    14: _BYTES,
    20: _BYTES,
    25: _BYTES,
    26: _BYTES,
}
_NAMES = {7: "graph", 8: "opset_import", 14: "metadata_props", 20: "training_info", 25: "functions"}
_GRAPH = 7


class Outline(StrEnum):
    """What the outermost fields look like."""

    MODEL = "Model"
    """Known fields from the first byte to the last, a graph among them."""
    HEADLESS = "NoGraph"
    """Known fields only, and no graph."""
    CUT = "Cut"
    """Known fields, and the last one needs bytes that are not there."""
    FOREIGN = "Foreign"
    """Not the fields of an ONNX model."""


@dataclass(frozen=True, slots=True)
class Scan:
    """``detail`` is a clause for a message: where the file ends and what was announced."""

    outline: Outline
    detail: str = ""


def scan_fields(data: bytes) -> Scan:
    """Classify ``data`` by its outermost fields; takes time by their number, not by the file's size."""
    position = 0
    seen: set[int] = set()
    while position < len(data):
        tag, after = _varint(data, position)
        if tag is None:
            return (
                _ended(seen, f"it ends inside a field's tag, after {len(data):,} bytes")
                if after
                else Scan(Outline.FOREIGN)
            )
        number, kind = tag >> 3, tag & 7
        if not _belongs(number, kind, seen):
            return Scan(Outline.FOREIGN)
        value, start = _varint(data, after) if kind in (_VARINT, _BYTES) else (8 if kind == _FIXED64 else 4, after)
        if value is None:
            return (
                _ended(seen, f"it ends inside field {number}, after {len(data):,} bytes")
                if start
                else Scan(Outline.FOREIGN)
            )
        end = start if kind == _VARINT else start + value
        if end > len(data):
            name = _NAMES.get(number, f"field {number}")
            return _ended(
                seen | {number}, f"its {name} should be {value:,} bytes long, and {len(data) - start:,} follow"
            )
        seen.add(number)
        position = end
    return Scan(Outline.MODEL if _GRAPH in seen else Outline.HEADLESS)


def _belongs(number: int, kind: int, seen: set[int]) -> bool:
    """Whether a field can stand here: a known one with its wire type, or, behind a graph, one of a later format
    version."""
    if number in _MODEL_FIELDS:
        return kind == _MODEL_FIELDS[number]
    return _GRAPH in seen and 0 < number < 1000 and kind in (_VARINT, _FIXED64, _BYTES, _FIXED32)


def _ended(seen: set[int], detail: str) -> Scan:
    """A short file is a cut model only if something of a model came before the cut."""
    return Scan(Outline.CUT if seen else Outline.FOREIGN, detail)


def _varint(data: bytes, position: int) -> tuple[int | None, int]:
    """The number at ``position`` and the place after it; ``(None, 1)`` where the data ends, ``(None, 0)`` where it is
    none."""
    value = 0
    for length in range(10):
        if position + length >= len(data):
            return None, 1
        byte = data[position + length]
        value |= (byte & 0x7F) << (7 * length)
        if byte < 0x80:
            return value, position + length + 1
    return None, 0
