"""Signs images and checks signatures, in the form that cosign reads and writes.

A signature is an image manifest under the tag ``sha256-<hex>.sig`` whose layers are "simple signing" documents, each with its
ECDSA P-256 signature in an annotation (cosign's SIGNATURE_SPEC). Signatures are deterministic (RFC 6979), so signing twice
changes nothing. Keys are PEM; a password comes in from the edge and stands in no message.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate.imagebuild.attachments import ensure_blob
from headgate.imagebuild.canonical import canonical_json, sha256_digest
from headgate.imagebuild.errors import SignatureRefused
from headgate.imagebuild.manifest import Descriptor, Manifest, MediaType, parse_manifest
from headgate.imagebuild.stores import ImageSource, ImageTarget

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"


def signature_tag(digest: str) -> str:
    """The tag that holds the signatures of ``digest``."""
    return f"{digest.replace(':', '-', 1)}.sig"


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Signs with a private key; see ``request.Signer``."""

    key: ec.EllipticCurvePrivateKey

    def sign(self, target: ImageTarget, name: str, digest: str) -> None:
        """Add a signature of ``digest`` (as ``name``, ``registry/repository``) unless this very one is there."""
        payload = _payload(name, digest)
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        signature = base64.b64encode(self.key.sign(payload, algorithm)).decode()
        layer = Descriptor(PAYLOAD_TYPE, sha256_digest(payload), len(payload), ((ANNOTATION, signature),))
        tag = signature_tag(digest)
        present = _signatures(target, tag)
        if any(_same(layer, other) for other in present):
            return
        layers = (*present, layer)
        config = canonical_json(
            {
                "architecture": "",
                "config": {},
                "os": "",
                "rootfs": {"type": "layers", "diff_ids": [item.digest for item in layers]},
            }
        )
        ensure_blob(target, config)
        ensure_blob(target, payload)
        descriptor = Descriptor(MediaType.OCI_CONFIG, sha256_digest(config), len(config))
        target.put_manifest(tag, Manifest(descriptor, layers).to_bytes(), MediaType.OCI_MANIFEST)


def verify_image(source: ImageSource, name: str, digest: str, key: ec.EllipticCurvePublicKey) -> str:
    """The image name that a valid signature of ``digest`` states; SignatureRefused when no signature fits ``key``."""
    layers = _signatures(source, signature_tag(digest))
    if not layers:
        raise SignatureRefused(f"{name}@{digest} has no signature.")
    wrong = []
    for layer in layers:
        payload = source.blob(layer)
        if not _valid(payload, layer.annotation(ANNOTATION), key):
            wrong.append("it was made with another key, or changed since")
            continue
        signed, identity = _read_payload(payload)
        if signed == digest:
            return identity
        wrong.append(f"it signs {signed}")
    reasons = "; ".join(dict.fromkeys(wrong))
    raise SignatureRefused(f"No signature of {name}@{digest} holds: {reasons}.")


def load_private_key(data: bytes, password: bytes | None) -> ec.EllipticCurvePrivateKey:
    """An ECDSA P-256 key in PEM (PKCS#8 or SEC 1); SignatureRefused says what is wrong with it."""
    try:
        key = serialization.load_pem_private_key(data, password or None)
    except TypeError as error:
        wrong = "is encrypted, and no password is set in COSIGN_PASSWORD" if not password else "is not encrypted"
        raise SignatureRefused(f"The signing key {wrong}.") from error
    except (ValueError, UnsupportedAlgorithm):
        if b"SIGSTORE PRIVATE KEY" in data:
            raise SignatureRefused(
                "The signing key is in cosign's own encrypted form, which is not read here.",
                remedy="Make one with `openssl ecparam -name prime256v1 -genkey` and bring it into cosign with "
                "`cosign import-key-pair`.",
            ) from None
        raise SignatureRefused("The signing key is no PEM private key, or its password is wrong.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureRefused("The signing key is not an ECDSA key on the curve P-256.")
    return key


def load_public_key(data: bytes) -> ec.EllipticCurvePublicKey:
    """An ECDSA P-256 public key in PEM; SignatureRefused for anything else."""
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureRefused("The key is no PEM public key.") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureRefused("The key is not an ECDSA key on the curve P-256.")
    return key


def _payload(name: str, digest: str) -> bytes:
    return canonical_json(
        {
            "critical": {
                "identity": {"docker-reference": name},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )


def _read_payload(payload: bytes) -> tuple[str, str]:
    try:
        critical = json.loads(payload)["critical"]
        return str(critical["image"]["docker-manifest-digest"]), str(critical["identity"]["docker-reference"])
    except (ValueError, KeyError, TypeError) as error:
        raise SignatureRefused("A signature by this key signs something that is not an image.") from error


def _signatures(source: ImageSource, tag: str) -> tuple[Descriptor, ...]:
    if not source.find(tag):
        return ()
    fetched = source.manifest(tag)
    manifest = parse_manifest(fetched.data, fetched.media_type, f"The manifest {tag}")
    if not isinstance(manifest, Manifest):
        raise SignatureRefused(f"The tag {tag} holds no signatures.")
    return tuple(layer for layer in manifest.layers if layer.media_type == PAYLOAD_TYPE)


def _same(left: Descriptor, right: Descriptor) -> bool:
    return (left.digest, left.annotation(ANNOTATION)) == (right.digest, right.annotation(ANNOTATION))


def _valid(payload: bytes, signature: str, key: ec.EllipticCurvePublicKey) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), payload, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
