"""The lab's lock files agree with one another, and a change of a recipe is a change of its place in the cache."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab import jars, store
from lab.build import recipe_hash
from lab.errors import BuildError
from lab.places import LAB_FOLDER
from lab.versions import Binary, JarSet, parse_version, read_versions


@pytest.mark.parametrize("binary", read_versions().binaries, ids=lambda binary: binary.name)
def test_go_mod_requires_the_version_that_the_lock_names(binary: Binary) -> None:
    text = (LAB_FOLDER / "go" / binary.folder / "go.mod").read_text()
    assert not binary.module or f"{binary.module} {binary.version}" in text


@pytest.mark.parametrize("jar_set", read_versions().jars, ids=lambda jar_set: jar_set.name)
def test_the_pinned_jars_hold_every_root(jar_set: JarSet) -> None:
    pinned = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars.read_lock(jar_set.name)}
    assert set(jar_set.roots) <= pinned


def test_another_version_flag_or_tag_is_another_recipe() -> None:
    etcd = read_versions().binary("etcd")
    others = [
        dataclasses.replace(etcd, version="v0.0.1"),
        dataclasses.replace(etcd, ldflags=("-X a=b",)),
        dataclasses.replace(etcd, tags=("t",)),
        dataclasses.replace(etcd, folder="pause"),
    ]
    assert len({recipe_hash(etcd), *map(recipe_hash, others)}) == 5


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BuildError, match="known: etcd"):
        read_versions().binary("etcdd")


def test_what_fails_halfway_leaves_nothing_behind(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise BuildError("no")

    with pytest.raises(BuildError):
        store.publish(tmp_path / "thing", make)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    assert (store.publish(tmp_path / "thing", lambda folder: None)).is_dir()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("go1.26.8", (1, 26, 8)), ("1.27rc1", (1, 27)), ("v3.6.5", (3, 6, 5)), ("devel", (0,))],
    ids=["a release of Go", "a release candidate", "a module's version", "no version at all"],
)
def test_versions_are_read_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(text) == numbers
