"""How a model version behaves: what a story says about it before it is shipped."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.planning.observation import Signature

STAGES = ("contract", "verify", "load", "smoke", "plan", "goldens", "ready", "warm-up", "wait")

SIGNATURE = Signature((("x", "float32 [?, 1]"),), (("y", "float32 [?, 1]"),))

OPERATORS = (("src", "Source: customers"), ("step", "headgate model step"), ("sink", "predictions: Writer"))
"""Operator ids and task names of the pipeline that every version has unless its story says otherwise."""


@dataclass(frozen=True)
class Behaviour:
    """The defaults are a good version."""

    build_seconds: int = 3
    build_fails: str = ""
    """The reason of a build that fails for good."""
    registry_down: bool = False
    """The build fails for a reason that passes."""
    pod_problem: str = ""
    """Its pods never start."""
    fails_at: str = ""
    """The stage of main() that fails."""
    silent_at: str = ""
    """The stage of main() at which the JobManager's process dies without a word."""
    hangs_at: str = ""
    """The stage of main() that never ends."""
    crash_after: int | None = None
    """The job crashes whenever it has run for so many seconds."""
    gives_up: bool = False
    """Flink gives the job up at that crash instead of restarting it."""
    never_runs: bool = False
    """Its tasks never come up."""
    checkpoints_fail: bool = False
    capacity: int | None = None
    """How many records it scores in a second at most."""
    tells_lag: bool = True
    """Its sources say how many records they have yet to read."""
    operators: tuple[tuple[str, str], ...] = OPERATORS
    bounded: bool = False
    signature: Signature | None = SIGNATURE
