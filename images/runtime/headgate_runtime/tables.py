"""Creates the pipeline's tables: resolves secrets and local paths, and takes out the options that are Headgate's own.

A table with ``'headgate.parse-errors' = 'dead-letter'`` is read as raw lines and parsed by :mod:`headgate_runtime.parsing`,
so that a line that does not parse becomes a dead letter instead of failing the job.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlparse

from pyflink.table import StreamTableEnvironment

from headgate_runtime.bridge import JAVA_ERRORS, cause_of, create_table
from headgate_runtime.errors import PlanRefused
from headgate_runtime.parsing import PARSE_ERRORS, ParsedTable, Parser, parsed_table, wants_parsing
from headgate_runtime.secrets import HIDDEN
from headgate_runtime.statements import split_statements

SECRETS_VARIABLE = "HEADGATE_SECRETS"
DEFAULT_SECRETS = "/opt/headgate/secrets"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the job runs, as far as tables care. ``folder``: where relative paths start (local runs only)."""

    folder: Path | None = None
    watch_ms: int | None = None
    secrets: Path = field(default_factory=lambda: Path(os.environ.get(SECRETS_VARIABLE, DEFAULT_SECRETS)))


def create_tables(t_env: StreamTableEnvironment, text: str, place: Place, parser: Parser) -> tuple[ParsedTable, ...]:
    """Execute ``spec.pipeline.tables``; gives the tables whose unparsable records become dead letters."""
    parsed: list[ParsedTable] = []
    for number, statement in enumerate(split_statements(text), start=1):
        try:
            if not re.match(r"(?is)\s*(--[^\n]*\n\s*|/\*.*?\*/\s*)*CREATE\s+(TEMPORARY\s+)?TABLE\b", statement):
                t_env.execute_sql(statement)
                continue
            if wants_parsing(statement):
                parsed.append(parsed_table(t_env, statement, lambda o: _resolved(o, place), parser))
            elif create_table(t_env, statement, lambda o: _resolved(o, place)) is None:
                t_env.execute_sql(statement)
        except JAVA_ERRORS as error:
            raise PlanRefused(f"spec.pipeline.tables, statement {number}: {cause_of(error)}") from error
    return tuple(parsed)


def _resolved(options: dict[str, str], place: Place) -> dict[str, str]:
    resolved = {option: _with_secrets(option, value, place.secrets) for option, value in options.items()}
    if resolved.get("connector") == "filesystem" and place.folder is not None:
        path = resolved.get("path", "")
        if path and not urlparse(path).scheme and not path.startswith("/"):
            resolved["path"] = (place.folder / path).resolve().as_uri()
        if place.watch_ms is not None:
            resolved.setdefault("source.monitor-interval", f"{place.watch_ms} ms")
    return resolved


def _with_secrets(option: str, value: str, folder: Path) -> str:
    return HIDDEN.resolve(value, folder, partial(_missing, option))


def _missing(option: str, name: str, key: str) -> PlanRefused:
    return PlanRefused(
        f"spec.pipeline.tables: option {option!r} wants key {key!r} of secret {name!r}, which is not mounted here. "
        f"In a cluster, create the Secret in the same namespace; in a local run, put the value into the file {name}/{key} "
        f"below the folder that {SECRETS_VARIABLE} names."
    )


__all__ = ["PARSE_ERRORS", "Place", "create_tables"]
