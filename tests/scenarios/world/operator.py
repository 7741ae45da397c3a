"""The operator of a story: rounds of observe, plan, write the status, act; it can die after any effect.

After every round it checks what must hold whatever happens; :func:`check_status` is where "Ready is never early" stands.
"""

from __future__ import annotations

import re

from headgate.api.status import ConditionStatus, ConditionType, ModelDeploymentStatus, parse_status
from headgate.planning.actions import LetGo
from headgate.planning.observation import FlinkState
from headgate.planning.plan import Plan, plan
from headgate.planning.reasons import Reason
from headgate.planning.revisions import revision_name_of, template_of
from scenarios.world.cluster import NAME, Refused, World
from scenarios.world.stream import ImpossibleWorld

_ELSEWHERE = {"ModelUnusable", "SavepointMissing", "RegistryUnreachable", "ModelTruncated"}
"""Reasons that the builder and the runtime of these stories give."""


def reconcile(world: World, *, effects: int | None = None) -> Plan | None:
    """One round. ``effects``: the operator dies after so many of them; the first one is the write of the status."""
    if world.gone:
        return None
    decided = plan(world.observe())
    if sum(isinstance(action, LetGo) for action in decided.actions) > 1:
        raise ImpossibleWorld("two runs are let go in one round")
    left = len(decided.actions) + 1 if effects is None else effects
    try:
        if left > 0:
            world.write_status(decided.status)
        for action in decided.actions[: max(0, left - 1)]:
            world.apply(action)
    except Refused:
        return decided
    if effects is None:
        world.events.extend(decided.events)
    if left > 0:
        check_status(world, parse_status(world.status))
    return decided


def check_status(world: World, status: ModelDeploymentStatus) -> None:
    """What must hold of every status that was written."""
    conditions = {c.type: c for c in status.conditions}
    if len(conditions) != len(status.conditions):
        raise ImpossibleWorld("a condition stands there twice")
    if {ConditionType.RECONCILING, ConditionType.STALLED} <= set(conditions):
        raise ImpossibleWorld("Reconciling and Stalled at once")
    for condition in status.conditions:
        if condition.reason not in {*Reason, *_ELSEWHERE}:
            raise ImpossibleWorld(f"{condition.type} has reason {condition.reason}, which nobody knows")
        if not re.search(r"\S", condition.message) and condition.type != ConditionType.STALLED:
            raise ImpossibleWorld(f"{condition.type} has no message")
    ready = conditions.get(ConditionType.READY)
    if ready is None:
        raise ImpossibleWorld("there is no Ready")
    if ready.status is ConditionStatus.TRUE and ready.observed_generation == world.generation:
        _check_ready(world)


def _check_ready(world: World) -> None:
    asked = revision_name_of(NAME, template_of(world.spec))
    running = [run.spec.revision for run in world.runs.values() if run.flink is FlinkState.RUNNING]
    if world.problems or world.spec.suspend or world.deleted_at is not None or running != [asked]:
        raise ImpossibleWorld(f"Ready, but {running} run and {asked} is asked for")
