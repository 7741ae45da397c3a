"""Checks of ``spec.pipeline.python``; those of its SQL have modules of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headgate.api.problems import Path, Problem
from headgate.api.resources import ModelDeploymentSpec

_REQUIREMENT = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[\s*[A-Za-z0-9._-]+(\s*,\s*[A-Za-z0-9._-]+)*\s*\])?\s*"
    r"(\(?\s*((~=|===?|!=|<=?|>=?)\s*[A-Za-z0-9.*+!_-]+\s*,?\s*)*\)?)\s*(;.+)?",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


def check_requirements(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Requirements are names with versions: what a lock with hashes can be made of."""
    seen: dict[str, int] = {}
    for position, text in enumerate(spec.pipeline.python.requirements):
        path: Path = ("pipeline", "python", "requirements", position)
        if text.lstrip().startswith("-"):
            yield Problem(path, f'"{text}" is an option of pip; write package names with versions only')
        elif "://" in text or "@" in text:
            yield Problem(path, f'"{text}" names an address; only packages from an index get into the lock')
        elif not _REQUIREMENT.fullmatch(text.strip()):
            yield Problem(path, f'"{text}" is not a requirement such as scikit-learn==1.7.2')
        else:
            found = _NAME.match(text.strip())
            name = re.sub(r"[-_.]+", "-", found[0]).lower() if found else text
            if name in seen and ";" not in text:
                yield Problem(path, f"{name} stands here twice (see requirements[{seen[name]}])")
            seen.setdefault(name, position)


def check_module(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The module is one Python file beside the resource, with a name that Python can import."""
    module = spec.pipeline.python.module
    if not module:
        return
    path: Path = ("pipeline", "python", "module")
    parts = module.replace("\\", "/").split("/")
    if module.startswith("/") or ".." in parts or "://" in module:
        yield Problem(path, "must be a path beside the resource's file, without ..")
    elif not module.endswith(".py"):
        yield Problem(path, "must be a Python file, such as features.py")
    elif not parts[-1][:-3].isidentifier():
        yield Problem(path, f'"{parts[-1]}" cannot be imported: name it with letters, digits and _')
