"""Where a command's resource comes from: a file or stdin, the folder that its paths count from, and ``--set``.

Called by ``validate``, ``run`` and ``explain``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headgate.api.load import Document, read_documents
from headgate.api.resources import ModelDeployment
from headgate.api.validation import examine
from headgate.cli.overrides import apply_overrides
from headgate.errors import HeadgateError, InvalidResource


class SourceUnreadable(HeadgateError):
    """A resource's file that cannot be read."""

    reason = "SourceUnreadable"


@dataclass(frozen=True, slots=True)
class Source:
    """A text with resources."""

    label: str
    """The file as it was given, or ``stdin``."""
    base: Path
    """Relative paths inside count from here."""
    text: str


def read_source(file: str) -> Source:
    """The text of ``file``; ``-`` is stdin, whose paths count from the working directory. Raises ``SourceUnreadable``."""
    if file == "-":
        return Source("stdin", Path.cwd(), sys.stdin.read())
    path = Path(file)
    try:
        return Source(file, path.absolute().parent, path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SourceUnreadable(f"{file} does not exist.") from error
    except UnicodeDecodeError as error:
        raise SourceUnreadable(
            f"{file} is not UTF-8 text.", remedy="A resource is a YAML file; a model is named in it."
        ) from error
    except OSError as error:
        raise SourceUnreadable(f"{file} cannot be read: {error.strerror}.") from error


def read_deployment(source: Source, assignments: Sequence[str]) -> ModelDeployment:
    """The one ModelDeployment of ``source`` with every ``field=value`` set.

    Raises ``InvalidResource`` with every problem, or when there is more than one.
    """
    documents = read_documents(source.text, source=source.label)
    if len(documents) > 1:
        names = ", ".join(document.name or f"line {document.line}" for document in documents)
        raise InvalidResource(
            (f"holds {len(documents)} ModelDeployments ({names}), and one is run at a time",), name=source.label
        )
    document: Document = documents[0]
    findings = examine(apply_overrides(document.raw, assignments) if assignments else document.raw)
    if findings.deployment is None:
        # With --set, what is wrong may stand on no line of the file.
        say = str if assignments else document.describe
        raise InvalidResource(tuple(say(problem) for problem in findings.problems), name=source.label)
    return findings.deployment
