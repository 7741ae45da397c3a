"""Models out of a real S3 server: with external data, over the limit, missing, forbidden, and replaced in between."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import obstore
import onnx
import pytest
from obstore.store import S3Store
from onnx import TensorProto, helper

from headgate.models.refusals import ModelTooLarge
from headgate.models.remote import FetchOptions, fetch_model
from headgate.models.remote_errors import SourceDenied, SourceMissing, SourceUnreachable
from headgate.models.remote_store import StoreOptions
from imagekit.images import digest_of
from lab.s3 import S3Server


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of the test's own, and how the product reaches it."""

    name: str
    store: S3Store
    options: FetchOptions

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"


def _stores(s3: S3Server, secret: str, **more: object) -> StoreOptions:
    settings = {
        "aws_endpoint": s3.endpoint,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": secret,
        "aws_region": s3.region,
        **more,
    }
    return StoreOptions(tuple((name, str(value)) for name, value in settings.items()), plain_http=True, attempts=2)


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> Bucket:
    name = s3.make_bucket(f"models-{uuid.uuid4().hex[:8]}")
    store = S3Store(
        name, endpoint=s3.endpoint, access_key_id=s3.access_key, secret_access_key=s3.secret_key, region=s3.region,
        client_options={"allow_http": True}, virtual_hosted_style_request=False,
    )  # fmt: skip
    return Bucket(name, store, FetchOptions(tmp_path, stores=_stores(s3, s3.secret_key)))


def _model(external: str = "") -> bytes:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1000], os.urandom(0) or bytes(4000), raw=True)
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=external)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1000])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000])],
        [weight],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def test_a_model_is_fetched_with_its_etag(bucket: Bucket, tmp_path: Path) -> None:
    put = obstore.put(bucket.store, "churn/3/model.onnx", _model())
    fetched = fetch_model(bucket.uri("churn/3/model.onnx"), tmp_path / "out", bucket.options, limit=10_000)
    assert (fetched.digest, fetched.etag) == (digest_of(_model()), put["e_tag"])
    assert fetched.uri == bucket.uri("churn/3/model.onnx")


def test_external_data_lies_under_the_same_prefix(bucket: Bucket, tmp_path: Path) -> None:
    obstore.put(bucket.store, "churn/3/model.onnx", _model("data/w.bin"))
    obstore.put(bucket.store, "churn/3/data/w.bin", bytes(4000))
    fetched = fetch_model(bucket.uri("churn/3/model.onnx"), tmp_path / "out", bucket.options, limit=10_000)
    assert [file.name for file in fetched.files] == ["model.onnx", "data/w.bin"]


def test_a_model_over_the_limit_is_refused_by_its_announced_size(bucket: Bucket, tmp_path: Path) -> None:
    obstore.put(bucket.store, "model.onnx", _model())
    with pytest.raises(ModelTooLarge):
        fetch_model(bucket.uri("model.onnx"), tmp_path / "out", bucket.options, limit=100)


def test_a_missing_model_is_named(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=f"s3://{bucket.name}/none.onnx does not exist"):
        fetch_model(bucket.uri("none.onnx"), tmp_path / "out", bucket.options, limit=100)


def test_wrong_keys_are_named_and_not_shown(bucket: Bucket, s3: S3Server, tmp_path: Path) -> None:
    obstore.put(bucket.store, "model.onnx", _model())
    options = FetchOptions(tmp_path, stores=_stores(s3, "wrong-secret"))
    with pytest.raises(SourceDenied, match="may not be read with the credentials that the builder has") as caught:
        fetch_model(bucket.uri("model.onnx"), tmp_path / "out", options, limit=10_000)
    assert "wrong-secret" not in str(caught.value)


def test_a_store_that_is_down_is_named(s3: S3Server, tmp_path: Path) -> None:
    options = FetchOptions(tmp_path, stores=_stores(s3, "x", aws_endpoint="http://127.0.0.1:1"))
    with pytest.raises(SourceUnreachable, match=r"s3://b/model.onnx cannot be fetched"):
        fetch_model("s3://b/model.onnx", tmp_path / "out", options, limit=100)
