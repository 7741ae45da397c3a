"""What must hold between the fields of a spec, beyond the types: a table of small checks that validation runs.

A check reads a valid spec and yields problems with paths below ``spec``. ``reads`` names the fields that it looks at: a
check is left out when one of them was itself refused, so that no problem is told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from headgate.api.checks_flink import (
    check_base,
    check_config,
    check_durations,
    check_file_without_claim,
    check_repository,
    check_slots,
    check_storage,
)
from headgate.api.checks_inserts import check_output, check_output_tables, warn_dead_letters
from headgate.api.checks_model import (
    check_constants,
    check_expressions,
    check_feeding,
    check_follow,
    check_histogram,
    check_labels,
    check_places,
    check_providers,
    check_state,
    check_state_in_canary,
)
from headgate.api.checks_pipeline import check_module, check_requirements
from headgate.api.checks_query import (
    check_fed_columns,
    check_input,
    check_input_tables,
    check_key,
    check_scored_names,
)
from headgate.api.checks_tables import check_secrets, check_tables, warn_passwords, warn_unused
from headgate.api.problems import Path, Problem
from headgate.api.resources import ModelDeploymentSpec

Run = Callable[[ModelDeploymentSpec], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check and the fields (below ``spec``) that must be sound before it makes sense."""

    run: Run
    reads: tuple[Path, ...]
    each: bool = False
    """Looks at one entry after the other, so that an entry refused below ``reads`` leaves the others to be checked."""


_TABLES, _INPUT, _OUTPUT = ("pipeline", "tables"), ("pipeline", "input"), ("pipeline", "output")

PROBLEMS = (
    Check(check_places, (("model", "uri"), ("model", "labels"), ("model", "goldens")), each=True),
    Check(check_follow, (("model", "follow"),)),
    Check(check_feeding, (("model", "inputs"), ("model", "constants"), ("model", "state"))),
    Check(check_constants, (("model", "constants"),), each=True),
    Check(check_expressions, (("model", "outputs"),), each=True),
    Check(check_labels, (("model", "outputs"), ("model", "labels"))),
    Check(check_histogram, (("model", "outputs"), ("model", "histogram"))),
    Check(check_state, (("model", "state"),)),
    Check(check_providers, (("model", "execution"),)),
    Check(check_requirements, (("pipeline", "python", "requirements"),)),
    Check(check_module, (("pipeline", "python", "module"),)),
    Check(check_secrets, (_TABLES, _INPUT, _OUTPUT)),
    Check(check_tables, (_TABLES,)),
    Check(check_input, (_INPUT,)),
    Check(check_input_tables, (_TABLES, _INPUT)),
    Check(check_key, (_TABLES, _INPUT, ("pipeline", "key"))),
    Check(check_fed_columns, (_TABLES, _INPUT, ("model", "inputs"))),
    Check(check_scored_names, (_TABLES, _INPUT, ("model", "outputs"))),
    Check(check_output, (_OUTPUT,)),
    Check(check_output_tables, (_TABLES, _INPUT, _OUTPUT, ("model", "outputs"), ("rollout", "strategy"))),
    Check(check_durations, (("model", "execution"), ("model", "follow"), ("flink",), ("rollout",)), each=True),
    Check(check_storage, (("flink", "storage"),), each=True),
    Check(check_config, (("flink", "config"),), each=True),
    Check(check_repository, (("image", "repository"),)),
    Check(check_base, (("image", "base"),)),
)
"""Checks whose findings refuse the resource."""

WARNINGS = (
    Check(check_slots, (("flink", "slotsPerTaskManager"), ("flink", "parallelism"))),
    Check(check_file_without_claim, (("flink", "storage"),)),
    Check(check_state_in_canary, (("model", "state"), ("rollout",))),
    Check(warn_passwords, (_TABLES,)),
    Check(warn_unused, (_TABLES, _INPUT, _OUTPUT)),
    Check(warn_dead_letters, (_OUTPUT, ("pipeline", "onError"))),
)
"""Checks whose findings are worth a word and no more."""
