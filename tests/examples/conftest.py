"""Runs an example as its README says, in a copy of its folder, and reads what it wrote.

The tests beside it use the ``example`` fixture. It starts the commands that a person would start (``prepare.py`` and
``headgate run``) as processes of their own, and never imports the runtime.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADGATE = Path(sys.executable).with_name("headgate")


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests that start Flink."""
    config.addinivalue_line("markers", "flink: starts an embedded Flink cluster; needs the runtime's environment")


@dataclass(frozen=True, slots=True)
class Example:
    """A copy of one example's folder."""

    folder: Path

    def prepare(self) -> None:
        """Run ``prepare.py``."""
        _finish(subprocess.run([sys.executable, "prepare.py"], cwd=self.folder, capture_output=True, text=True))

    def run(self, *arguments: str, resource: str = "modeldeployment.yaml") -> str:
        """``headgate run RESOURCE …`` to its end; what it printed."""
        return _finish(
            subprocess.run(
                [HEADGATE, "run", self.folder / resource, *arguments], capture_output=True, text=True, timeout=300
            )
        )

    def start(self, *arguments: str, resource: str = "modeldeployment.yaml") -> subprocess.Popen[str]:
        """``headgate run RESOURCE …`` left running; its output goes to ``run.log``."""
        command = [HEADGATE, "run", self.folder / resource, *arguments]
        with (self.folder / "run.log").open("w") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True)

    def csv(self, sink: str) -> list[list[str]]:
        """The finished rows of a CSV sink, such as ``out/predictions``."""
        return [row for path in self._parts(sink) for row in csv.reader(path.read_text().splitlines())]

    def json(self, sink: str) -> list[dict[str, Any]]:
        """The finished rows of a JSON sink."""
        return [json.loads(line) for path in self._parts(sink) for line in path.read_text().splitlines()]

    def _parts(self, sink: str) -> list[Path]:
        # Flink hides a part that is not yet committed behind a leading dot.
        files = (self.folder / sink).rglob("part-*")
        return sorted(path for path in files if path.is_file() and not path.name.startswith("."))

    def score(self, model: str, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What plain onnxruntime answers for the whole ``feed``, by output name."""
        session = onnxruntime.InferenceSession(self.folder / model, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(None, feed), strict=True))


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Example]:
    """A prepared copy of ``examples/NAME``."""

    def copy(name: str) -> Example:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("build", "out", "__pycache__"))
        made = Example(folder)
        made.prepare()
        return made

    return copy


def _finish(done: subprocess.CompletedProcess[str]) -> str:
    said = f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    assert done.returncode == 0, f"{done.args} ended with {done.returncode}:\n{said}"
    return done.stdout
