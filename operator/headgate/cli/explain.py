"""``headgate explain FILE``: what a resource becomes: the resolved job, Flink's plan, the operators with their ids."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from headgate.cli.console import OutputFormat, pairs, say, say_json, tell
from headgate.cli.progress import watching
from headgate.cli.sources import read_deployment, read_source
from headgate.errors import RunFailed
from headgate.local.protocol import PlanEvent
from headgate.local.session import Request, converse, prepare


def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A resource file; - is stdin.")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a field first; may be repeated.")
    ] = None,
    jars: Annotated[
        list[Path] | None, typer.Option("--jar", metavar="JAR", help="A connector of your own; may be repeated.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("-o", "--output", help="How to show it.")] = OutputFormat.TEXT,
) -> None:
    """Show the resolved job and Flink's plan.

    With the ids of the plan's operators, by which a savepoint is matched. Nothing is run.
    """
    source = read_source(file)
    request = Request(read_deployment(source, assignments or ()), source.base, jars=tuple(jars or ()))
    with prepare("explain", request, os.environ, tell) as prepared:
        with watching(None) as watcher:
            outcome = converse(prepared, watcher)
        if outcome.plan is None:
            raise RunFailed("The runtime ended without a plan.", remedy=f"The log is {prepared.child.log}.")
        job = json.loads(prepared.job.job.read_text(encoding="utf-8"))
    if output is OutputFormat.JSON:
        operators = [{"id": one.id, "name": one.name} for one in outcome.plan.operators]
        say_json({"job": job, "plan": outcome.plan.text, "operators": operators})
    else:
        say(as_text(job, outcome.plan))


def as_text(job: dict[str, Any], plan: PlanEvent) -> str:
    """The job, its operators and the plan as sections of text."""
    model = job["models"][0]
    facts: list[tuple[str, Any]] = [
        ("revision", job["revision"]),
        ("model", f"version {model['version']}, {model['digest']}"),
        *((f"input {name}", ", ".join(columns)) for name, columns in model["inputs"].items()),
        *((f"constant {name}", json.dumps(value)) for name, value in model["constants"].items()),
        *((f"state {one['input']}", f"{one['shape']} from output {one['output']}") for one in model["state"]),
        *((f"output {name}", expression) for name, expression in model["outputs"].items()),
        ("key", job["pipeline"]["key"]),
        ("parallelism", job["flink"]["parallelism"]),
        ("checkpoints", f"every {job['flink']['checkpointIntervalMs']} ms"),
    ]
    return "\n".join((job["name"], pairs(facts), "", "operators", _operators(plan), "", "plan", plan.text.strip()))


def _operators(plan: PlanEvent) -> str:
    """Ids under the task that holds them: Flink chains operators that need no network between them."""
    tasks: dict[str, list[str]] = {}
    for operator in plan.operators:
        tasks.setdefault(operator.name, []).append(operator.id)
    return "\n".join(f"  {task}\n" + "\n".join(f"    {one}" for one in ids) for task, ids in tasks.items())
