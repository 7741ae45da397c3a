"""Python packages by uv, on an index of hand-made wheels: resolved on the base, fetched by hash, refused in sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.errors import ToolMissing
from headgate.imagebuild.base import BaseFacts
from headgate.imagebuild.dependencies import (
    Resolver,
    check_lock,
    check_requirements,
    install_site,
    resolve_lock,
    shipped,
    site_layer,
)
from headgate.imagebuild.errors import DependencyRefused, DiskFull, IndexUnreachable
from headgate.imagebuild.layers import tar_chunks
from headgate.imagebuild.plan import Compression
from imagekit.images import AMD64, no_index, real_uv
from imagekit.index import Index

_FACTS = BaseFacts(
    platform=AMD64,
    runtime="0.1.0",
    flink="2.3.0",
    python="3.11",
    packages=(("apache-flink", "2.3.0"), ("docopt", "0.6.2"), ("numpy", "2.1.3"), ("pandas", "2.2.3")),
    required_by=(("numpy", ("apache-flink", "pandas")), ("pandas", ("apache-flink",))),
)


@pytest.fixture
def packages(index: Index) -> Index:
    """An index with a few packages around numpy and pandas."""
    for version in ("2.1.3", "2.3.0"):
        index.add_wheel("numpy", version)
    index.add_wheel("pandas", "2.2.3", requires=("numpy>=2",))
    index.add_wheel("pandas", "2.3.1", requires=("numpy>=2",))
    index.add_wheel("forest", "1.0", requires=("numpy>=1.26", "leaf"))
    index.add_wheel("forest", "2.0", requires=("numpy>=2.3",))
    index.add_wheel("leaf", "0.5")
    index.add_wheel("elsewhere", "1.0", tag="cp311-cp311-win_amd64")
    index.add_source("compiled", "3.1")
    index.add_source("docopt", "0.6.2")
    index.add_wheel("words", "1.0", requires=("docopt>=0.6",))
    return index


def _lock(requirements: tuple[str, ...], index: Index, tmp_path: Path) -> str:
    return resolve_lock(requirements, _FACTS, real_uv(index.url, tmp_path), _work(tmp_path))


def _work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return work


def test_the_base_decides_which_version_fits(packages: Index, tmp_path: Path) -> None:
    lock = _lock(("forest",), packages, tmp_path)
    assert [line for line in lock.splitlines() if "==" in line] == ["forest==1.0 \\", "leaf==0.5 \\", "numpy==2.1.3 \\"]
    assert lock.count("--hash=sha256:") == 3
    assert packages.url not in lock


def test_what_the_base_has_is_not_shipped_again(packages: Index, tmp_path: Path) -> None:
    lock = _lock(("forest",), packages, tmp_path)
    rest = shipped(lock, _FACTS)
    assert "forest==1.0" in rest
    assert "numpy" not in rest
    site = install_site(lock, _FACTS, real_uv(packages.url, tmp_path), _work(tmp_path))
    layer, _ = site_layer(site, Compression.ZSTD)
    assert sorted({file.path.split("/")[3] for file in layer.files}) == [
        "forest", "forest-1.0.dist-info", "leaf", "leaf-0.5.dist-info",
    ]  # fmt: skip


def test_the_layer_is_the_same_on_another_day(packages: Index, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "w").mkdir(parents=True)
        resolver = real_uv(packages.url, folder)
        lock = resolve_lock(("forest", "words"), _FACTS, resolver, folder / "w")
        layer, contents = site_layer(install_site(lock, _FACTS, resolver, folder / "w"), Compression.ZSTD)
        made.append((lock, b"".join(tar_chunks(layer, contents))))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("requirements", "says"),
    [
        pytest.param(
            ("pandas>=2.3",),
            r"conflict with the base, which holds pandas 2.2.3 \(which apache-flink needs\): Because you require "
            r"pandas>=2.3 and pandas==2.2.3.*Choose versions that fit the base's",
            id="a requirement that the base contradicts",
        ),
        pytest.param(
            ("forest==2.0",),
            r"holds numpy 2.1.3 \(which apache-flink and pandas need\): .*forest>=2.0 depends on numpy>=2.3",
            id="a package whose own needs the base contradicts",
        ),
        pytest.param(
            ("compiled",),
            "compiled .*has no wheel for Python 3.11 on linux/amd64, and nothing is compiled",
            id="a package without wheels",
        ),
        pytest.param(
            ("elsewhere",),
            "elsewhere .*has no wheel with a matching .* for Python 3.11 on linux/amd64",
            id="a package with wheels for other machines only",
        ),
        pytest.param(("nosuch",), "There is no package nosuch in the package index", id="a package that nobody made"),
        pytest.param(("leaf==9",), "There is no version leaf==9 in the package index", id="a version that nobody made"),
        pytest.param(("leaf==0.5", "leaf<0.5"), "cannot be met together", id="requirements that contradict each other"),
        pytest.param(("leaf !!",), "'leaf !!' is not a Python requirement", id="text that is no requirement"),
        pytest.param(("leaf @ https://x.test/l.whl",), "names a URL; only packages of an index", id="a URL"),
    ],
)
def test_requirements_that_cannot_be_met_are_explained(
    requirements: tuple[str, ...], says: str, packages: Index, tmp_path: Path
) -> None:
    with pytest.raises(DependencyRefused, match=says):
        _lock(requirements, packages, tmp_path)


def test_a_package_that_the_base_has_needs_no_wheel(packages: Index, tmp_path: Path) -> None:
    lock = _lock(("words",), packages, tmp_path)
    assert [line for line in lock.splitlines() if "==" in line] == ["words==1.0 \\"]


def test_a_wheel_that_was_replaced_is_refused(packages: Index, tmp_path: Path) -> None:
    lock = _lock(("leaf",), packages, tmp_path)
    other = Index()
    other.add_wheel("leaf", "0.5", body=b"evil = True\n")
    packages.swapped["leaf-0.5-py3-none-any.whl"] = other.files["leaf"]["leaf-0.5-py3-none-any.whl"]
    with pytest.raises(DependencyRefused, match=r"does not have the hash that the lock states.*leaf"):
        install_site(lock, _FACTS, real_uv(packages.url, tmp_path), _work(tmp_path))


def test_a_lock_without_hashes_is_refused(packages: Index, tmp_path: Path) -> None:
    with pytest.raises(DependencyRefused, match="The lock does not state a hash for every package"):
        install_site("leaf==0.5\n", _FACTS, real_uv(packages.url, tmp_path), _work(tmp_path))


def test_an_index_that_is_down_is_named_without_its_password(tmp_path: Path) -> None:
    resolver = real_uv("http://user:secret@127.0.0.1:1/simple", tmp_path)
    with pytest.raises(IndexUnreachable, match="The Python package index cannot be used") as caught:
        resolve_lock(("leaf",), _FACTS, resolver, _work(tmp_path))
    assert "secret" not in str(caught.value)


def test_a_private_index_takes_its_password_from_the_environment(packages: Index, tmp_path: Path) -> None:
    packages.password = "hush"
    with_password = packages.url.replace("http://", "http://user:hush@")
    lock = resolve_lock(("leaf",), _FACTS, real_uv(with_password, tmp_path), _work(tmp_path))
    assert "leaf==0.5" in lock
    assert "hush" not in lock


def test_a_lock_for_another_base_is_refused() -> None:
    lock = "forest==1.0 \\\n    --hash=sha256:1\nnumpy==1.26.0 \\\n    --hash=sha256:2\n"
    says = "The lock holds numpy 1.26.0, but the base holds numpy 2.1.3, which apache-flink and pandas needs"
    with pytest.raises(DependencyRefused, match=says):
        check_lock(lock, _FACTS, "The lock")
    check_lock(lock.replace("1.26.0", "2.1.3"), _FACTS, "The lock")


def test_the_order_of_requirements_does_not_matter() -> None:
    assert check_requirements(("b", "a", "b")) == ("a", "b")


def test_a_missing_uv_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="uv cannot be started: No such file"):
        resolve_lock(("leaf",), _FACTS, no_index(tmp_path), _work(tmp_path))


def test_a_disk_that_fills_up_while_packages_are_fetched_is_named(tmp_path: Path) -> None:
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\necho 'error: failed to write: No space left on device (os error 28)' >&2; exit 2\n")
    program.chmod(0o755)
    with pytest.raises(DiskFull):
        resolve_lock(("leaf",), _FACTS, Resolver(str(program), ()), _work(tmp_path))


def test_scripts_bytecode_and_traces_of_the_installation_are_left_out(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for path in (
        "pkg/__init__.py", "pkg/bin/tool.py", "pkg/__pycache__/x.pyc", "bin/script", ".lock",
        "pkg-1.dist-info/RECORD", "pkg/lib.so",
    ):  # fmt: skip
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text("b,1\na,2\n")
    (site / "pkg/lib.so").chmod(0o755)
    (site / "pkg/link").symlink_to("lib.so")
    layer, contents = site_layer(site, Compression.ZSTD)
    assert [(file.path.removeprefix("opt/headgate/site/"), file.executable) for file in layer.files] == [
        ("pkg-1.dist-info/RECORD", False),
        ("pkg/__init__.py", False),
        ("pkg/bin/tool.py", False),
        ("pkg/lib.so", True),
    ]
    assert b"".join(contents["opt/headgate/site/pkg-1.dist-info/RECORD"].chunks()) == b"a,2\nb,1\n"
