"""Measurements of the runtime, run by ``make bench``: each prints one table whose ratios come from one run.

A benchmark is a module with ``NAME``, ``ABOUT`` and ``measure(Options) -> Report``. It starts real jobs on Flink's embedded
cluster in the runtime's own environment, and never imports ``headgate_runtime`` itself; what must run beside it lies in
``inside/``. The lab's broker and the tests' job folders are used as they are.
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
"""The checkout."""

if str(REPOSITORY / "tests") not in sys.path:
    sys.path.insert(0, str(REPOSITORY / "tests"))
