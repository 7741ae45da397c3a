"""The lab's own images: named by what decides them, and sent once."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from lab.images import IMAGE_NAMES, push_image, recipe_key
from lab.registry import Registry
from lab.tiny_image import TinyImage, digest_of, tiny_image

_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


def layout_of(image: TinyImage, folder: Path) -> Path:
    """The image as buildah leaves it."""
    for blob in (image.layer, image.config, image.manifest):
        path = folder / "blobs" / digest_of(blob).replace(":", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{"digest": image.digest}]}))
    return folder


def test_an_image_is_pushed_by_digest_and_the_second_time_nothing_is_sent(registry: Registry, tmp_path: Path) -> None:
    image = tiny_image("probe", b"a program")
    layout = layout_of(image, tmp_path / "0123456789ab")
    reference = push_image("probe", layout, registry.address)
    assert reference == f"{registry.address}/headgate/probe@{image.digest}"
    for tag in (image.digest, "0123456789ab"):
        found = httpx.get(f"{registry.url}/v2/headgate/probe/manifests/{tag}", headers={"accept": _MEDIA_TYPE})
        assert found.content == image.manifest
    (layout / "blobs" / digest_of(image.layer).replace(":", "/")).unlink()
    assert push_image("probe", layout, registry.address) == reference


def test_a_recipe_has_one_name_that_is_its_own() -> None:
    keys = {name: recipe_key(name) for name in IMAGE_NAMES}
    assert keys == {name: recipe_key(name) for name in IMAGE_NAMES}
    assert len(set(keys.values())) == len(IMAGE_NAMES)
