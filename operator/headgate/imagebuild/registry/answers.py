"""Turns a registry's refusal into the error that a person can act upon.

The one place that maps status codes and the errors of httpx; called by the session. It quotes the registry's own
message, which is never allowed to hold a credential of ours because it is cut and only printable text is kept.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from headgate.imagebuild.errors import (
    DigestMismatch,
    RegistryBusy,
    RegistryError,
    RegistryForbidden,
    RegistryMissing,
    RegistryReadOnly,
    RegistryUnauthorized,
    RegistryUnreachable,
)

if TYPE_CHECKING:
    import httpx

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes that may pass by themselves."""


def refusal(response: httpx.Response, action: str, host: str, *, known: bool) -> RegistryError | DigestMismatch:
    """The error for ``response`` (already read). ``action`` reads like "upload a blob to team/churn"; ``known`` says
    whether credentials were sent."""
    status, said = response.status_code, registry_message(response)
    what = f"The registry {host} refused to {action}"
    if status == 401:
        if known:
            return RegistryUnauthorized(f"{what}: it does not accept the credentials (401){said}.")
        return RegistryUnauthorized(
            f"{what}: it wants credentials and none are known for it (401){said}.",
            remedy=f"Log in with `docker login {host}`, or name a file with --auth-file.",
        )
    if status == 403:
        return RegistryForbidden(
            f"{what}: the credentials do not allow it (403){said}."
            if known
            else f"{what}: it is not allowed (403){said}."
        )
    if status == 404:
        return RegistryMissing(f"{what}: there is no such thing (404){said}.")
    if status == 405:
        return RegistryReadOnly(
            f"{what}: the registry or the repository is read-only (405){said}.",
            remedy="Push somewhere else, or ask whoever runs the registry.",
        )
    if status == 429:
        return RegistryBusy(
            f"{what}: too many requests (429), also after waiting as told{said}.", remedy="Try again later."
        )
    if status == 507 or "no space left" in said:
        return RegistryBusy(f"{what}: its disk is full ({status}){said}.", remedy="Ask whoever runs the registry.")
    if status >= 500:
        return RegistryBusy(f"{what}: it fails itself ({status}), at every attempt{said}.", remedy="Try again later.")
    if "DIGEST_INVALID" in said:
        return DigestMismatch(f"{what}: what arrived has another digest ({status}){said}.")
    return RegistryError(f"{what} ({status}){said}.")


def unreachable(error: httpx.TransportError, host: str, *, secure: bool) -> RegistryUnreachable:
    """The error for a connection that was not made or broke."""
    text = str(error) or type(error).__name__
    remedy = None
    if secure and ("WRONG_VERSION_NUMBER" in text or "record layer" in text.lower()):
        remedy = "It seems to speak plain http: say --plain-http if that is meant."
    elif "CERTIFICATE_VERIFY_FAILED" in text:
        remedy = "Name its certificate authority with --ca-file."
    return RegistryUnreachable(f"The registry {host} cannot be reached: {text}.", remedy=remedy)


def registry_message(response: httpx.Response) -> str:
    """What the registry itself says about a refusal, as ``: CODE message``, or an empty string."""
    try:
        errors = json.loads(response.content).get("errors") or []
        parts = [f"{item.get('code', '')} {item.get('message', '')}".strip() for item in errors[:3]]
        text = "; ".join(part for part in parts if part)
    except (ValueError, AttributeError, TypeError):
        text = response.text.strip() if response.headers.get("content-type", "").startswith("text/plain") else ""
    text = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:300].rstrip(".")
    return f": {text}" if text else ""


def retry_after(response: httpx.Response, now: datetime | None = None) -> float | None:
    """Seconds that ``Retry-After`` asks to wait (a number or a date, RFC 9110 section 10.2.3), or None."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    now = now or datetime.now(UTC)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())
