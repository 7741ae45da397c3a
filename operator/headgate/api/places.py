"""Says whether a text names a place that Headgate can read from. Pure; it never looks whether anything is there."""

from __future__ import annotations

import re

from headgate.api.names import did_you_mean, listing

SCHEMES = ("file", "s3", "gs", "az", "https", "http", "oci", "pvc")
"""Where a model, its labels or its goldens may lie; a text without a scheme is a path beside the resource's file."""

STATE_SCHEMES = ("s3", "s3a", "s3p", "gs", "abfs", "abfss", "wasb", "wasbs", "oss", "hdfs", "file")
"""Where Flink's file systems may keep state."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(.*)$", re.ASCII | re.DOTALL)


def scheme_of(uri: str) -> str:
    """The scheme of a URI in lower case; empty for a path."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else ""


def place_problem(uri: str) -> str | None:
    """Why nothing can be read from ``uri``, or None."""
    if uri != uri.strip() or any(character in uri for character in "\n\r\t"):
        return "has spaces around it or a line break in it"
    scheme = scheme_of(uri)
    if not scheme:
        return None
    if scheme not in SCHEMES:
        hint = did_you_mean(scheme, SCHEMES) or f"; known are {listing(SCHEMES)} and a path beside this file"
        return f'cannot read from "{scheme}:"{hint}'
    rest = uri.split(":", 1)[1]
    if scheme == "file":
        return None if rest.strip("/") else "names no file"
    if not rest.startswith("//"):
        return f"must begin with {scheme}://"
    host, _, path = rest[2:].partition("/")
    if not host:
        return f"names no {'claim' if scheme == 'pvc' else 'bucket' if scheme in ('s3', 'gs', 'az') else 'host'}"
    return None if path.strip("/") else "names no file in that place"
