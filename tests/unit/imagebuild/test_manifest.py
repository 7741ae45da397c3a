"""Manifests, indexes and configs: what is read of them and what is refused."""

from __future__ import annotations

import json

import pytest

from headgate.imagebuild.errors import BaseRefused, ManifestRefused
from headgate.imagebuild.imageconfig import AddedLayer, parse_config, render_config
from headgate.imagebuild.manifest import (
    MANIFEST_LIMIT,
    Descriptor,
    Index,
    Manifest,
    MediaType,
    Platform,
    choose_platform,
    parse_manifest,
)
from imagekit.images import base_image, digest_of

_D1, _D2 = digest_of(b"1"), digest_of(b"2")


def _document(**members: object) -> bytes:
    whole = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_MANIFEST,
        "config": {"mediaType": MediaType.OCI_CONFIG, "digest": _D1, "size": 3},
        "layers": [],
        **members,
    }
    return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()


def test_a_manifest_is_written_as_it_was_read() -> None:
    manifest = Manifest(
        config=Descriptor(MediaType.OCI_CONFIG, _D1, 3),
        layers=(Descriptor(MediaType.OCI_LAYER_ZSTD, _D2, 5, (("a", "b"),)),),
        annotations=(("k", "v"),),
        subject=Descriptor(MediaType.OCI_MANIFEST, _D1, 9),
        artifact_type="application/x",
    )
    assert parse_manifest(manifest.to_bytes(), "", "it") == manifest


def test_an_index_is_written_as_it_was_read() -> None:
    index = Index((Descriptor(MediaType.OCI_MANIFEST, _D1, 3, platform=Platform("linux", "arm64", "v8")),))
    assert parse_manifest(index.to_bytes(), "", "it") == index


def test_a_manifest_without_its_own_media_type_takes_the_one_of_the_answer() -> None:
    parsed = parse_manifest(_document(mediaType=None), MediaType.DOCKER_MANIFEST, "it")
    assert isinstance(parsed, Manifest)
    assert parsed.media_type == MediaType.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"{", "it is not JSON", id="half a document"),
        pytest.param(b"[]", "it is not a JSON object", id="a list"),
        pytest.param(_document(schemaVersion=1), "not an image manifest", id="Docker's first schema"),
        pytest.param(_document(mediaType="text/html"), "it is a text/html", id="a page"),
        pytest.param(_document(layers=None), "it has no list 'layers'", id="no layers"),
        pytest.param(_document(config=None), "it lacks a descriptor", id="no config"),
        pytest.param(_document(config={"digest": "md5:1", "size": 1}), "only sha256", id="another digest"),
        pytest.param(_document(config={"digest": _D1}), "without a size", id="no size"),
        pytest.param(b" " * (MANIFEST_LIMIT + 1), "it is larger than 4 MiB", id="more than 4 MiB"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ManifestRefused, match=says):
        parse_manifest(data, "", "it")


def test_a_platform_is_chosen_from_an_index() -> None:
    arm, amd = (
        Descriptor(MediaType.OCI_MANIFEST, digest, 3, platform=Platform("linux", name))
        for digest, name in ((_D1, "arm64"), (_D2, "amd64"))
    )
    assert choose_platform(Index((arm, amd)), Platform("linux", "amd64"), "The base") == amd
    with pytest.raises(BaseRefused, match="The base is not made for linux/amd64; it offers linux/arm64"):
        choose_platform(Index((arm,)), Platform("linux", "amd64"), "The base")


def test_the_formats_of_docker_become_oci_without_a_change_of_bytes() -> None:
    docker = Descriptor(MediaType.DOCKER_LAYER_GZIP, _D1, 3)
    assert docker.as_oci() == Descriptor(MediaType.OCI_LAYER_GZIP, _D1, 3)


def test_a_config_keeps_what_the_base_says_and_adds_to_it() -> None:
    base = parse_config(base_image().config, "it")
    layers = (AddedLayer(_D1, "headgate build: job"),)
    value = json.loads(render_config(base, layers, (("PYTHONPATH", "/opt"), ("NEW", "1")), (("l", "v"),)))
    assert value["config"]["User"] == "9999"
    assert value["config"]["Env"] == ["PATH=/usr/bin", "PYTHONPATH=/opt", "NEW=1"]
    assert value["config"]["Labels"]["dev.headgate.python"] == "3.11"
    assert value["config"]["Labels"]["l"] == "v"
    assert value["rootfs"]["diff_ids"] == [*base.diff_ids, _D1]
    assert value["history"][-1] == {"created": "2026-01-02T03:04:05Z", "created_by": "headgate build: job"}
    assert value["created"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("data", [b"{}", b"[]", b"nothing", b'{"rootfs":{"diff_ids":["md5:1"]}}'])
def test_what_is_no_config_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestRefused):
        parse_config(data, "it")
