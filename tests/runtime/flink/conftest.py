"""Every test here starts Flink's embedded cluster."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.child import java_home
from embedded.planner import Planner

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that ``-m 'not flink'`` leaves them out."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.flink)
            # What PyFlink imports (Beam, httplib2) uses what its own dependencies deprecate, and its gateway leaves pipes.
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="module")
def jvm() -> Iterator[None]:
    """Flink's gateway finds Java, and logs into a folder that is not the checkout's."""
    kept = os.environ.copy()
    os.environ["JAVA_HOME"] = str(java_home())
    os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def plan(jvm: None, tmp_path: Path) -> Planner:
    return Planner(tmp_path, io.StringIO())
