"""Says what a changed spec asks for. Pure; called by the controller's plan, by ``headgate`` and by the reference page.

Every field carries its :class:`~headgate.api.base.Change` or takes its parent's; the worst of the changed fields wins.
Lists and maps are compared as wholes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from headgate.api.base import ApiModel, Change
from headgate.api.introspect import as_model
from headgate.api.problems import Path

_ORDER = tuple(Change)


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field that differs and what that asks for; the path begins at the compared objects."""

    path: Path
    kind: Change


def change_kind(old: ApiModel, new: ApiModel) -> Change | None:
    """The most that any changed field asks for; None when nothing differs. Both must be of one class."""
    return max((field.kind for field in changed_fields(old, new)), key=_ORDER.index, default=None)


def changed_fields(old: ApiModel, new: ApiModel) -> tuple[ChangedField, ...]:
    """Every field that differs, in the models' order. Both must be of one class."""
    return tuple(_compare(old, new, (), Change.REBUILD))


def change_of(field: FieldInfo, inherited: Change) -> Change:
    """What a change of a field asks for, given what its parent's asks for."""
    return next((mark for mark in field.metadata if isinstance(mark, Change)), inherited)


def _compare(old: ApiModel, new: ApiModel, path: Path, inherited: Change) -> Iterator[ChangedField]:
    if type(old) is not type(new):
        raise TypeError(f"cannot compare {type(old).__name__} with {type(new).__name__}")
    for name, field in type(old).model_fields.items():
        before, after, kind = getattr(old, name), getattr(new, name), change_of(field, inherited)
        here = (*path, field.alias or name)
        if before == after and type(before) is type(after):
            continue
        if as_model(field.annotation) and isinstance(before, ApiModel) and isinstance(after, ApiModel):
            yield from _compare(before, after, here, kind)
        else:
            yield ChangedField(here, kind)
