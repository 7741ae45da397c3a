"""OCI layouts on disk: the format's three parts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.imagebuild.errors import DigestMismatch, DiskFull, ManifestRefused, RegistryMissing
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.manifest import Descriptor
from headgate.imagebuild.stores import Blob, bytes_blob
from imagekit.images import base_image, digest_of, push_image


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "image")


def test_a_layout_has_the_parts_that_the_specification_names(layout: Layout, tmp_path: Path) -> None:
    push_image(layout, base_image(), "v1")
    folder = tmp_path / "image"
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((folder / "index.json").read_text())
    assert [
        (item["digest"], item["annotations"]["org.opencontainers.image.ref.name"]) for item in index["manifests"]
    ] == [(base_image().digest, "v1")]
    assert (folder / "blobs/sha256" / base_image().digest.removeprefix("sha256:")).read_bytes() == base_image().manifest
    assert not list(folder.rglob("*.part"))


def test_a_tag_moves(layout: Layout) -> None:
    push_image(layout, base_image(), "v1")
    push_image(layout, base_image(architecture="arm64"), "v1")
    assert layout.find("v1") == base_image(architecture="arm64").digest
    assert layout.find(base_image().digest) == base_image().digest


def test_what_is_missing_is_named(layout: Layout) -> None:
    assert layout.find("v1") == ""
    with pytest.raises(RegistryMissing, match="has no image 'v1'"):
        layout.manifest("v1")
    with pytest.raises(RegistryMissing, match="lacks the blob"):
        layout.blob(Descriptor("x", digest_of(b"x"), 1))


def test_bytes_with_another_digest_are_neither_written_nor_read(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch):
        layout.upload(Blob(digest_of(b"x"), 1, lambda: iter([b"y"])))
    assert not layout.has(digest_of(b"x"))
    layout.upload(bytes_blob(b"x"))
    (tmp_path / "image/blobs/sha256" / digest_of(b"x").removeprefix("sha256:")).write_bytes(b"z")
    with pytest.raises(DigestMismatch):
        layout.blob(Descriptor("x", digest_of(b"x"), 1))


def test_a_full_disk_is_named(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.upload(bytes_blob(b"first"))
    monkeypatch.setattr("os.getpid", lambda: 0)
    name = digest_of(b"second").removeprefix("sha256:")
    (tmp_path / "image/blobs/sha256" / f"{name}.0.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="No space is left"):
        layout.upload(bytes_blob(b"second"))


def test_another_kind_of_index_is_refused(layout: Layout, tmp_path: Path) -> None:
    push_image(layout, base_image(), "v1")
    (tmp_path / "image/index.json").write_bytes(base_image().manifest)
    with pytest.raises(ManifestRefused, match="is not the index of an OCI layout"):
        layout.find("v1")
