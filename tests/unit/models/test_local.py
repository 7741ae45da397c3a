"""Addresses of models on this machine's disk, and the sentences for all others."""

# ruff: noqa: E501  tables have one case a line

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.models.local import resolve_local
from headgate.models.refusals import NotLocal

BASE = Path("/srv/resources")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        pytest.param("model.onnx", "/srv/resources/model.onnx", id="a relative path counts from the resource's folder"),
        pytest.param("../models/3/model.onnx", "/srv/resources/../models/3/model.onnx", id="a path upwards"),
        pytest.param("/models/model.onnx", "/models/model.onnx", id="an absolute path"),
        pytest.param("file:///models/a%20b.onnx", "/models/a b.onnx", id="a file URI with an escaped space"),
        pytest.param("file://localhost/models/m.onnx", "/models/m.onnx", id="a file URI of this host"),
        pytest.param("file:models/m.onnx", "/srv/resources/models/m.onnx", id="a relative file URI"),
        pytest.param("a b 100%.onnx", "/srv/resources/a b 100%.onnx", id="a path is taken as it is"),
    ],
)
def test_a_local_address_is_a_path(uri: str, path: str) -> None:
    assert resolve_local(uri, BASE) == Path(path)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        pytest.param("s3://models/churn/3/model.onnx", "at 's3://models/churn/3/model.onnx'; 's3:' is fetched by 'headgate build'", id="an object store"),
        pytest.param("oci://registry.example/churn:3", "'oci:' is fetched by 'headgate build'. Download the model", id="a registry"),
        pytest.param("file://models/m.onnx", "names the host 'models'. For an absolute path write 'file:///models/m.onnx', for a relative one 'file:models/m.onnx'", id="two slashes too few or too many"),
    ],
)  # fmt: skip
def test_another_address_is_refused_with_the_way_out(uri: str, says: str) -> None:
    with pytest.raises(NotLocal) as refused:
        resolve_local(uri, BASE)
    assert says in str(refused.value)


def test_no_credential_of_an_address_gets_into_the_message() -> None:
    with pytest.raises(NotLocal) as refused:
        resolve_local("https://user:secret@models.example/m.onnx?X-Signature=secret#secret", BASE)
    assert "https://models.example/m.onnx" in str(refused.value)
    assert "secret" not in str(refused.value)
