"""Whether a candidate's plan can take over the state of the serving plan; found before the stream is stopped. Pure.

Both plans come as pairs of operator id and task name. An operator that keeps state and whose id the candidate does not have
would lose it: Flink then refuses to start, or, told to go on, starts it from nothing.
"""

from __future__ import annotations

import re

_KEEPS_STATE = re.compile(
    r"\b(Source|Writer|Committer|Sink|GroupAggregate|WindowAggregate|GroupWindow|Join|Rank|Deduplicate|OverAggregate|Match|"
    r"ChangelogNormalize|TemporalSort|headgate model step)\b",
    re.IGNORECASE,
)


def lost_state(serving: tuple[tuple[str, str], ...], candidate: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Names of the serving plan's tasks that keep state and have no counterpart in the candidate's plan."""
    kept = {operator for operator, _ in candidate}
    return tuple(
        dict.fromkeys(name for operator, name in serving if operator not in kept and _KEEPS_STATE.search(name))
    )


def not_allowed(lost: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Those that ``spec.rollout.allowStateLoss`` does not name; an entry names every task that contains it."""
    return tuple(name for name in lost if not any(entry in name for entry in allowed))
