"""The folder that the runtime runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import yaml

from headgate.api.resources import ModelDeployment
from headgate.api.validation import parse_modeldeployment
from headgate.errors import HeadgateError, ModelRefused
from headgate.local.jobfolder import DigestMismatch, FileMissing, write_job_folder
from unit.local.kit import RESOURCE, row_sum, save

Deployment = Callable[..., ModelDeployment]


@pytest.fixture
def deployment() -> Deployment:
    def parsed(**model: Any) -> ModelDeployment:
        raw = yaml.safe_load(RESOURCE)
        raw["spec"]["pipeline"]["python"] = model.pop("python", {})
        raw["spec"]["model"] |= model
        return parse_modeldeployment(raw)

    return parsed


def test_a_folder_holds_the_job_and_the_model(tmp_path: Path, deployment: Deployment) -> None:
    model = save(row_sum(), tmp_path / "model.onnx")
    digest = "sha256:" + hashlib.sha256(model.read_bytes()).hexdigest()
    made = write_job_folder(deployment(), tmp_path, tmp_path / "job")
    job = json.loads(made.job.read_text())
    assert (made.version, made.digest, made.revision) == ("1", digest, job["revision"])
    assert job["models"][0]["files"] == {"models/0/model.onnx": digest}
    assert (tmp_path / "job/models/0/model.onnx").read_bytes() == model.read_bytes()


def test_external_data_comes_along(tmp_path: Path, deployment: Deployment) -> None:
    weights = onnx.numpy_helper.from_array(np.ones((3, 1), np.float32), "w")
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [onnx.helper.make_tensor_value_info("x", 1, ["N", 3])],
            [onnx.helper.make_tensor_value_info("y", 1, ["N", 1])],
            [weights],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.save_model(made, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    write_job_folder(deployment(), tmp_path, tmp_path / "job")
    assert (tmp_path / "job/models/0/w.bin").read_bytes() == (tmp_path / "w.bin").read_bytes()


def test_an_earlier_jobs_files_are_replaced(tmp_path: Path, deployment: Deployment) -> None:
    save(row_sum(), tmp_path / "model.onnx")
    write_job_folder(deployment(), tmp_path, tmp_path / "job")
    other = save(row_sum(None), tmp_path / "other.onnx")
    made = write_job_folder(deployment(uri="other.onnx"), tmp_path, tmp_path / "job")
    assert [path.name for path in (made.path / "models/0").iterdir()] == ["other.onnx"]
    assert (made.path / "models/0/other.onnx").read_bytes() == other.read_bytes()


def test_the_module_and_the_labels_are_taken_in(tmp_path: Path, deployment: Deployment) -> None:
    save(row_sum(), tmp_path / "model.onnx")
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "features.py").write_text("x = 1\n")
    made = write_job_folder(
        deployment(labels="labels.txt", python={"module": "lib/features.py"}), tmp_path, tmp_path / "job"
    )
    job = json.loads(made.job.read_text())
    assert job["models"][0]["labels"] == ["cat", "dog"]
    assert job["pipeline"]["module"] == "python/features.py"
    assert (made.path / "python/features.py").read_text() == "x = 1\n"


def test_goldens_come_along_by_their_digest(tmp_path: Path, deployment: Deployment) -> None:
    save(row_sum(), tmp_path / "model.onnx")
    (tmp_path / "rows.jsonl").write_text('{"x": 1}\n')
    goldens = {"uri": "rows.jsonl", "tolerance": 0.5}
    made = write_job_folder(deployment(goldens=goldens), tmp_path, tmp_path / "job")
    digest = "sha256:" + hashlib.sha256(b'{"x": 1}\n').hexdigest()
    told = json.loads(made.job.read_text())["models"][0]["goldens"]
    assert told == {"path": "goldens/0.jsonl", "digest": digest, "tolerance": 0.5}
    assert (made.path / told["path"]).read_text() == '{"x": 1}\n'
    write_job_folder(deployment(), tmp_path, tmp_path / "job")
    assert not (made.path / told["path"]).exists()


def test_the_right_pin_passes_with_and_without_its_prefix(tmp_path: Path, deployment: Deployment) -> None:
    digest = hashlib.sha256(save(row_sum(), tmp_path / "model.onnx").read_bytes()).hexdigest()
    for pin in (digest, f"sha256:{digest}"):
        write_job_folder(deployment(sha256=pin), tmp_path, tmp_path / "job")


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        pytest.param(
            {"sha256": "0" * 64}, DigestMismatch, f"expected sha256:{'0' * 64}, got sha256:", id="a wrong pin"
        ),
        pytest.param({"uri": "none.onnx"}, ModelRefused, "none.onnx does not exist.", id="no model"),
        pytest.param({"uri": "s3://b/m.onnx"}, ModelRefused, "The model is at 's3://b/m.onnx'", id="a model elsewhere"),
        pytest.param({"goldens": {"uri": "no.jsonl"}}, FileMissing, "spec.model.goldens.uri: ", id="no goldens"),
        pytest.param({"labels": "no.txt"}, FileMissing, "spec.model.labels: ", id="no labels"),
        pytest.param(
            {"python": {"module": "no.py"}}, FileMissing, "spec.pipeline.python.module names no.py", id="no module"
        ),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_written(
    tmp_path: Path, deployment: Deployment, fields: dict[str, Any], error: type[HeadgateError], said: str
) -> None:
    save(row_sum(), tmp_path / "model.onnx")
    with pytest.raises(error) as caught:
        write_job_folder(deployment(**fields), tmp_path, tmp_path / "job")
    assert said in str(caught.value)
    assert not (tmp_path / "job").exists()
