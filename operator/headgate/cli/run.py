"""``headgate run FILE``: a resource on this machine, on Flink's embedded cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from headgate.api.quantities import parse_duration
from headgate.cli.console import OutputFormat, say, say_json, tell
from headgate.cli.progress import watching
from headgate.cli.report import Report, as_json, as_text, sinks
from headgate.cli.sources import read_deployment, read_source
from headgate.errors import RunFailed
from headgate.local.session import Request, converse, prepare


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A resource file; - is stdin.")],
    rows: Annotated[int | None, typer.Option(metavar="N", min=1, help="Score the first N records, then stop.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and score files that are added to source folders.")
    ] = False,
    every: Annotated[str, typer.Option(metavar="DURATION", help="With --watch: how often to look.")] = "1s",
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a field first; may be repeated.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the job folder (job.json, model) here.")
    ] = None,
    jars: Annotated[
        list[Path] | None, typer.Option("--jar", metavar="JAR", help="A connector of your own; may be repeated.")
    ] = None,
    savepoint_dir: Annotated[
        Path | None, typer.Option("--savepoint-dir", metavar="DIR", help="Keep the savepoint of a stop (Ctrl-C) here.")
    ] = None,
    from_savepoint: Annotated[
        str | None, typer.Option("--from-savepoint", metavar="PATH", help="Go on from this savepoint.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option("-o", "--output", help="How to show the summary.")
    ] = OutputFormat.TEXT,
) -> None:
    """Run a resource on this machine.

    On Flink's embedded cluster, with a summary at the end. Ctrl-C stops it with a savepoint, twice cancels it.
    """
    source = read_source(file)
    deployment = read_deployment(source, assignments or ())
    request = Request(
        deployment,
        source.base,
        rows=rows,
        watch_ms=_milliseconds(every) if watch else None,
        jars=tuple(jars or ()),
        keep=keep,
        savepoint_dir=savepoint_dir,
        from_savepoint=from_savepoint,
    )
    with prepare("run", request, os.environ, tell) as prepared:
        with watching(rows) as watcher:
            outcome = converse(prepared, watcher)
        if outcome.summary is None:
            raise RunFailed("The runtime ended without a summary.", remedy=f"The log is {prepared.child.log}.")
        report = Report(
            deployment.metadata.name,
            prepared.job.revision,
            outcome.summary,
            outcome.rate,
            sinks(deployment, source.base),
        )
        if output is OutputFormat.JSON:
            say_json(as_json(report))
        else:
            say(as_text(report))
        tell(f"log: {prepared.child.log}")


def _milliseconds(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--every") from error
