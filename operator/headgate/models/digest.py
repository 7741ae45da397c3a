"""The digest that names a model everywhere: in job.json, image layers, revisions and on every scored record.

A model that is one file has that file's sha256. A model with external data has the sha256 of its sorted manifest, one
line ``<sha256hex>  <relative name>`` a file, so a change of any file, or of any name that the graph refers to,
changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from headgate.models.signature import ModelFile

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hex, read in pieces of 1 MiB. Raises ``OSError``."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            hasher.update(piece)
    return hasher.hexdigest()


def artifact_digest(files: Sequence[ModelFile]) -> str:
    """``sha256:…`` of the whole artifact. ``files`` holds at least the ``.onnx`` file."""
    if len(files) == 1:
        return f"sha256:{files[0].sha256}"
    manifest = "".join(sorted(f"{file.sha256}  {file.name}\n" for file in files))
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
