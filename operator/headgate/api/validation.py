"""Decides whether a resource can mean anything: raw mapping in, model or every problem at once out.

Called by the CLI, by the controller and by :mod:`headgate.api.load`. It never reads a file, a clock or the network, and
never changes what it is given. What only the model's file or a cluster can tell is checked elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError

from headgate.api.checks import PROBLEMS, WARNINGS, Check
from headgate.api.introspect import objects
from headgate.api.problems import Path, Problem, unique
from headgate.api.resources import ModelDeployment
from headgate.api.translate import translate_all
from headgate.errors import InvalidResource

_STAND_INS: Mapping[Path, Any] = {
    ("metadata",): {"name": "x"},
    ("metadata", "name"): "x",
    ("spec",): {},
    ("spec", "model"): {},
    ("spec", "model", "uri"): "x",
    ("spec", "pipeline"): {},
    ("spec", "pipeline", "tables"): "x",
    ("spec", "pipeline", "input"): "x",
    ("spec", "pipeline", "key"): "x",
    ("spec", "pipeline", "output"): "x",
}
"""For what is required and missing or wrong: a value that lets the rest be checked; no check that reads it runs."""

_MOST_ROUNDS = 32


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to say about one resource. ``deployment`` is None exactly when there are problems."""

    deployment: ModelDeployment | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def parse_modeldeployment(raw: Mapping[str, Any]) -> ModelDeployment:
    """The resource as a model. ``status`` and unknown metadata are left aside.

    Raises:
        InvalidResource: with every problem, each as ``path: sentence``.
    """
    findings = examine(raw)
    if findings.deployment is None:
        raise InvalidResource(tuple(map(str, findings.problems)), name=_name(raw))
    return findings.deployment


def examine(raw: Mapping[str, Any]) -> Findings:
    """Every problem and warning of a resource."""
    plain = _plain(raw)
    if not isinstance(plain, dict):
        return Findings(None, (Problem((), "must be an object with apiVersion, kind, metadata and spec"),), ())
    plain.pop("status", None)
    deployment, problems = _parse(plain)
    shifted: list[Path] = []
    draft = deployment if deployment is not None else _draft(plain, shifted)
    warnings: tuple[Problem, ...] = ()
    if draft is not None:
        broken = (*(problem.path for problem in problems), *shifted)
        ruled = tuple(_rules(draft, broken))
        broken += tuple(problem.path for problem in ruled)
        problems = unique((*problems, *ruled, *_run(PROBLEMS, draft, broken)))
        warnings = unique(_run(WARNINGS, draft, broken))
    return Findings(None if problems else deployment, problems, warnings)


def _parse(plain: dict[str, Any]) -> tuple[ModelDeployment | None, tuple[Problem, ...]]:
    try:
        return _validate(plain), ()
    except ValidationError as error:
        return None, translate_all(error.errors(include_url=False), ModelDeployment)


def _validate(plain: dict[str, Any]) -> ModelDeployment:
    # JSON and strict: what the API server would refuse (a number for a text, snake_case names) is refused here too.
    return ModelDeployment.model_validate_json(json.dumps(plain), strict=True, by_alias=True, by_name=False)


def _draft(plain: dict[str, Any], shifted: list[Path]) -> ModelDeployment | None:
    """The resource with everything that pydantic refuses taken out or stood in for; None when that leads nowhere.

    ``shifted`` collects the lists whose positions are no longer those of the resource.
    """
    for _ in range(_MOST_ROUNDS):
        try:
            return _validate(plain)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                _mend(plain, tuple(one["loc"]), shifted, missing=one["type"] == "missing")
    return None


def _mend(plain: dict[str, Any], location: Path, shifted: list[Path], *, missing: bool) -> None:
    if location and location[-1] == "[key]":
        location = location[:-1]
    if location in _STAND_INS:
        _put(plain, location, json.loads(json.dumps(_STAND_INS[location])))
    else:
        _drop(plain, location[:-1] if missing else location, shifted)


def _parent(plain: Any, location: Path) -> Any:
    for part in location[:-1]:
        try:
            plain = plain[part]
        except (KeyError, IndexError, TypeError):
            return None
    return plain


def _put(plain: dict[str, Any], location: Path, value: Any) -> None:
    parent = _parent(plain, location)
    if isinstance(parent, dict):
        parent[location[-1]] = value


def _drop(plain: dict[str, Any], location: Path, shifted: list[Path]) -> None:
    parent = _parent(plain, location)
    match parent, location[-1:]:
        case dict(), (str(name),):
            parent.pop(name, None)
        case list(), (int(position),) if position < len(parent):
            del parent[position]
            shifted.append(location[:-1])
        case _ if location:
            _drop(plain, location[:-1], shifted)


def _rules(draft: ModelDeployment, broken: Sequence[Path]) -> Iterator[Problem]:
    for path, one in objects(draft):
        for rule in type(one).rules():
            if not _touched(path, broken) and not rule.holds(one):
                yield Problem((*path, rule.field) if rule.field else path, rule.message)


def _run(checks: Sequence[Check], draft: ModelDeployment, broken: Sequence[Path]) -> Iterator[Problem]:
    for check in checks:
        if not any(_touched(("spec", *path), broken, below=not check.each) for path in check.reads):
            for problem in check.run(draft.spec):
                yield Problem(("spec", *problem.path), problem.message, problem.line)


def _touched(path: Path, broken: Sequence[Path], *, below: bool = True) -> bool:
    """Whether something broken is ``path`` itself, lies above it, or (``below``) under it."""
    return any(path[: len(one)] == one or (below and one[: len(path)] == path) for one in broken)


def _plain(value: Any) -> Any:
    """A copy made of dicts, lists and scalars, whatever mapping (a live view of the cluster, too) it came as."""
    match value:
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case str() | bytes():
            return value if isinstance(value, str) else value.decode(errors="replace")
        case Sequence():
            return [_plain(inner) for inner in value]
        case date():
            return value.isoformat()
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)


def _name(raw: Mapping[str, Any]) -> str:
    metadata = raw.get("metadata") if isinstance(raw, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""
