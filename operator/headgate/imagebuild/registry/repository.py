"""One repository of a registry: reads manifests and blobs, and writes them.

Everything that is read by digest is checked against it. Called by the executor (through the protocols that it states),
``sign``, ``verify`` and ``headgate.models.remote``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from headgate.imagebuild.canonical import SHA256_DIGEST, sha256_digest, verified
from headgate.imagebuild.errors import DigestMismatch, RegistryUnreachable
from headgate.imagebuild.manifest import ACCEPT, MANIFEST_LIMIT, Descriptor, check_size
from headgate.imagebuild.registry.answers import unreachable
from headgate.imagebuild.registry.calls import Call, pull_scope, push_scope
from headgate.imagebuild.registry.referrers import Referrers
from headgate.imagebuild.registry.session import RegistrySession
from headgate.imagebuild.registry.upload import upload_blob
from headgate.imagebuild.stores import Blob, Fetched

_OK = frozenset({200})
_FOUND_OR_NOT = frozenset({200, 404})


class Repository:
    """The repository that ``session`` was opened for; ``writable`` asks for the right to push from the first call
    on."""

    def __init__(self, session: RegistrySession, *, writable: bool) -> None:
        self.session = session
        self.name = session.reference.repository
        self._base = f"/v2/{self.name}"
        self._scopes = (push_scope(self.name) if writable else pull_scope(self.name),)

    @property
    def location(self) -> tuple[str, str]:
        """Registry and repository: what decides whether a blob can be mounted from another place."""
        return self.session.reference.registry, self.name

    def find(self, reference: str) -> str:
        """The digest of the manifest under a tag or digest, by one HEAD request; empty when there is none."""
        response = self.session.send(self._manifest_call("HEAD", reference, _FOUND_OR_NOT))
        if response.status_code == 404:
            return ""
        digest = response.headers.get("docker-content-digest", "")
        return digest if SHA256_DIGEST.match(digest) else self.manifest(reference).digest

    def manifest(self, reference: str) -> Fetched:
        """The manifest under a tag or digest. Raises ManifestRefused over 4 MiB, DigestMismatch, RegistryMissing."""
        response = self.session.send(self._manifest_call("GET", reference, _OK))
        digest = sha256_digest(response.content)
        stated = reference if SHA256_DIGEST.match(reference) else response.headers.get("docker-content-digest", digest)
        if stated != digest and stated.startswith("sha256:"):
            raise DigestMismatch(
                f"The manifest {reference} of {self.session.reference.name} should have the digest {stated} "
                f"but its bytes have {digest}."
            )
        return Fetched(response.content, response.headers.get("content-type", "").partition(";")[0].strip(), digest)

    def blob(self, descriptor: Descriptor) -> bytes:
        """A small blob (config, signature) as bytes, checked."""
        subject = f"The blob {descriptor.digest} of {self.session.reference.name}"
        check_size(descriptor.size, subject)
        response = self.session.send(self._blob_call(descriptor.digest, ()), limit=MANIFEST_LIMIT)
        return b"".join(verified([response.content], descriptor.digest, subject))

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A blob's bytes; a broken connection goes on where it broke. Raises DigestMismatch at the end."""
        subject = f"The blob {descriptor.digest} of {self.session.reference.name}"
        return verified(self._resuming(descriptor), descriptor.digest, subject)

    def _resuming(self, descriptor: Descriptor) -> Iterator[bytes]:
        done, breaks = 0, 0
        while True:
            headers = (("Range", f"bytes={done}-"),) if done else ()
            with self.session.stream(self._blob_call(descriptor.digest, headers)) as response:
                skip = 0 if response.status_code == 206 else done
                try:
                    for chunk in response.iter_bytes():
                        self.session.traffic.received += len(chunk)
                        kept = chunk[skip:] if skip else chunk
                        skip = max(0, skip - len(chunk))
                        done += len(kept)
                        if done > descriptor.size:
                            raise DigestMismatch(
                                f"The blob {descriptor.digest} of {self.session.reference.name} is longer than "
                                f"the {descriptor.size} bytes that its manifest states."
                            )
                        yield kept
                except httpx.TransportError as error:
                    breaks += 1
                    if breaks >= self.session.options.attempts:
                        raise unreachable(error, self.session.host, secure=True) from error
                    continue
            if done < descriptor.size and breaks < self.session.options.attempts:
                breaks += 1
                continue
            return

    def has(self, digest: str) -> bool:
        """Whether the repository has the blob, by one HEAD request."""
        call = Call(
            "HEAD", f"{self._base}/blobs/{digest}", f"look for a blob in {self.name}", self._scopes, _FOUND_OR_NOT
        )
        return self.session.send(call).status_code == 200

    def mount(self, digest: str, source: str) -> bool:
        """Take a blob over from the repository ``source`` of the same registry. False when the registry declines."""
        call = Call(
            "POST",
            f"{self._base}/blobs/uploads/?mount={digest}&from={source}",
            f"mount a blob from {source} into {self.name}",
            (*self._scopes, pull_scope(source)),
            frozenset({201, 202}),
        )
        response = self.session.send(call)
        if response.status_code == 201:
            return True
        self._abandon(response.headers.get("location", ""))
        return False

    def _abandon(self, location: str) -> None:
        """Close the upload that a registry opened instead of mounting; it would expire by itself."""
        if not location:
            return
        call = Call("DELETE", location, f"give up an upload to {self.name}", self._scopes, frozenset(range(200, 500)))
        try:
            self.session.send(call)
        except RegistryUnreachable:
            return

    def upload(self, blob: Blob, sent: Callable[[int], None] = lambda _: None) -> None:
        """Send a blob; ``sent`` hears of every piece's size. The registry checks the digest, and so does the caller's
        layer."""
        upload_blob(self.session, self._base, self._scopes, blob, sent)

    def put_manifest(self, reference: str, data: bytes, media_type: str) -> bool:
        """Write a manifest under a tag or digest. True when the registry indexed its ``subject`` by itself."""
        digest = sha256_digest(data)
        call = Call(
            "PUT",
            f"{self._base}/manifests/{reference}",
            f"write the manifest {reference} of {self.name}",
            self._scopes,
            frozenset({200, 201, 202}),
            headers=(("Content-Type", media_type),),
            body=lambda: iter([data]),
            size=len(data),
        )
        response = self.session.send(call)
        stored = response.headers.get("docker-content-digest", digest)
        if stored.startswith("sha256:") and stored != digest:
            raise DigestMismatch(
                f"The registry {self.session.host} stored the manifest {reference} of {self.name} as {stored}, "
                f"not as {digest}."
            )
        return "oci-subject" in response.headers

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What points at the manifest ``digest``: SBOM, provenance, lock, signatures."""
        return Referrers(self.session, self._base, self._scopes).of(digest)

    def register(self, digest: str, added: tuple[Descriptor, ...]) -> None:
        """List ``added`` as referrers of ``digest``, for a registry that does not do so itself."""
        Referrers(self.session, self._base, self._scopes).register(digest, added)

    def _manifest_call(self, method: str, reference: str, expected: frozenset[int]) -> Call:
        action = f"read the manifest {reference} of {self.name}"
        return Call(
            method, f"{self._base}/manifests/{reference}", action, self._scopes, expected, headers=(("Accept", ACCEPT),)
        )

    def _blob_call(self, digest: str, headers: tuple[tuple[str, str], ...]) -> Call:
        action = f"read the blob {digest} of {self.name}"
        return Call("GET", f"{self._base}/blobs/{digest}", action, self._scopes, frozenset({200, 206}), headers=headers)
