"""Reads a registry's ``WWW-Authenticate`` challenge and the token server's answer.

Format: RFC 9110 section 11.6.1, and the distribution project's token specification (``realm``, ``service``, ``scope``;
answer with ``token`` or ``access_token`` and ``expires_in`` in seconds). Pure; the session makes the requests.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from headgate.imagebuild.errors import RegistryUnauthorized

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
DEFAULT_LIFETIME_S = 60
"""A token without ``expires_in`` lasts this long, says the specification."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for."""

    scheme: str
    """``basic`` or ``bearer``; anything else is not understood."""
    realm: str = ""
    service: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and the seconds that it lasts from now."""

    value: str
    lifetime_s: float


def parse_challenge(header: str) -> Challenge:
    """Read the header's value; an unknown scheme is kept as it is, without parameters."""
    scheme, _, rest = header.strip().partition(" ")
    parameters = {
        match[1].lower(): match[2] if match[2] is not None else match[3] for match in _PARAMETER.finditer(rest)
    }
    return Challenge(
        scheme.lower(), parameters.get("realm", ""), parameters.get("service", ""), parameters.get("scope", "")
    )


def parse_token(data: bytes, subject: str) -> Token:
    """Read the token server's answer; :class:`RegistryUnauthorized` when it holds no token."""
    try:
        value = json.loads(data)
        token = value.get("token") or value.get("access_token")
        lifetime = float(value.get("expires_in") or DEFAULT_LIFETIME_S)
    except (ValueError, AttributeError, TypeError):
        token, lifetime = None, 0.0
    if not isinstance(token, str) or not token:
        raise RegistryUnauthorized(f"The token server of {subject} answered without a token.")
    return Token(token, lifetime)
