"""The columns of ``input`` as values: names and SQL types, read once from Flink's resolved schema.

``planner.py`` makes them; the mapping and the parser decide on them without touching Flink.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``root`` is Flink's LogicalTypeRoot name; ``sql`` its type as written in SQL."""

    name: str
    root: str
    sql: str
    nullable: bool = True
    element: Column | None = None
    fields: tuple[Column, ...] = ()
    rowtime: bool = False

    @property
    def quoted(self) -> str:
        """The name as an identifier in SQL."""
        return quote(self.name)


def quote(name: str) -> str:
    """A SQL identifier in backticks."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def nearest(name: str, known: tuple[str, ...]) -> str:
    """A closing sentence that names what exists and, where close, what was meant."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There are: {', '.join(known) or 'none'}.{hint}"
