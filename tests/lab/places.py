"""Where the lab keeps things: the cache outside the tree, and its own folder inside it.

Read by every other module; creates nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

LAB_FOLDER = Path(__file__).resolve().parent
"""The folder of this package: versions.toml, jars.lock and go/ lie here."""

REPOSITORY = LAB_FOLDER.parent.parent


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that keeps binaries and jars between runs; safe to delete, at the price of building again."""
    if chosen := environ.get("HEADGATE_CACHE"):
        return Path(chosen)
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/root")) / ".cache"
    return Path(base) / "headgate"
