"""The one exception tree of the package; every error that a person may see is one of these.

    HeadgateError
    ├── InvalidResource      a resource that cannot mean anything: carries every problem at once
    ├── ModelRefused         a model artifact that cannot be served: carries a reason and a remedy
    ├── BuildFailed          an image that could not be built or pushed (subclasses in imagebuild)
    ├── RunFailed            a local run that did not end well
    ├── ToolMissing          something that this machine lacks (Java, a runtime environment, a jar)
    └── ClusterError         the Kubernetes API or Flink's REST API said no (subclasses in kube, flink)

Each class has a ``reason`` (CamelCase, shared with conditions and events) and a ``disposition`` that says what the
controller does with it. A message is a sentence that says what is wrong, where, and what to do; it never holds a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Disposition(StrEnum):
    """What a caller that retries should do with an error."""

    TERMINAL = "Terminal"
    """Nothing changes until a person changes something: Stalled."""
    WAITING = "Waiting"
    """Something else must happen first: look again after a while."""
    TRANSIENT = "Transient"
    """Likely to pass by itself: back off and retry."""


class HeadgateError(Exception):
    """Base of every expected failure. ``str(error)`` is the sentence that a person reads."""

    reason: str = "Failed"
    disposition: Disposition = Disposition.TERMINAL

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class InvalidResource(HeadgateError):
    """A resource refused by validation; ``problems`` holds every one of them, each with its field path."""

    reason = "InvalidSpec"

    def __init__(self, problems: tuple[str, ...], *, name: str = "") -> None:
        self.problems = problems
        subject = f"{name}: " if name else ""
        super().__init__(subject + "; ".join(problems))


class ModelRefused(HeadgateError):
    """A model artifact that cannot be served. Subclasses in ``headgate.models.refusals`` name each case."""

    reason = "ModelRefused"


class BuildFailed(HeadgateError):
    """An image could not be built or pushed. Subclasses in ``headgate.imagebuild.errors`` name each case."""

    reason = "BuildFailed"


class RunFailed(HeadgateError):
    """A local run did not end well."""

    reason = "RunFailed"


class ToolMissing(HeadgateError):
    """This machine lacks something that the command needs."""

    reason = "ToolMissing"


class ClusterError(HeadgateError):
    """The Kubernetes API or Flink's REST API refused or did not answer."""

    reason = "ClusterError"
    disposition = Disposition.TRANSIENT
