"""What a resource puts into its image beside the model: the job's file, and rows with known answers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from onnx import TensorProto, helper

from headgate.api.validation import parse_modeldeployment
from headgate.cli.imagejob import assemble_job
from headgate.imagebuild.plan import Compression
from headgate.local.jobfolder import FileMissing
from headgate.models.remote import FetchOptions

_RESOURCE = """
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {name: churn}
spec:
  model: {uri: model.onnx, version: "3", goldens: {uri: rows.jsonl}}
  pipeline:
    tables: |
      CREATE TABLE rows_in (id BIGINT, x FLOAT) WITH ('connector' = 'datagen');
      CREATE TABLE rows_out (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole');
    input: SELECT id, x FROM rows_in
    key: id
    output: INSERT INTO rows_out SELECT id, y FROM scored
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "rows.jsonl").write_text('{"x": 1, "y": -1}\n')
    return tmp_path


def _assembled(folder: Path, goldens: str) -> dict[str, bytes]:
    """The job layer's files by path."""
    raw = yaml.safe_load(_RESOURCE)
    raw["spec"]["model"]["goldens"]["uri"] = goldens
    options = FetchOptions(base_folder=folder, claims=(("models", folder),))
    job = assemble_job(parse_modeldeployment(raw), folder, folder / "work", options, Compression.ZSTD)
    (layer,) = (one for one in job.layers if one.planned.name == "job")
    return {path: b"".join(content.chunks()) for path, content in layer.contents.items()}


@pytest.mark.parametrize(
    "uri",
    [pytest.param("rows.jsonl", id="beside the resource"), pytest.param("pvc://models/rows.jsonl", id="on a claim")],
)
def test_goldens_are_in_the_jobs_layer_by_their_digest(folder: Path, uri: str) -> None:
    files = _assembled(folder, uri)
    assert files["opt/headgate/job/goldens/0.jsonl"] == b'{"x": 1, "y": -1}\n'
    told = json.loads(files["opt/headgate/job/job.json"])["models"][0]["goldens"]
    digest = "sha256:" + hashlib.sha256(b'{"x": 1, "y": -1}\n').hexdigest()
    assert told == {"path": "goldens/0.jsonl", "digest": digest, "tolerance": 1e-5}


def test_goldens_that_are_not_there_are_told_before_anything_is_built(folder: Path) -> None:
    with pytest.raises(FileMissing, match=r"spec\.model\.goldens\.uri: .*nowhere\.jsonl cannot be read"):
        _assembled(folder, "nowhere.jsonl")
