"""The lock file ``versions.toml`` as values. Pure but for reading that one file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from lab.errors import BuildError
from lab.places import LAB_FOLDER


@dataclass(frozen=True, slots=True)
class Binary:
    """One Go program: ``package`` is built inside ``go/<folder>``, whose go.mod pins everything."""

    name: str
    folder: str
    module: str
    version: str
    package: str
    tags: tuple[str, ...]
    ldflags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JarSet:
    """Jars that make one Java program: ``roots`` are G:A:V, all that they need is pinned in jars.lock."""

    name: str
    version: str
    main: str
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Versions:
    """All of versions.toml."""

    go_minimum: tuple[int, ...]
    binaries: tuple[Binary, ...]
    jars: tuple[JarSet, ...]
    sets: tuple[tuple[str, tuple[str, ...]], ...]

    def binary(self, name: str) -> Binary:
        """The recipe of one program; BuildError names the known ones."""
        for binary in self.binaries:
            if binary.name == name:
                return binary
        known = ", ".join(binary.name for binary in self.binaries)
        raise BuildError(f"there is no recipe for {name!r} in versions.toml; known: {known}")

    def jar_set(self, name: str) -> JarSet:
        """One Java program; BuildError names the known ones."""
        for jars in self.jars:
            if jars.name == name:
                return jars
        raise BuildError(
            f"there are no jars for {name!r} in versions.toml; known: {', '.join(j.name for j in self.jars)}"
        )

    def expand(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Names of sets replaced by their members, in order, each once."""
        sets = dict(self.sets)
        return tuple(dict.fromkeys(member for name in names for member in sets.get(name, (name,))))


@cache
def read_versions() -> Versions:
    """versions.toml, read once a process."""
    raw = tomllib.loads((LAB_FOLDER / "versions.toml").read_text())
    binaries = tuple(
        Binary(name, folder, module["module"], module["version"], package,
               tuple(module.get("tags", ())), tuple(module.get("ldflags", ())))
        for folder, module in raw["modules"].items()
        for name, package in module["binaries"].items()
    )  # fmt: skip
    jars = tuple(JarSet(name, j["version"], j["main"], tuple(j["roots"])) for name, j in raw["jars"].items())
    return Versions(
        go_minimum=parse_version(raw["go"]["minimum"]),
        binaries=binaries,
        jars=jars,
        sets=tuple((name, tuple(members)) for name, members in raw["sets"].items()),
    )


def parse_version(text: str) -> tuple[int, ...]:
    """``1.26.8`` or ``go1.27rc1`` as numbers; what follows the digits of a part is dropped."""
    numbers = []
    for part in text.removeprefix("go").removeprefix("v").split("."):
        digits = ""
        for character in part:
            if not character.isdigit():
                break
            digits += character
        numbers.append(int(digits or 0))
    return tuple(numbers)
