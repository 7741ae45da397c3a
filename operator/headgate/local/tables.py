"""What the pipeline's SQL says about its tables: names, WITH options, and which of them are written to.

Called by ``headgate.local.session`` (which jars are needed) and by the command line (where output lies). Pure; the reading
of SQL is that of ``headgate.api``.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.api.sqlstatements import split
from headgate.api.sqltables import Declares, read_declaration, read_path


@dataclass(frozen=True, slots=True)
class TableOptions:
    """One CREATE TABLE: its name, and its options in their order."""

    name: str
    options: tuple[tuple[str, str], ...]

    def get(self, option: str) -> str:
        """The option's value, or an empty text."""
        return dict(self.options).get(option, "")


def tables_of(sql: str) -> tuple[TableOptions, ...]:
    """Every CREATE TABLE of ``sql``; one without WITH (LIKE, AS) has no options of its own."""
    declared = (read_declaration(statement) for statement in split(sql)[0])
    return tuple(
        TableOptions(one.name, tuple((key.value, value.value) for key, value in one.options or ()))
        for one in declared
        if one is not None and one.declares is Declares.TABLE
    )


def sinks_of(sql: str) -> tuple[str, ...]:
    """The tables that the INSERT statements of ``sql`` write to, each once, in order."""
    found: dict[str, None] = {}
    for statement in split(sql)[0]:
        tokens = statement.tokens
        for at, token in enumerate(tokens[:-1]):
            if token.upper == "INSERT" and tokens[at + 1].upper in ("INTO", "OVERWRITE"):
                path, _ = read_path(tokens, at + 2)
                if path:
                    found.setdefault(path[-1])
    return tuple(found)
