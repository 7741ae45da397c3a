"""Everything that can go wrong while an image is built, pushed or verified.

    BuildFailed (headgate.errors)
    ├── RegistryError            a registry said no
    │   ├── RegistryUnreachable  no connection, or it broke too often
    │   ├── RegistryBusy         429 or 5xx after every retry
    │   ├── RegistryUnauthorized 401 although (or because no) credentials were given
    │   ├── RegistryForbidden    403
    │   ├── RegistryReadOnly     the repository takes no writes
    │   └── RegistryMissing      no such manifest, blob or repository
    ├── UnsafeAddress            a redirect or address that leads into a private network
    ├── DigestMismatch           bytes are not what their digest says
    ├── ManifestRefused          a manifest that is too large or not understood
    ├── ReferenceRefused         text that names no image
    ├── BaseRefused              a base image that was not made for Headgate, or for another machine
    ├── DependencyRefused        Python requirements that this base cannot take
    ├── IndexUnreachable         the Python package index did not answer
    ├── SourceRefused            a file that cannot become part of an image (unsafe path, changed while read)
    ├── DiskFull                 no space left where the build works
    └── SignatureRefused         an image whose signature is missing or wrong

Raised across ``headgate.imagebuild`` and ``headgate.models.remote``; shown by the CLI and written into conditions by
the controller. A message never holds a password, a token or the query of a signed address.
"""

from __future__ import annotations

from headgate.errors import BuildFailed as BuildFailed
from headgate.errors import Disposition


class RegistryError(BuildFailed):
    """A registry said no; subclasses tell how."""

    reason = "RegistryError"


class RegistryUnreachable(RegistryError):
    """No connection could be made, or it broke at every attempt."""

    reason = "RegistryUnreachable"
    disposition = Disposition.TRANSIENT


class RegistryBusy(RegistryError):
    """The registry answered 429 or 5xx at every attempt."""

    reason = "RegistryBusy"
    disposition = Disposition.TRANSIENT


class RegistryUnauthorized(RegistryError):
    """The registry wants credentials that were not given, or refused those given."""

    reason = "RegistryUnauthorized"


class RegistryForbidden(RegistryError):
    """The credentials are known and do not allow this."""

    reason = "RegistryForbidden"


class RegistryReadOnly(RegistryError):
    """The registry or repository accepts no writes."""

    reason = "RegistryReadOnly"


class RegistryMissing(RegistryError):
    """No such manifest, blob or repository."""

    reason = "ImageNotFound"


class UnsafeAddress(BuildFailed):
    """A redirect or an address that leads into a private network without leave."""

    reason = "UnsafeAddress"


class DigestMismatch(BuildFailed):
    """Bytes do not have the digest that they were announced with."""

    reason = "DigestMismatch"


class ManifestRefused(BuildFailed):
    """A manifest, index or config that is too large or not understood."""

    reason = "ManifestRefused"


class ReferenceRefused(BuildFailed):
    """Text that does not name an image."""

    reason = "InvalidReference"


class BaseRefused(BuildFailed):
    """The base image was not made for Headgate, or for another machine."""

    reason = "BaseRefused"


class DependencyRefused(BuildFailed):
    """Python requirements that cannot be met on this base."""

    reason = "DependencyRefused"


class IndexUnreachable(BuildFailed):
    """The Python package index did not answer."""

    reason = "PackageIndexUnreachable"
    disposition = Disposition.TRANSIENT


class SourceRefused(BuildFailed):
    """A file that cannot become part of an image."""

    reason = "SourceRefused"


class DiskFull(BuildFailed):
    """No space is left in the folder where the build works."""

    reason = "DiskFull"
    disposition = Disposition.TRANSIENT


class SignatureRefused(BuildFailed):
    """An image's signature is missing, does not fit the key, or signs another image."""

    reason = "SignatureRefused"
