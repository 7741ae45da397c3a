"""Names of images: what they mean, and what is said about text that names none."""

from __future__ import annotations

import pytest

from headgate.imagebuild.errors import ReferenceRefused
from headgate.imagebuild.reference import Reference, parse_reference

_DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ghcr.io/team/churn:v1", Reference("ghcr.io", "team/churn", "v1"), id="a host with a dot"),
        pytest.param("localhost:5000/churn", Reference("localhost:5000", "churn"), id="a port and no tag"),
        pytest.param("localhost/churn", Reference("localhost", "churn"), id="localhost without a port"),
        pytest.param("[::1]:5000/churn:v1", Reference("[::1]:5000", "churn", "v1"), id="an IPv6 address"),
        pytest.param("python", Reference("docker.io", "library/python"), id="an official image of Docker Hub"),
        pytest.param("team/churn:1", Reference("docker.io", "team/churn", "1"), id="Docker Hub without its name"),
        pytest.param("index.docker.io/a/b", Reference("docker.io", "a/b"), id="Docker Hub by another name"),
        pytest.param(f"r.io/a@{_DIGEST}", Reference("r.io", "a", "", _DIGEST), id="a digest"),
        pytest.param(f"r.io/a:v1@{_DIGEST}", Reference("r.io", "a", "v1", _DIGEST), id="a tag and a digest"),
    ],
)
def test_a_reference_is_read(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("r.io/Team/churn", "'Team/churn' is not a repository", id="capital letters"),
        pytest.param("r.io/a:", "the tag '' is not a tag", id="a colon without a tag"),
        pytest.param("r.io/a:v 1", "the tag 'v 1' is not a tag", id="a space in the tag"),
        pytest.param("r.io/a@sha256:12", "the digest must be sha256: and 64 hex digits", id="half a digest"),
        pytest.param("r.io/a//b", "'a//b' is not a repository", id="an empty part"),
        pytest.param("", "names no image", id="nothing"),
        pytest.param("https://r.io/a", "is not a registry host", id="a URL"),
    ],
)
def test_text_that_names_no_image_is_refused(text: str, says: str) -> None:
    with pytest.raises(ReferenceRefused, match=says.replace("(", r"\(")):
        parse_reference(text)


def test_a_manifest_is_asked_for_by_digest_before_tag() -> None:
    assert parse_reference(f"r.io/a:v1@{_DIGEST}").selector == _DIGEST
    assert parse_reference("r.io/a:v1").selector == "v1"
    assert parse_reference("r.io/a").selector == "latest"


def test_docker_hub_is_answered_by_another_host() -> None:
    assert parse_reference("python").host == "registry-1.docker.io"
    assert parse_reference("r.io/a").host == "r.io"
