"""Fills ``images/runtime/build/jars`` with the jars that the base image holds, each checked against its lock.

``fetch_jars.py [PLUGIN...]``: the connectors and formats of ``connectors.lock.json`` and the file systems named, by default ``s3``
(also ``gs``, ``azure``). Run with the operator's environment, by ``make image-runtime``.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from headgate.local.connectors import fetch_jars, read_lock
from headgate.local.places import cache_folder

HERE = Path(__file__).resolve().parent


def main(plugins: list[str]) -> int:
    """Fetch into ``build/jars/lib`` and ``build/jars/plugins``; what was there before is removed."""
    target = HERE / "build" / "jars"
    shutil.rmtree(target, ignore_errors=True)
    connectors = tuple(read_lock(HERE / "connectors.lock.json").jars.values())
    known = read_lock(HERE / "plugins.lock.json").jars
    wanted = tuple(jar for file, jar in known.items() if any(file.startswith(f"flink-{name}-fs-") for name in plugins))
    for name, jars in (("lib", connectors), ("plugins", wanted)):
        folder = target / name
        folder.mkdir(parents=True)
        for path in fetch_jars(jars, cache_folder(os.environ), sys.stderr.write):
            shutil.copyfile(path, folder / path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["s3"]))
