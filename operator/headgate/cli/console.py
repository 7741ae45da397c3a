"""What every command says and how: results on stdout, everything else on stderr, plain text that needs no terminal.

Called by every command. It never colours anything that is not a terminal, or that NO_COLOR forbids.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, TextIO

_WIDEST_CELL = 48


class OutputFormat(StrEnum):
    """What ``-o`` takes."""

    TEXT = "text"
    JSON = "json"


def say(text: str) -> None:
    """One result, to stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    """A result as indented JSON, to stdout; keys keep their order."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def tell(text: str) -> None:
    """One line about what is going on, to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def tell_error(text: str) -> None:
    """The reason of a failure, to stderr."""
    mark = "error:"
    tell(f"\x1b[31;1m{mark}\x1b[0m {text}" if coloured(sys.stderr) else f"{mark} {text}")


def coloured(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal that wants colour (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, indent: str = "  ") -> str:
    """Aligned columns under their headers; numbers to the right, long cells cut with an ellipsis."""
    body = [[cell(value) for value in row] for row in rows]
    numeric = [False] * len(headers)
    kept = [list(row) for row in rows] if isinstance(rows, Sequence) else []
    for column in range(len(headers)):
        values = [row[column] for row in kept]
        numeric[column] = bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    widths = [max(len(line[column]) for line in [list(headers), *body]) for column in range(len(headers))]
    lines = []
    for line in [list(headers), *body]:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def pairs(rows: Iterable[tuple[str, Any]], *, indent: str = "  ") -> str:
    """Names and values in two columns."""
    kept = [(name, str(value)) for name, value in rows]
    width = max((len(name) for name, _ in kept), default=0)
    return "\n".join(f"{indent}{name.ljust(width)}  {value}".rstrip() for name, value in kept)


def cell(value: Any) -> str:
    """One value of a table: nothing for null, numbers short, the rest on one line and cut."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"


def size(count: int) -> str:
    """Bytes for a person: ``812 B``, ``1.4 MiB``."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024 or unit == "GiB":
            return f"{value:.1f} {unit}"
    raise AssertionError("unreachable")


def plural(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``2 rows``, ``12,000 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
