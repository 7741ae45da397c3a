"""The image registry that component tests and the lab use, by plain HTTP as OCI's distribution specification says."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator

import httpx
import pytest

from lab.registry import Registry
from lab.tiny_image import digest_of, push, tiny_image

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def client(registry: Registry) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=registry.url, trust_env=False) as client:
        yield client


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _push_blob(client: httpx.Client, repository: str, body: bytes) -> dict[str, object]:
    location = client.post(f"/v2/{repository}/blobs/uploads/").raise_for_status().headers["location"]
    put = client.put(httpx.URL(location).copy_merge_params({"digest": _digest(body)}), content=body)
    assert put.status_code == 201, put.text
    return {"digest": _digest(body), "size": len(body)}


def test_an_image_that_was_pushed_is_pulled_by_tag_and_by_digest(client: httpx.Client) -> None:
    repository = f"test/{uuid.uuid4().hex[:8]}"
    config = _push_blob(client, repository, b'{"architecture":"amd64","os":"linux"}')
    layer = _push_blob(client, repository, b"a layer")
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
    }).encode()  # fmt: skip
    put = client.put(f"/v2/{repository}/manifests/one", content=manifest, headers={"content-type": _MANIFEST})
    assert (put.status_code, put.headers["docker-content-digest"]) == (201, _digest(manifest))
    for reference in ("one", _digest(manifest)):
        got = client.get(f"/v2/{repository}/manifests/{reference}", headers={"accept": _MANIFEST})
        assert (got.status_code, got.content) == (200, manifest)
    blob = client.get(f"/v2/{repository}/blobs/{layer['digest']}")
    assert blob.content == b"a layer"


def test_a_blob_with_another_digest_than_was_said_is_refused(client: httpx.Client) -> None:
    repository = f"test/{uuid.uuid4().hex[:8]}"
    location = client.post(f"/v2/{repository}/blobs/uploads/").raise_for_status().headers["location"]
    put = client.put(httpx.URL(location).copy_merge_params({"digest": _digest(b"other")}), content=b"this")
    assert put.status_code == 400
    assert put.json()["errors"][0]["code"] == "DIGEST_INVALID"


def test_a_blob_is_mounted_from_another_repository(client: httpx.Client) -> None:
    source, target = (f"test/{uuid.uuid4().hex[:8]}" for _ in range(2))
    blob = _push_blob(client, source, b"shared layer")
    mounted = client.post(f"/v2/{target}/blobs/uploads/", params={"mount": str(blob["digest"]), "from": source})
    assert mounted.status_code == 201
    assert client.head(f"/v2/{target}/blobs/{blob['digest']}").status_code == 200


def test_the_other_registry_lists_what_refers_to_an_image(referrers_registry: Registry) -> None:
    image = tiny_image("program", b"a program")
    push(image, referrers_registry.address, "test/subject")
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
    referrer = json.dumps({
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": "application/vnd.example.lock",
        "config": empty,
        "layers": [empty],
        "subject": {"mediaType": _MANIFEST, "digest": image.digest, "size": len(image.manifest)},
    }).encode()  # fmt: skip
    with httpx.Client(base_url=referrers_registry.url, trust_env=False) as client:
        _push_blob(client, "test/subject", b"{}")
        path = f"/v2/test/subject/manifests/{_digest(referrer)}"
        assert client.put(path, content=referrer, headers={"content-type": _MANIFEST}).status_code == 201
        listed = client.get(f"/v2/test/subject/referrers/{image.digest}").json()
    assert [one["digest"] for one in listed["manifests"]] == [_digest(referrer)]


def test_there_is_no_referrers_api(client: httpx.Client) -> None:
    assert client.get(f"/v2/test/referrers/{_digest(b'x')}").status_code == 404
