"""The ``headgate`` command in a process of its own, which says at its end how much memory it had at most (``VmHWM``, kB)."""

from __future__ import annotations

import sys
from pathlib import Path

from headgate.cli.main import main

status = main()
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
sys.stderr.write(peak + "\n")
sys.exit(status)
