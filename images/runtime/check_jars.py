"""Checks the jars of the build context against the locks: ``check_jars.py FOLDER LOCK...``. Run by the Dockerfile.

Every jar must be in a lock and have its sha256; the locks may name more than there are. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path


def main(folder: Path, locks: list[Path]) -> int:
    """0 when every jar below ``folder`` is the one that a lock pins, else 1 with a sentence for each that is not."""
    pins = {jar["file"]: jar["sha256"] for lock in locks for jar in json.loads(lock.read_text())["jars"]}
    wrong = []
    jars = sorted(folder.rglob("*.jar"))
    for jar in jars:
        with jar.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if pins.get(jar.name) != digest:
            wrong.append(
                f"{jar.name} is not pinned"
                if jar.name not in pins
                else f"{jar.name} has sha256 {digest}, not {pins[jar.name]}"
            )
    if not jars:
        wrong.append(f"there are no jars in {folder}: run fetch_jars.py first")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
