"""What a run is started from, looked up in a folder by Flink's own file systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedded.child import java_home
from headgate_runtime.snapshots import find_snapshot


@pytest.fixture(autouse=True)
def _java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home()))


def _snapshot(folder: Path, name: str, at: int, *, complete: bool = True) -> str:
    path = folder / name
    path.mkdir(parents=True)
    metadata = path / ("_metadata" if complete else "state")
    metadata.write_bytes(b"x")
    os.utime(metadata, (at, at))
    return f"file://{path}"


def _folder(path: Path) -> str:
    return f"file://{path}/"


def test_the_newest_complete_checkpoint_below_a_run_s_folder_counts(tmp_path: Path) -> None:
    _snapshot(tmp_path, "checkpoints/0badcafe/chk-9", 100)
    newest = _snapshot(tmp_path, "checkpoints/0badcafe/chk-10", 100)
    _snapshot(tmp_path, "checkpoints/0badcafe/chk-11", 200, complete=False)
    (tmp_path / "checkpoints/0badcafe/shared").mkdir()
    assert find_snapshot(_folder(tmp_path)) == newest


def test_a_savepoint_after_the_last_checkpoint_counts_and_so_does_a_checkpoint_after_a_savepoint(
    tmp_path: Path,
) -> None:
    _snapshot(tmp_path / "a", "checkpoints/0badcafe/chk-10", 100)
    savepoint = _snapshot(tmp_path / "a", "savepoints/savepoint-0badca-1", 100)
    assert find_snapshot(_folder(tmp_path / "a")) == savepoint
    checkpoint = _snapshot(tmp_path / "a", "checkpoints/0badcafe/chk-12", 102)
    assert find_snapshot(_folder(tmp_path / "a")) == checkpoint


def test_the_first_alternative_that_holds_a_snapshot_is_taken(tmp_path: Path) -> None:
    savepoint = _snapshot(tmp_path, "savepoint-0badca-1", 100)
    place = f"{_folder(tmp_path / 'churn-r2')}\n{savepoint}"
    assert find_snapshot(place) == savepoint
    shown = _snapshot(tmp_path / "churn-r2", "checkpoints/0badcafe/chk-1", 50)
    assert find_snapshot(place) == shown


def test_nothing_is_an_alternative_only_where_it_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "churn-r1")
    assert find_snapshot("") == ""
    assert find_snapshot(f"{folder}\n") == ""
    assert find_snapshot(folder) == folder
    assert find_snapshot(f"{folder}\nfile:///gone/savepoint-1") == "file:///gone/savepoint-1"


def test_a_lone_path_is_left_to_flink() -> None:
    assert find_snapshot("s3://nowhere/savepoint-1") == "s3://nowhere/savepoint-1"
