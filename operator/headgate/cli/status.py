"""``headgate status NAME``: what the cluster knows of one stream, longer than ``kubectl get`` tells it."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from typing import Annotated

import typer

from headgate.api.status import parse_status
from headgate.cli.cluster import Context, Kubeconfig, Name, Namespace, NotFound, Target
from headgate.cli.console import OutputFormat, coloured, say, say_json
from headgate.cli.story import Seen, as_json, as_text

_BETWEEN_LOOKS_S = 2.0
_CLEAR = "\x1b[H\x1b[2J"


def status(
    name: Name,
    namespace: Namespace = "",
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on, and show every change.")] = False,
    output: Annotated[OutputFormat, typer.Option("-o", "--output", help="How to show it.")] = OutputFormat.TEXT,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Tell a stream's story in the cluster. Rollout, versions, throughput, the last failure and what to do about it."""
    target = Target.find(name, namespace, kubeconfig, context)
    seen = look(target)
    _show(seen, output, clear=False)
    shown = _what_changes(seen)
    while watch:
        threading.Event().wait(_BETWEEN_LOOKS_S)
        try:
            seen = look(target)
        except NotFound:
            say(f"{target.namespace}/{name} is gone.")
            return
        if (now := _what_changes(seen)) != shown:
            _show(seen, output, clear=coloured(sys.stdout))
            shown = now


def look(target: Target) -> Seen:
    """The object and its revisions, as they stand."""
    found = target.read()
    return Seen(
        target.namespace,
        target.name,
        int(found["metadata"].get("generation", 0)),
        found["spec"],
        parse_status(found.get("status") or {}),
        target.revisions(),
        datetime.now(UTC),
    )


def _what_changes(seen: Seen) -> object:
    return seen.generation, seen.status, seen.revisions


def _show(seen: Seen, output: OutputFormat, *, clear: bool) -> None:
    if output is OutputFormat.JSON:
        say_json(as_json(seen))
        return
    text = as_text(seen)
    say(_CLEAR + text if clear else text)
