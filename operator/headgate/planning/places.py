"""Where the state of a stream lies, as text that a run's ``main()`` understands. Pure.

A *place* has one alternative a line; the first that holds a complete snapshot is taken. An alternative is a savepoint's or
checkpoint's path, a folder (ending in ``/``) below which the newest complete snapshot counts, or nothing: start from nothing.
Since two runs never emit at once, the newest snapshot below a run's own folder is where that run left the stream.
"""

from __future__ import annotations

NOTHING = ""
_LONGEST = 2048


def run_folder(storage: str, namespace: str, deployment: str, uid: str, run: str) -> str:
    """The folder of one run's data, without a slash at the end.

    The object's uid is part of it: Flink's job id and checkpoint names follow from the run's name, and a ModelDeployment that is
    deleted and made again counts its runs from 1 again.
    """
    return f"{storage.rstrip('/')}/{namespace}/{deployment}-{uid[:8] or '0'}/{run}"


def newest_below(folder: str) -> str:
    """The place of the newest complete snapshot below a folder."""
    return f"{folder.rstrip('/')}/"


def either(first: str, second: str) -> str:
    """``first`` where it holds a snapshot, else ``second``.

    What would become too long for a field is cut off at the end: a start that then finds nothing fails, and starts from nothing
    only where it was allowed to.
    """
    lines = list(dict.fromkeys((*first.split("\n"), *second.split("\n"))))
    while len("\n".join(lines)) > _LONGEST:
        lines.pop()
    return "\n".join(lines)


def is_nothing(place: str) -> bool:
    """Whether a start from there is a start from nothing, whatever the storage holds."""
    return place == NOTHING


def describe(place: str) -> str:
    """A place in words."""
    words = []
    for one in place.split("\n"):
        words.append(f"the newest snapshot below {one}" if one.endswith("/") else one or "nothing")
    return ", else ".join(words)
