"""Runs the command line in this process, in a folder of its own, with folders of its own for caches and logs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.cli.main import main
from unit.local.kit import Said, fake_java, fake_runtime_python


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    return folder


@pytest.fixture
def headgate(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``headgate(*arguments)``."""

    def run(*arguments: str | Path) -> Said:
        status = main([str(one) for one in arguments])
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return run


@pytest.fixture
def fake_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``fake_runtime(scenario)`` makes every run play ``scenario``, on a Java 21 that is none."""

    def choose(scenario: str) -> None:
        python = fake_runtime_python(tmp_path / "tools" / "python", scenario)
        monkeypatch.setenv("HEADGATE_RUNTIME_PYTHON", str(python))
        monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "tools" / "java", "21")))

    return choose
