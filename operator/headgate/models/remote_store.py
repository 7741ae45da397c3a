"""Models in object stores: ``s3://bucket/key``, ``gs://bucket/key``, ``az://container/path``, through obstore.

Endpoints and credentials come from the environment in the stores' own variables (``AWS_…``, ``GOOGLE_…``, ``AZURE_…``) or the
machine's identity, as obstore reads them; whoever runs the builder sets them, never the resource. So an address names a bucket
and a key only, and nothing in it can choose a host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import ObjectStore, from_url

from headgate.models.remote_errors import SourceDenied, SourceMissing, SourceNotUnderstood, SourceUnreachable
from headgate.models.remote_places import Opened

_PREFIXES = {"s3": "aws_", "gs": "google_", "az": "azure_"}
SCHEMES = frozenset(_PREFIXES)
_CHUNK = 8 * 1024 * 1024
_CLIENT = {"connect_timeout": "15s", "read_timeout": "60s", "timeout": "6h"}


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How to reach object stores."""

    settings: tuple[tuple[str, str], ...] = ()
    """obstore's settings (``aws_endpoint``, …); they win over the environment's."""
    plain_http: bool = False
    """Whether an endpoint may be spoken to without TLS."""
    attempts: int = 5


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A prefix of a bucket."""

    store: ObjectStore
    prefix: str
    """Empty, or ending in ``/``."""
    address: str
    """``s3://bucket/``."""

    @property
    def repository(self) -> str:
        """No registry."""
        return ""

    def open(self, name: str) -> Opened:
        """See :class:`~headgate.models.remote_places.Place`."""
        try:
            result = obstore.get(self.store, self.prefix + name)
        except (exceptions.BaseError, FileNotFoundError, PermissionError, ValueError) as error:
            raise self._error(error, name) from error
        meta = result.meta
        return Opened(self._chunks(result, name), meta["size"], meta.get("e_tag") or "")

    def etag(self, name: str) -> str:
        """The store's ETag now."""
        try:
            return obstore.head(self.store, self.prefix + name).get("e_tag") or ""
        except (exceptions.BaseError, FileNotFoundError, PermissionError, ValueError) as error:
            raise self._error(error, name) from error

    def describe(self, name: str) -> str:
        """The address of the object."""
        return f"{self.address}{self.prefix}{name}"

    def _chunks(self, result: Any, name: str) -> Iterator[bytes]:
        try:
            for chunk in result.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)
        except (exceptions.BaseError, OSError) as error:
            raise self._error(error, name) from error

    def _error(self, error: Exception, name: str) -> Exception:
        subject = self.describe(name)
        match error:
            case exceptions.NotFoundError() | FileNotFoundError():
                return SourceMissing(f"{subject} does not exist.")
            case exceptions.PermissionDeniedError() | exceptions.UnauthenticatedError() | PermissionError():
                return SourceDenied(
                    f"{subject} may not be read with the credentials that the builder has.",
                    remedy="Give it a Secret with keys for the bucket, or an identity that may read it.",
                )
            case exceptions.InvalidPathError() | ValueError():
                return SourceNotUnderstood(f"{subject} is not an address in an object store.")
        return SourceUnreachable(f"{subject} cannot be fetched: {_first_reason(error)}.")


def open_store(scheme: str, bucket: str, key: str, options: StoreOptions) -> tuple[StorePlace, str]:
    """The place of an object and the object's name in it."""
    prefix, slash, name = key.rpartition("/")
    address = f"{scheme}://{bucket}/"
    if not bucket or not name:
        raise SourceNotUnderstood(f"{address}{key} names no object: it needs a bucket and a key.")
    # obstore panics over a setting of another store, and takes this one as an option of its client.
    config: Any = {
        setting: value
        for setting, value in options.settings
        if setting.startswith(_PREFIXES[scheme]) and not setting.endswith("allow_http")
    }
    client: Any = dict(_CLIENT)
    if options.plain_http or ("aws_allow_http", "true") in options.settings:
        client["allow_http"] = True
    retry: Any = {"max_retries": options.attempts - 1}
    try:
        store = from_url(f"{scheme}://{bucket}", config=config or None, client_options=client, retry_config=retry)
    except (exceptions.BaseError, ValueError) as error:
        raise SourceUnreachable(f"The store of {address} cannot be used: {_first_reason(error)}.") from error
    return StorePlace(store, prefix + slash, address), name


def _first_reason(error: Exception) -> str:
    """The first line that obstore gives, without the debug output that follows it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".:")[:300]
