"""Writes a base's labels into its Dockerfile: ``python -m headgate.imagebuild.labels images/runtime [--check]``.

A Dockerfile cannot compute labels while it builds, so they are generated from ``image.lock`` and committed; ``make verify`` and a
test fail when they differ. Not used by builds.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from headgate.imagebuild.base import render_labels
from headgate.imagebuild.manifest import Platform

BEGIN, END = "# BEGIN labels", "# END labels"


def dockerfile_with_labels(folder: Path) -> str:
    """The text of ``folder/Dockerfile`` with the labels that ``folder/image.lock`` and ``folder/pyproject.toml`` give."""
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (folder / "image.lock").read_text(encoding="utf-8")
    labels = render_labels(lock, runtime=str(project["version"]), python="3.11", platform=Platform())
    body = " \\\n".join(f'      {key}="{value}"' for key, value in labels).lstrip()
    head, _, rest = text.partition(BEGIN)
    line, _, rest = rest.partition("\n")
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{line}\nLABEL {body}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Write the labels, or with ``--check`` say whether they are as they should be."""
    folder = Path(arguments[0])
    wanted = dockerfile_with_labels(folder)
    path = folder / "Dockerfile"
    if path.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in arguments:
        sys.stderr.write(f"{path}: its labels are not those of image.lock; run this without --check.\n")
        return 1
    path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
