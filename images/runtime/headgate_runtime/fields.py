"""Reads the fields of a JSON object one by one, each with its type; what is wrong is told with the field's path.

Used by :mod:`headgate_runtime.contract` alone; knows nothing of what the fields mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a JSON document. ``where``: its path with a closing dot, empty for the document itself.

    Every method raises ``ValueError`` with the field's path where it is missing or of another type.
    """

    raw: Mapping[str, Any]
    where: str = ""

    def _get(self, name: str) -> Any:
        if name not in self.raw:
            raise ValueError(f"field {self.where}{name} is missing")
        return self.raw[name]

    def _wrong(self, name: str, wanted: str, value: Any) -> ValueError:
        return ValueError(f"field {self.where}{name} is {value!r}, not {wanted}")

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self._wrong(name, "a list of texts", value)
        return tuple(value)

    def number(self, name: str, *, least: float = -math.inf) -> float:
        """A finite or infinite number that is at least ``least``."""
        value = self._get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= least:
            raise self._wrong(name, "a number" if least == -math.inf else f"a number from {least:g}", value)
        return float(value)

    def whole(self, name: str, *, least: int = 0) -> int:
        """A whole number that is at least ``least``."""
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(name, f"a whole number from {least}", value)
        return value

    def wholes(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers from 1, such as a shape."""
        value = self._get(name)
        if not isinstance(value, list) or not all(type(v) is int and v > 0 for v in value):
            raise self._wrong(name, "a list of whole numbers from 1", value)
        return tuple(value)

    def choice(self, name: str, meaning: Mapping[str, T]) -> T:
        """One of the keys of ``meaning``, as what it means."""
        value = self._get(name)
        if value not in tuple(meaning):
            raise self._wrong(name, f"one of {', '.join(meaning)}", value)
        return meaning[value]

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object whose field names are data."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object", value)
        return value

    def fields(self, name: str) -> Fields:
        """An object of the document."""
        return Fields(self.mapping(name), f"{self.where}{name}.")

    def objects(self, name: str) -> tuple[Fields, ...]:
        """A list of objects."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self._wrong(name, "a list of objects", value)
        return tuple(Fields(v, f"{self.where}{name}[{at}].") for at, v in enumerate(value))
