"""SBOM and provenance: what they say, that they are the same each time, and that they hold no secret."""

from __future__ import annotations

import dataclasses
import json
import uuid

import pytest

from headgate.imagebuild.records import ImageRecord, ModelRecord, public_uri, render_provenance, render_sbom
from imagekit.images import digest_of

_IMAGE = ImageRecord(
    name="r.io/team/churn",
    digest=digest_of(b"image"),
    plan_key="1" * 64,
    base_name="r.io/runtime:1",
    base_digest=digest_of(b"base"),
    base_packages=(("numpy", "2.1.3"),),
    added_packages=(("scikit-learn", "1.7.2"),),
    models=(
        ModelRecord(0, "churn", "3", "https://u:secret@h.test/m.onnx?sig=secret", digest_of(b"model"), '"etag"', ()),
    ),
    builder="headgate 0.1.0",
)


def test_the_sbom_lists_packages_and_the_model() -> None:
    sbom = json.loads(render_sbom(_IMAGE))
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    components = {item["name"]: item for item in sbom["components"]}
    assert components["numpy"]["purl"] == "pkg:pypi/numpy@2.1.3"
    assert components["numpy"]["properties"] == [{"name": "headgate:layer", "value": "base"}]
    assert components["scikit-learn"]["properties"] == [{"name": "headgate:layer", "value": "dependencies"}]
    model = components["churn"]
    assert (model["type"], model["version"]) == ("machine-learning-model", "3")
    assert model["hashes"] == [{"alg": "SHA-256", "content": digest_of(b"model").removeprefix("sha256:")}]
    assert model["externalReferences"] == [{"type": "distribution", "url": "https://h.test/m.onnx"}]
    assert {"name": "headgate:etag", "value": '"etag"'} in model["properties"]
    uuid.UUID(sbom["serialNumber"].removeprefix("urn:uuid:"))
    references = [item["bom-ref"] for item in sbom["components"]]
    assert len(set(references)) == len(references)


def test_the_provenance_names_base_and_model_by_digest() -> None:
    statement = json.loads(render_provenance(_IMAGE))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [
        {"name": "r.io/team/churn", "digest": {"sha256": digest_of(b"image").removeprefix("sha256:")}}
    ]
    base, model = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert base == {"uri": "oci://r.io/runtime:1", "digest": {"sha256": digest_of(b"base").removeprefix("sha256:")}}
    assert model["uri"] == "https://h.test/m.onnx"
    assert model["annotations"] == {"version": "3", "etag": '"etag"'}


@pytest.mark.parametrize("render", [render_sbom, render_provenance])
def test_documents_are_deterministic_and_hold_no_secret(render: object) -> None:
    assert callable(render)
    assert render(_IMAGE) == render(dataclasses.replace(_IMAGE))
    assert b"secret" not in render(_IMAGE)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://u:p@h.test:8443/m?x=1#y", "https://h.test:8443/m"),
        ("s3://bucket/key", "s3://bucket/key"),
        ("models/m.onnx", "models/m.onnx"),
    ],
)
def test_an_address_is_shown_without_secrets(uri: str, expected: str) -> None:
    assert public_uri(uri) == expected
