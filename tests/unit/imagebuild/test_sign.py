"""Signatures: made once, checked against key and image, and in the form that cosign has."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from headgate.imagebuild.errors import SignatureRefused
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.manifest import Manifest, MediaType, parse_manifest
from headgate.imagebuild.sign import KeySigner, load_private_key, load_public_key, signature_tag, verify_image
from imagekit.images import base_image, digest_of, push_image

_KEY = ec.derive_private_key(123456789, ec.SECP256R1())
_OTHER = ec.derive_private_key(987654321, ec.SECP256R1())
_NAME = "r.io/team/churn"


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "image")
    push_image(layout, base_image(), "v1")
    return layout


def test_a_signed_image_is_verified(layout: Layout) -> None:
    KeySigner(_KEY).sign(layout, _NAME, base_image().digest)
    assert verify_image(layout, _NAME, base_image().digest, _KEY.public_key()) == _NAME


def test_the_signature_has_cosigns_form(layout: Layout) -> None:
    KeySigner(_KEY).sign(layout, _NAME, base_image().digest)
    tag = f"{base_image().digest.replace(':', '-')}.sig"
    manifest = parse_manifest(layout.manifest(tag).data, "", "it")
    assert isinstance(manifest, Manifest)
    (layer,) = manifest.layers
    assert layer.media_type == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert manifest.config.media_type == MediaType.OCI_CONFIG
    assert json.loads(layout.blob(layer)) == {
        "critical": {
            "identity": {"docker-reference": _NAME},
            "image": {"docker-manifest-digest": base_image().digest},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
    assert base64.b64decode(layer.annotation("dev.cosignproject.cosign/signature"))


def test_signing_twice_changes_nothing_and_a_second_key_adds_one(layout: Layout) -> None:
    digest = base_image().digest
    KeySigner(_KEY).sign(layout, _NAME, digest)
    once = layout.find(signature_tag(digest))
    KeySigner(_KEY).sign(layout, _NAME, digest)
    assert layout.find(signature_tag(digest)) == once
    KeySigner(_OTHER).sign(layout, _NAME, digest)
    for key in (_KEY, _OTHER):
        assert verify_image(layout, _NAME, digest, key.public_key()) == _NAME


def test_an_image_without_a_signature_is_refused(layout: Layout) -> None:
    with pytest.raises(SignatureRefused, match=f"{_NAME}@{base_image().digest} has no signature"):
        verify_image(layout, _NAME, base_image().digest, _KEY.public_key())


def test_another_key_is_refused(layout: Layout) -> None:
    KeySigner(_OTHER).sign(layout, _NAME, base_image().digest)
    with pytest.raises(SignatureRefused, match="made with another key, or changed since"):
        verify_image(layout, _NAME, base_image().digest, _KEY.public_key())


def test_a_signature_of_another_image_is_refused(layout: Layout) -> None:
    other = digest_of(b"other")
    KeySigner(_KEY).sign(layout, _NAME, other)
    moved = layout.manifest(signature_tag(other))
    layout.put_manifest(signature_tag(base_image().digest), moved.data, moved.media_type)
    with pytest.raises(SignatureRefused, match=f"it signs {other}"):
        verify_image(layout, _NAME, base_image().digest, _KEY.public_key())


def test_keys_are_read_with_and_without_a_password() -> None:
    for data, password in ((_pem(_KEY), None), (_pem(_KEY, b"hush"), b"hush")):
        assert load_private_key(data, password).private_numbers() == _KEY.private_numbers()
    assert load_public_key(_public_pem(_KEY)).public_numbers() == _KEY.public_key().public_numbers()


_RSA = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("data", "password", "says"),
    [
        pytest.param(
            _pem(_KEY, b"hush"), None, "is encrypted, and no password is set in COSIGN_PASSWORD", id="no password"
        ),
        pytest.param(_pem(_KEY, b"hush"), b"wrong", "its password is wrong", id="a wrong password"),
        pytest.param(_pem(_KEY), b"hush", "is not encrypted", id="a password too many"),
        pytest.param(_pem(_RSA), None, "not an ECDSA key on the curve P-256", id="another algorithm"),
        pytest.param(_pem(ec.derive_private_key(5, ec.SECP384R1())), None, "curve P-256", id="another curve"),
        pytest.param(b"x", None, "no PEM private key", id="no key"),
        pytest.param(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", b"x", "cosign's own", id="cosign's own form"),
    ],
)
def test_a_key_that_cannot_sign_is_refused(data: bytes, password: bytes | None, says: str) -> None:
    with pytest.raises(SignatureRefused, match=says) as caught:
        load_private_key(data, password)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("data", [b"x", _public_pem(_RSA), _pem(_KEY)])
def test_a_key_that_cannot_verify_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureRefused):
        load_public_key(data)
