"""Finds the file behind a model's address when it lies on this machine's disk.

Called by the CLI and by local runs; ``headgate build`` and the operator fetch the other schemes. It opens nothing:
whether the file exists and what it is, the reader says.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from headgate.models.refusals import NotLocal

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def resolve_local(uri: str, base: Path) -> Path:
    """The path that ``uri`` means: ``file:`` and relative addresses count from ``base``, the folder of the resource's
    file.

    Raises :class:`~headgate.models.refusals.NotLocal` for every other scheme, and for a ``file:`` URI of another host.
    """
    if not _SCHEME.match(uri):
        return base / Path(uri).expanduser()
    parts = urlsplit(uri)
    if parts.scheme.lower() != "file":
        raise NotLocal(f"The model is at '{_without_secrets(uri)}'; '{parts.scheme}:' is fetched by 'headgate build'.")
    if parts.netloc not in ("", "localhost"):
        raise NotLocal(
            f"'{uri}' names the host '{parts.netloc}'.",
            remedy=f"For an absolute path write 'file:///{parts.netloc}{parts.path}', for a relative one "
            f"'file:{parts.netloc}{parts.path}'.",
        )
    return base / unquote(parts.path)


def _without_secrets(uri: str) -> str:
    """The address without user names, passwords and query: a signed URL is a credential."""
    parts = urlsplit(uri)
    return f"{parts.scheme}:{'//' if parts.netloc else ''}{parts.netloc.rpartition('@')[2]}{parts.path}"
