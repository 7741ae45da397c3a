"""Fetches a model from wherever its address says, with its external data files: streamed, hashed in one pass, bounded.

``s3://``, ``gs://``, ``az://`` (``remote_store``), ``https://`` (``remote_http``), ``oci://`` (``remote_oci``), ``pvc://`` and files
(``remote_disk``). Called by ``headgate build`` and the builder's Job. What comes back is exactly one state of the model: when it
changes in between, the fetch fails. It does not judge the model; ``headgate.models.reader`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import onnx

from headgate.imagebuild.addresses import AddressPolicy
from headgate.imagebuild.plan import check_path
from headgate.imagebuild.records import public_uri
from headgate.imagebuild.reference import Reference, parse_reference
from headgate.imagebuild.stores import ImageSource
from headgate.models.digest import artifact_digest
from headgate.models.local import resolve_local
from headgate.models.reader import parse_model
from headgate.models.remote_disk import DiskPlace
from headgate.models.remote_errors import SourceChanged, SourceMismatch, SourceNotUnderstood
from headgate.models.remote_http import HttpOptions, open_http
from headgate.models.remote_oci import open_artifact
from headgate.models.remote_places import Place, Saved, save
from headgate.models.remote_store import SCHEMES, StoreOptions, open_store
from headgate.models.signature import ModelFile
from headgate.models.walk import walk_tensors

DEFAULT_NAME = "model.onnx"


def _no_registry(reference: Reference) -> ImageSource:
    raise SourceNotUnderstood(f"oci://{reference} cannot be fetched here: no registry access was set up.")


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What the edge knows about sources."""

    base_folder: Path
    """What relative paths count from: the folder of the resource's file."""
    http: HttpOptions = field(default_factory=HttpOptions)
    stores: StoreOptions = field(default_factory=StoreOptions)
    claims: tuple[tuple[str, Path], ...] = ()
    """Where persistent volume claims are mounted."""
    open_registry: Callable[[Reference], ImageSource] = _no_registry
    allow_files: bool = True
    """Whether ``file:`` and paths are read; never in a cluster."""


@dataclass(frozen=True, slots=True)
class FetchedModel:
    """A model on this machine's disk."""

    path: Path
    """The ``.onnx`` file; external data lies beside it under its names."""
    files: tuple[Saved, ...]
    """The ``.onnx`` file first, then its data files by name."""
    digest: str
    """``sha256:…`` of the artifact (see ``headgate.models.digest``)."""
    etag: str
    uri: str
    """Where it came from, without secrets."""
    repository: str
    """``registry/repository`` for a model out of a registry, else empty."""


def fetch_model(uri: str, folder: Path, options: FetchOptions, *, limit: int, sha256: str = "") -> FetchedModel:
    """Fetch the model at ``uri`` into the empty ``folder``; ``limit`` is in bytes for all its files together.

    ``sha256`` (hex, with or without ``sha256:``) is what the artifact must have. Raises the errors of ``remote_errors``, refusals of
    ``headgate.models`` and, for registries and disks, those of ``headgate.imagebuild.errors``.
    """
    place, name = _open_place(uri, folder.with_name(f"{folder.name}.unpacked"), options, limit)
    saved = [save(place, name, folder, limit)]
    for location in _external_names(saved[0]):
        saved.append(save(place, location, folder, limit - sum(file.size for file in saved)))
    if len(saved) > 1 and place.etag(name) != saved[0].etag:
        raise SourceChanged(f"{place.describe(name)} changed while its data files were read.")
    digest = artifact_digest([ModelFile(file.name, file.size, file.sha256) for file in saved])
    pin = sha256.removeprefix("sha256:")
    if pin and pin != digest.removeprefix("sha256:"):
        raise SourceMismatch(
            f"{place.describe(name)} has the digest {digest}, but spec.model.sha256 demands sha256:{pin}.",
            remedy="Someone replaced the model, or the pin belongs to another version.",
        )
    return FetchedModel(saved[0].path, tuple(saved), digest, saved[0].etag, public_uri(uri), place.repository)


def fetch_file(uri: str, folder: Path, options: FetchOptions, *, limit: int) -> Saved:
    """Fetch one file that belongs to a model (class labels, goldens) into ``folder``."""
    place, name = _open_place(uri, folder.with_name(f"{folder.name}.unpacked"), options, limit)
    return save(place, name, folder, limit)


def _open_place(uri: str, work: Path, options: FetchOptions, limit: int) -> tuple[Place, str]:
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower() if separator else ""
    if scheme in SCHEMES:
        bucket, _, key = rest.partition("/")
        return open_store(scheme, bucket, key, options.stores)
    if scheme in {"https", "http"}:
        return open_http(uri, options.http)
    if scheme == "oci":
        image, _, wanted = rest.partition("#")
        reference = parse_reference(image)
        source = options.open_registry(reference)
        return open_artifact(source, reference.name, reference.selector, unquote(wanted), work, limit)
    if scheme == "pvc":
        return _open_claim(uri, options)
    if scheme not in {"", "file"}:
        raise SourceNotUnderstood(
            f"{public_uri(uri)} has the scheme {scheme!r}; known are s3, gs, az, https, oci, pvc, file."
        )
    if not options.allow_files:
        raise SourceNotUnderstood(
            f"{uri} is a file of some machine, which a build in a cluster cannot see.",
            remedy="Use s3, gs, az, https, oci or pvc.",
        )
    path = resolve_local(uri, options.base_folder)
    return DiskPlace(path.parent, f"{path.parent}/"), path.name


def _open_claim(uri: str, options: FetchOptions) -> tuple[Place, str]:
    parts = urlsplit(uri)
    mounts = dict(options.claims)
    path = unquote(parts.path).lstrip("/")
    check_path(path, f"The address {uri}")
    if parts.netloc not in mounts:
        raise SourceNotUnderstood(f"{uri} names the claim {parts.netloc!r}, which is not mounted where the build runs.")
    root = mounts[parts.netloc]
    folder, slash, name = path.rpartition("/")
    return DiskPlace(root / folder, f"pvc://{parts.netloc}/{folder}{slash}", root), name


def _external_names(saved: Saved) -> tuple[str, ...]:
    """The data files that the model keeps weights in, as safe relative names."""
    model = parse_model(saved.path.name, saved.path.read_bytes())
    names = set()
    for tensor in walk_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            for entry in tensor.external_data:
                if entry.key == "location":
                    name = Path(entry.value).as_posix()
                    check_path(name, f"The model {saved.path.name}")
                    names.add(name)
    return tuple(sorted(names - {saved.name}))


__all__ = ["AddressPolicy", "FetchOptions", "FetchedModel", "HttpOptions", "fetch_file", "fetch_model"]
