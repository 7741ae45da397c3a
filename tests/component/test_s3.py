"""The S3 server that component tests and the lab use, through the client that the product uses."""

from __future__ import annotations

import os
import uuid

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError
from obstore.store import S3Store

from lab.s3 import S3Server


@pytest.fixture
def store(s3: S3Server) -> S3Store:
    """A bucket of the test's own."""
    return S3Store(
        s3.make_bucket(f"test-{uuid.uuid4().hex[:8]}"),
        endpoint=s3.endpoint,
        access_key_id=s3.access_key,
        secret_access_key=s3.secret_key,
        region=s3.region,
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )


def test_what_is_put_is_got_with_the_etag_that_put_gave(store: S3Store) -> None:
    body = b"\x08\x07" * 1000
    put = obstore.put(store, "churn/1/model.onnx", body)
    got = obstore.get(store, "churn/1/model.onnx")
    assert bytes(got.bytes()) == body
    assert got.meta["e_tag"] == put["e_tag"]
    assert obstore.head(store, "churn/1/model.onnx")["size"] == len(body)


def test_a_large_object_goes_up_in_parts_and_comes_back_by_range(store: S3Store) -> None:
    body = os.urandom(11 * 1024 * 1024)
    obstore.put(store, "large.bin", body, use_multipart=True, chunk_size=5 * 1024 * 1024)
    assert bytes(obstore.get_range(store, "large.bin", start=7_000_000, end=7_000_100)) == body[7_000_000:7_000_100]
    assert obstore.head(store, "large.bin")["size"] == len(body)


def test_a_versioned_folder_is_listed(store: S3Store) -> None:
    for version in ("1", "2", "10"):
        obstore.put(store, f"churn/{version}/model.onnx", b"model")
    listed = obstore.list_with_delimiter(store, "churn/")
    assert sorted(prefix.rstrip("/") for prefix in listed["common_prefixes"]) == ["churn/1", "churn/10", "churn/2"]


def test_a_missing_object_and_a_wrong_key_are_told_apart(store: S3Store, s3: S3Server) -> None:
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "nothing")
    stranger = S3Store(
        s3.make_bucket("closed"), endpoint=s3.endpoint, access_key_id=s3.access_key, secret_access_key="wrong",
        region=s3.region, client_options={"allow_http": True}, virtual_hosted_style_request=False,
    )  # fmt: skip
    with pytest.raises(PermissionDeniedError):
        obstore.get(stranger, "nothing")
