"""Ways in which the registry of ``imagekit.registry`` misbehaves, each a small value that says which requests it hits."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(slots=True)
class Fault:
    """Hits requests whose ``METHOD /path`` matches ``pattern``, ``times`` times after letting ``after`` of them pass."""

    pattern: str
    times: int = 1_000_000
    after: int = 0
    status: int = 0
    """Answer with this status instead of doing anything."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    disconnect_after: int = -1
    """Read (or, for GET, send) this many bytes of the body, then break the connection. -1: never."""
    keep_received: bool = True
    """Whether bytes that arrived before a break stay in the upload."""
    forget_upload: bool = False
    """After a break the upload is unknown."""
    corrupt: bool = False
    """Answer with the right headers and other bytes."""
    store_as: str = ""
    """Claim in the answer that this digest was stored."""

    def hits(self, line: str) -> bool:
        """Whether this request is hit; counts down."""
        if not re.search(self.pattern, line):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times <= 0:
            return False
        self.times -= 1
        return True
