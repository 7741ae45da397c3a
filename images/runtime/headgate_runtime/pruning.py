"""Which columns must pass the model step: those that ``output`` can read. Pure, and errs on the side of keeping.

Every column that passes is copied twice per row, so what nobody reads stays behind. A statement reads a column by writing its
name or by asking for all of them; dead letters hold the whole record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from headgate_runtime.columns import Column

_EVERYTHING = re.compile(
    r"""
    (?<![\w)`\s.])\s*\*            # a star that nothing is multiplied by: after a comma or a bracket
    | \b(SELECT|DISTINCT|ALL)\s*\*
    | \.\s*\*                      # scored.*
    | \bTABLE\s+`?scored\b         # a table by itself, or handed to a function
    | \bNATURAL\b
    | dead_letters
    | U&                           # names written as code points
    """,
    re.VERBOSE | re.IGNORECASE,
)
_COUNT = re.compile(r"\bCOUNT\s*\(\s*\*\s*\)", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def columns_to_pass(output: str, columns: Sequence[Column], key: str) -> tuple[Column, ...]:
    """The columns that the statements of ``output`` may read, in their order; always the key and time attributes."""
    counted = _COUNT.sub("COUNT(1)", output)
    # What looks like a comment may stand in a string: with and without, all that is asked for is kept.
    if _EVERYTHING.search(counted) or _EVERYTHING.search(_COMMENT.sub(" ", counted)):
        return tuple(columns)
    return tuple(c for c in columns if c.name == key or c.rowtime or "`" in c.name or c.name in output)
