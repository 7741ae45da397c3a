"""Finds and registers the manifests that point at another one (SBOM, provenance, lock, signature).

Distribution specification 1.1, "Listing Referrers": the API where the registry has it, else an index under the tag
``sha256-<hex>`` that clients keep by themselves. Several are registered at once, so that the index is written once.
"""

from __future__ import annotations

from headgate.imagebuild.errors import ManifestRefused
from headgate.imagebuild.manifest import Descriptor, Index, MediaType, parse_manifest
from headgate.imagebuild.registry.calls import Call
from headgate.imagebuild.registry.session import RegistrySession

_FOUND_OR_NOT = frozenset({200, 404})


def fallback_tag(digest: str) -> str:
    """The tag under which the referrers of ``digest`` are listed where the API is missing."""
    return digest.replace(":", "-", 1)


class Referrers:
    """The referrers kept in one repository."""

    def __init__(self, session: RegistrySession, base: str, scopes: tuple[str, ...]) -> None:
        self._session, self._base, self._scopes = session, base, scopes

    def of(self, digest: str) -> tuple[Descriptor, ...]:
        """What points at ``digest``, by the API or by the tag."""
        response = self._session.send(
            Call(
                "GET",
                f"{self._base}/referrers/{digest}",
                f"list what refers to {digest}",
                self._scopes,
                frozenset({200, 400, 404, 405}),
                headers=(("Accept", MediaType.OCI_INDEX),),
            )
        )
        if response.status_code == 200:
            return self._read(response.content, digest)
        return self._fallback(digest)

    def register(self, digest: str, added: tuple[Descriptor, ...]) -> None:
        """Add to the index under the tag; called only where the registry did not index the subjects itself."""
        present = self._fallback(digest)
        new = tuple(item for item in added if item.digest not in {old.digest for old in present})
        if not new:
            return
        data = Index((*present, *new)).to_bytes()
        self._session.send(
            Call(
                "PUT",
                f"{self._base}/manifests/{fallback_tag(digest)}",
                f"list what refers to {digest}",
                self._scopes,
                frozenset({200, 201, 202}),
                headers=(("Content-Type", MediaType.OCI_INDEX),),
                body=lambda: iter([data]),
                size=len(data),
            )
        )

    def _fallback(self, digest: str) -> tuple[Descriptor, ...]:
        response = self._session.send(
            Call(
                "GET",
                f"{self._base}/manifests/{fallback_tag(digest)}",
                f"list what refers to {digest}",
                self._scopes,
                _FOUND_OR_NOT,
                headers=(("Accept", MediaType.OCI_INDEX),),
            )
        )
        return self._read(response.content, digest) if response.status_code == 200 else ()

    def _read(self, data: bytes, digest: str) -> tuple[Descriptor, ...]:
        index = parse_manifest(data, MediaType.OCI_INDEX, f"The list of what refers to {digest}")
        if not isinstance(index, Index):
            raise ManifestRefused(f"The list of what refers to {digest} is not an index.")
        return index.manifests
