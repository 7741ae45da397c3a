"""The plan's key: the same for the same image, another for any difference; and the paths that no image may hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from headgate.imagebuild.errors import SourceRefused
from headgate.imagebuild.layers import COMPRESSORS
from headgate.imagebuild.manifest import Platform
from headgate.imagebuild.plan import (
    BuildPlan,
    Compression,
    Compressor,
    PlannedDependencies,
    PlannedFile,
    PlannedLayer,
    plan_image,
)
from imagekit.images import digest_of

_FILE = PlannedFile("opt/a", "1" * 64, 3)


def _plan(**changes: object) -> BuildPlan:
    values: dict[str, object] = {
        "base_digest": digest_of(b"base"),
        "platform": Platform(),
        "dependencies": PlannedDependencies(("numpy",), "2" * 64, Compression.ZSTD),
        "layers": (PlannedLayer("job", Compression.ZSTD, (_FILE, PlannedFile("opt/b", "3" * 64, 4))),),
        "labels": (("a", "1"), ("b", "2")),
        "compressors": COMPRESSORS,
    }
    return plan_image(**{**values, **changes})  # type: ignore[arg-type]  # a test names only what it changes


def _layer(**changes: object) -> tuple[PlannedLayer, ...]:
    layer = PlannedLayer("job", Compression.ZSTD, (_FILE, PlannedFile("opt/b", "3" * 64, 4)))
    return (dataclasses.replace(layer, **changes),)  # type: ignore[arg-type]  # as above


def test_the_key_is_a_tag_that_any_registry_takes() -> None:
    assert _plan().tag == f"plan-{_plan().key}"
    assert len(_plan().tag) <= 128


def test_the_order_in_which_things_were_found_changes_nothing() -> None:
    assert _plan().key == _plan(labels=(("b", "2"), ("a", "1"))).key
    assert _plan().key == _plan(layers=_layer(files=tuple(reversed(_layer()[0].files)))).key


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda: _plan(base_digest=digest_of(b"other")), id="another base"),
        pytest.param(lambda: _plan(platform=Platform("linux", "arm64")), id="another platform"),
        pytest.param(lambda: _plan(dependencies=None), id="no dependencies"),
        pytest.param(
            lambda: _plan(dependencies=PlannedDependencies(("numpy",), "9" * 64, Compression.ZSTD)), id="another lock"
        ),
        pytest.param(lambda: _plan(labels=()), id="other labels"),
        pytest.param(lambda: _plan(layers=_layer(compression=Compression.GZIP)), id="another compression"),
        pytest.param(lambda: _plan(layers=_layer(replaces=("opt",))), id="a folder that is replaced"),
        pytest.param(lambda: _plan(layers=_layer(name="other")), id="another name of a layer"),
        pytest.param(lambda: _plan(layers=_layer(files=(_FILE,))), id="a file less"),
        pytest.param(
            lambda: _plan(layers=_layer(files=(dataclasses.replace(_FILE, executable=True),))), id="an executable file"
        ),
        pytest.param(
            lambda: _plan(compressors=(Compressor(Compression.ZSTD, "zstd 99", 3),)), id="another version of zstd"
        ),
    ],
)
def test_any_difference_gives_another_key(changed: Callable[[], BuildPlan]) -> None:
    assert changed().key != _plan().key


def test_a_compressor_that_no_layer_uses_is_not_part_of_the_key() -> None:
    assert [item.compression for item in _plan().compressors] == [Compression.ZSTD]


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        pytest.param(("/etc/passwd",), "holds the absolute path '/etc/passwd'", id="an absolute path"),
        pytest.param(("C:/x",), "holds the absolute path", id="an absolute path of Windows"),
        pytest.param(("opt/../etc/x",), "leads out of its folder", id="a parent path"),
        pytest.param(("../x",), "leads out of its folder", id="a path that begins with its parent"),
        pytest.param(("opt//x",), "is not a plain path", id="an empty part"),
        pytest.param(("opt/./x",), "is not a plain path", id="a part that is a point"),
        pytest.param(("opt/a\nb",), "is not a plain path", id="a line break"),
        pytest.param(("",), "is not a plain path", id="nothing"),
        pytest.param(("opt/.wh.x",), "would read as a deletion", id="a deletion's name"),
        pytest.param(("opt/x", "opt/x"), "stands twice", id="the same file twice"),
        pytest.param(("opt/x", "opt/x/y"), "both a file and a folder", id="a file that is a folder"),
    ],
)
def test_paths_that_no_image_may_hold_are_refused(paths: tuple[str, ...], says: str) -> None:
    files = tuple(PlannedFile(path, "1" * 64, 1) for path in paths)
    with pytest.raises(SourceRefused, match=says):
        _plan(layers=_layer(files=files))


def test_a_file_without_a_digest_is_refused() -> None:
    with pytest.raises(SourceRefused, match="no proper sha256"):
        _plan(layers=_layer(files=(PlannedFile("opt/x", "", 1),)))
