"""What other people's tools make of our images: skopeo loads a layout and changes nothing, cosign accepts a signature.

Neither is part of the project's set-up: a test whose tool is not installed says so and is skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate.imagebuild.executor import build_image
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.sign import KeySigner
from imagekit.images import Heard, base_image, close_opened, no_index, open_repository, push_image, request_for
from lab.registry import Registry

_LONGEST_S = 120


@pytest.fixture
def place(registry: Registry) -> Iterator[Repository]:
    """A repository of its own with nothing in it."""
    yield open_repository(registry.address, f"{uuid.uuid4().hex[:8]}/churn")
    close_opened()


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed, so what it makes of our images is not tried")
    return found


def _name(place: Repository) -> str:
    return place.session.reference.name


def _work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_a_layout_is_loaded_by_skopeo_under_the_same_digest(place: Repository, tmp_path: Path) -> None:
    skopeo = _tool("skopeo")
    base, layout = Layout(tmp_path / "base"), Layout(tmp_path / "image")
    push_image(base, base_image(), "base")
    built = build_image(request_for(base, layout, tags=("latest",)), no_index(tmp_path), _work(tmp_path), Heard())
    target = f"docker://{_name(place)}:latest"
    source = f"oci:{tmp_path / 'image'}:latest"
    copied = subprocess.run(
        [skopeo, "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", source, target],
        capture_output=True, text=True, check=False, timeout=_LONGEST_S,
    )  # fmt: skip
    assert copied.returncode == 0, copied.stderr
    assert place.find("latest") == built.digest


def test_a_signature_is_accepted_by_cosign_and_one_by_another_key_is_not(place: Repository, tmp_path: Path) -> None:
    cosign = _tool("cosign")
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    push_image(place, base_image(), "v1")
    name = _name(place)
    KeySigner(key).sign(place, name, base_image().digest)
    outcomes = []
    for number, signer in enumerate((key, other)):
        public = tmp_path / f"{number}.pub"
        public.write_bytes(
            signer.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        verified = subprocess.run(
            [cosign, "verify", "--key", str(public), "--insecure-ignore-tlog", "--allow-http-registry",
             f"{name}@{base_image().digest}"],
            capture_output=True, text=True, check=False, timeout=_LONGEST_S,
        )  # fmt: skip
        outcomes.append(verified)
    assert outcomes[0].returncode == 0, outcomes[0].stderr
    assert base_image().digest in outcomes[0].stdout
    assert outcomes[1].returncode != 0
