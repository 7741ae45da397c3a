"""Digests, and the one way in which this package writes JSON: the same value always gives the same bytes.

Used by everything that is named by its digest. It reads no clock and no environment.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from headgate.imagebuild.errors import DigestMismatch, ManifestRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHA256_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


def canonical_json(value: object) -> bytes:
    """``value`` as JSON with sorted keys, no spaces and no escapes, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_digest(data: bytes) -> str:
    """``sha256:<hex>`` of ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(digest: str, subject: str) -> str:
    """``digest`` itself when it is a sha256 digest; :class:`ManifestRefused` naming ``subject`` otherwise."""
    if not SHA256_DIGEST.match(digest):
        raise ManifestRefused(f"{subject} has the digest {digest[:80]!r}; only sha256:<64 hex digits> is understood.")
    return digest


def verified(chunks: Iterable[bytes], digest: str, subject: str) -> Iterator[bytes]:
    """Pass ``chunks`` on while hashing them; :class:`DigestMismatch` at the end when they are not ``digest``.

    What came out before the end must be thrown away when this raises.
    """
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    actual = f"sha256:{hasher.hexdigest()}"
    if actual != digest:
        raise DigestMismatch(f"{subject} should have the digest {digest} but its bytes have {actual}.")
