"""The machine and the versions that a figure belongs to: a ratio without them says nothing."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import runtime_environment, runtime_python

_VERSIONS = """
import json, subprocess, sys
from importlib.metadata import version
import os
said = subprocess.run([os.environ["JAVA_HOME"] + "/bin/java", "-version"], capture_output=True, text=True).stderr
found = {n: version(n) for n in ("apache-flink", "onnxruntime", "numpy", "pandas", "pyarrow")}
print(json.dumps({"python": sys.version.split()[0], "java": said.splitlines()[0].split('"')[1], **found}))
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a benchmark ran. ``load``: the one-minute load average before it began, which others caused."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    load: float
    versions: tuple[tuple[str, str], ...]

    def sentence(self) -> str:
        """All of it on one line."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions)
        return f"{self.cores} × {self.processor}, {self.memory_gib:.0f} GiB, {self.system}, load before {self.load:.1f}; {versions}"


def describe_machine() -> Machine:
    """Read it from /proc, and the versions from the runtime's environment."""
    asked = subprocess.run(
        [str(runtime_python()), "-c", _VERSIONS], capture_output=True, text=True, check=True, env=runtime_environment()
    )
    return Machine(
        processor=_field("/proc/cpuinfo", "model name"),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20,
        system=f"{platform.system()} {platform.release()}",
        load=os.getloadavg()[0],
        versions=tuple(sorted(json.loads(asked.stdout).items())),
    )


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
