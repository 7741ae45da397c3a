"""What the Kubernetes API may answer, mapped at one place (``kube.client``) from the client library's one exception.

ClusterError
├── ApiConflict      the object changed meanwhile: look again
├── ApiForbidden     the operator's role does not allow it
├── ApiInvalid       the API server refuses the object itself, or a quota does
├── BuildersBusy     as many builds run as the installation allows
├── ApiUnavailable   too many requests, a server error, nobody answers
└── ObjectUnreadable an object of ours holds what this release does not understand
"""

from __future__ import annotations

from headgate.errors import ClusterError, Disposition


class ApiConflict(ClusterError):
    """Somebody else wrote first."""

    reason = "ApiConflict"


class ApiForbidden(ClusterError):
    """Not allowed; waits for a person."""

    reason = "ApiForbidden"
    disposition = Disposition.WAITING


class ApiInvalid(ClusterError):
    """Refused as it stands."""

    reason = "ApiInvalid"
    disposition = Disposition.WAITING


class ApiUnavailable(ClusterError):
    """Likely to pass."""

    reason = "ApiUnavailable"


class ObjectUnreadable(ClusterError):
    """Not written by this release; it is left alone."""

    reason = "ObjectUnreadable"
    disposition = Disposition.WAITING


class BuildersBusy(ClusterError):
    """Somebody else's build began first."""

    reason = "BuildersBusy"
