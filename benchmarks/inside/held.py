"""Holds a job's model in this process, runs a batch, and prints ``[resident MiB, highest MiB]``.

A program of the runtime's environment: ``held.py none|once|pooled|twice JOB``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from headgate_runtime.contract import read_job
from headgate_runtime.model import POOL, load_model, smoke


def main() -> None:
    """Load as asked, touch the weights, report."""
    kind, job = sys.argv[1], read_job(Path(sys.argv[2]))
    load = {
        "none": (),
        "once": (load_model,),
        "pooled": (POOL.acquire, POOL.acquire),
        "twice": (load_model, load_model),
    }
    held = [take(job.model) for take in load[kind]]
    for model in held:
        smoke(model)
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps([int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]))


if __name__ == "__main__":
    main()
