"""Turns what uv says about requirements that cannot be met into a sentence about this base and these requirements.

Called by ``dependencies`` alone. Pure. uv's wording is not an interface: what is not recognised is quoted, so that a
new wording costs clarity and never truth.
"""

from __future__ import annotations

import re

from headgate.imagebuild.base import BaseFacts
from headgate.imagebuild.errors import BuildFailed, DependencyRefused, IndexUnreachable

_NO_WHEEL = re.compile(
    r"([A-Za-z0-9._-]+)(?:==([^\s,]+))? has no (?:usable wheels|wheels with a matching ([^(,]+?)(?: \(|,| and))"
)
_NOT_FOUND = re.compile(r"([A-Za-z0-9._-]+) was not found in the (?:package registry|provided package locations)")
_NO_VERSION = re.compile(r"there (?:is|are) no versions? of ([^,]+?)(?:,| and| we can)")
_SECRET = re.compile(r"//[^/\s@]*@")
_UNREACHABLE = ("Failed to fetch", "error sending request", "dns error", "Could not connect", "operation timed out")


def explain(text: str, facts: BaseFacts) -> BuildFailed:
    """The error for uv's message ``text`` (its standard error)."""
    said = quote(text)
    if "Hash mismatch" in text or "hash mismatch" in text:
        return DependencyRefused(
            f"A package does not have the hash that the lock states: {said}.",
            remedy="Someone may have replaced it. If the change is meant, make the lock anew.",
        )
    if "--require-hashes" in text:
        return DependencyRefused(
            f"The lock does not state a hash for every package: {said}.",
            remedy="Make it with `uv pip compile --generate-hashes`, or leave it out.",
        )
    if any(sign in text for sign in _UNREACHABLE) and "No solution" not in text:
        return IndexUnreachable(f"The Python package index cannot be used: {said}.")
    if match := _NO_WHEEL.search(text):
        name, version = match[1], match[2] or ""
        kind = f" with a matching {match[3]}" if match[3] else ""
        return DependencyRefused(
            f"{f'{name} {version}'.strip()} has no wheel{kind} for Python {facts.python} on {facts.platform}, and "
            "nothing is compiled while an image is built.",
            remedy=f"Ask for a version of {name} that has one, or put a wheel into an index of your own.",
        )
    if match := _NOT_FOUND.search(text):
        return DependencyRefused(f"There is no package {match[1]} in the package index.", remedy="Is the name right?")
    packages, needers = dict(facts.packages), dict(facts.required_by)
    held = [name for name, version in facts.packages if re.search(_pin(name, version), text)]
    if held:
        return DependencyRefused(
            f"The requirements conflict with the base, which holds "
            f"{_enumerate(tuple(_holding(name, packages[name], needers.get(name, ())) for name in held))}: {said}.",
            remedy="Choose versions that fit the base's, or build a base of your own from images/runtime.",
        )
    if match := _NO_VERSION.search(text):
        return DependencyRefused(f"There is no version {match[1]} in the package index: {said}.")
    return DependencyRefused(f"The requirements cannot be met together: {said}.")


def wheelless(text: str) -> str:
    """The name of the package that uv found no wheel for, or an empty string."""
    match = _NO_WHEEL.search(text)
    return match[1] if match else ""


def quote(text: str) -> str:
    """What uv says in one line: its reasons without hints, passwords and decoration."""
    lines = [line.strip(" ×╰─▶│├") for line in _SECRET.sub("//", text).splitlines()]
    kept = [line for line in lines if line and not line.startswith("hint:")]
    if len(kept) > 1 and kept[0].startswith("error: No solution"):
        kept = kept[1:]
    joined = " ".join(line.removeprefix("error: ").removeprefix("cause: ") for line in kept)
    return " ".join(joined.split()).rstrip(".")[:900]


def _pin(name: str, version: str) -> str:
    return rf"(?<![\w.-]){re.escape(name)}==?{re.escape(version)}(?!\w)"


def _holding(name: str, version: str, needers: tuple[str, ...]) -> str:
    verb = "needs" if len(needers) == 1 else "need"
    return f"{name} {version}" + (f" (which {_enumerate(needers)} {verb})" if needers else "")


def _enumerate(items: tuple[str, ...]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" and {items[-1]}" if items else ""
