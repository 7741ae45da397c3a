"""Why a model could not be fetched.

    ModelRefused (headgate.errors)
    └── FetchFailed
        ├── SourceMissing        nothing is there under that name
        ├── SourceDenied         the store wants other credentials
        ├── SourceUnreachable    the store did not answer, or broke off too often (transient)
        ├── SourceChanged        it changed while it was read (transient)
        ├── SourceMismatch       it is not what spec.model.sha256 says
        └── SourceNotUnderstood  an address that means nothing, or something that holds no model

Raised by the ``remote_*`` modules; a message names the address without user, password and query.
"""

from __future__ import annotations

from headgate.errors import Disposition, ModelRefused


class FetchFailed(ModelRefused):
    """A model could not be fetched; subclasses tell why."""

    reason = "ModelFetchFailed"


class SourceMissing(FetchFailed):
    """There is nothing at the address."""

    reason = "ModelNotFound"


class SourceDenied(FetchFailed):
    """The store does not let us read it."""

    reason = "ModelAccessDenied"


class SourceUnreachable(FetchFailed):
    """The store did not answer."""

    reason = "ModelSourceUnreachable"
    disposition = Disposition.TRANSIENT


class SourceChanged(FetchFailed):
    """The model was replaced while it was read."""

    reason = "ModelChanged"
    disposition = Disposition.TRANSIENT


class SourceMismatch(FetchFailed):
    """The model has another digest than the resource demands."""

    reason = "ModelDigestMismatch"


class SourceNotUnderstood(FetchFailed):
    """The address means nothing, or what is there is no model."""

    reason = "ModelSourceInvalid"
