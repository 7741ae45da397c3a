"""Loading, verifying and smoke-testing models, and the pool that shares them within a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from embedded import models
from embedded.jobs import Setup, Sql, write_job
from headgate_runtime.contract import ModelJob, StateTensor, read_job
from headgate_runtime.errors import ModelUnusable, Stage
from headgate_runtime.model import Model, ModelPool, has_free_shapes, load_model, smoke, verify_files

SQL = Sql("", "", "")


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., ModelJob]:
    """``job(model, **fields)``: the model's part of a contract in a folder of its own."""

    def make(path: Path, **fields: Any) -> ModelJob:
        return read_job(write_job(tmp_path / f"job-{path.stem}", path, SQL, Setup(model=fields))).model

    return make


# ---- verify -------------------------------------------------------------------------------------------------------------


def test_files_as_they_were_built_pass(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    verify_files(job(models.linear(tmp_path / "m.onnx")))


def test_a_changed_file_is_refused_with_both_digests(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    model = job(models.linear(tmp_path / "m.onnx"))
    model.path.write_bytes(model.path.read_bytes() + b"\0")
    with pytest.raises(ModelUnusable) as caught:
        verify_files(model)
    assert caught.value.stage == Stage.VERIFY
    assert model.files[0][1] in caught.value.message
    assert "Build again" in caught.value.message


def test_a_missing_file_is_refused_by_name(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    model = job(models.linear(tmp_path / "m.onnx"))
    model.path.unlink()
    with pytest.raises(ModelUnusable, match=r"m\.onnx cannot be read: No such file"):
        verify_files(model)


# ---- load -------------------------------------------------------------------------------------------------------------


def test_what_is_no_model_does_not_load(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelUnusable, match="onnxruntime cannot load version 1: ") as caught:
        load_model(job(path))
    assert caught.value.stage == Stage.LOAD


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param(
            {"constants": {"z": 1}},
            "spec.model.constants names 'z', which is no input of the model (x)",
            id="a constant for nothing",
        ),
        pytest.param(
            {"constants": {"x": "a"}},
            "spec.model.constants.x does not fit the model's input",
            id="a constant of another kind",
        ),
        pytest.param(
            {"constants": {"x": [[1, 2], [3]]}},
            "spec.model.constants.x does not fit the model's input",
            id="a ragged constant",
        ),
    ],
)  # fmt: skip
def test_a_constant_that_does_not_fit_is_refused(
    tmp_path: Path, job: Callable[..., ModelJob], fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ModelUnusable) as caught:
        load_model(job(models.linear(tmp_path / "m.onnx"), **fields))
    assert sentence in caught.value.message


def test_a_provider_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, job: Callable[..., ModelJob]
) -> None:
    given = job(models.linear(tmp_path / "m.onnx"))
    given = replace(given, execution=replace(given.execution, providers=("TurboExecutionProvider",)))
    with pytest.raises(ModelUnusable, match=r"TurboExecutionProvider is not in .* CPUExecutionProvider"):
        load_model(given)


def test_inputs_that_disagree_on_the_batch_are_refused(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    nodes = [helper.make_node("Identity", ["a"], ["c"]), helper.make_node("Identity", ["b"], ["d"])]
    path = models.save(
        tmp_path / "m.onnx", nodes, {"a": (1, [2, 1]), "b": (1, [3, 1])}, {"c": (1, [2, 1]), "d": (1, [3, 1])}
    )
    with pytest.raises(ModelUnusable, match=r"disagree on the batch dimension: a \[2, 1\], b \[3, 1\]"):
        load_model(job(path))


# ---- run --------------------------------------------------------------------------------------------------------------


def test_constants_go_to_every_call_and_scalar_inputs_get_one_row_at_a_time(
    tmp_path: Path, job: Callable[..., ModelJob]
) -> None:
    nodes = [helper.make_node("Mul", ["x", "s"], ["t"]), helper.make_node("Mul", ["t", "k"], ["y"])]
    path = models.save(tmp_path / "m.onnx", nodes, {"x": (1, ["N"]), "s": (1, []), "k": (1, [1])}, {"y": (1, ["N"])})
    model = load_model(job(path, constants={"k": 10}))
    x, s = np.array([1, 2, 3], np.float32), np.array([1, 10, 100], np.float32)
    np.testing.assert_array_equal(model.run({"x": x, "s": s})["y"], x * s * 10)


def test_outputs_that_are_no_tensors_fail_the_smoke_batch(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    zip_map = helper.make_node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    kinds = helper.make_map_type_proto(onnx.TensorProto.INT64, helper.make_tensor_type_proto(1, None))
    output = helper.make_value_info("z", helper.make_sequence_type_proto(kinds))
    graph = helper.make_graph([zip_map], "t", [helper.make_tensor_value_info("x", 1, ["N", 2])], [output])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    with pytest.raises(ModelUnusable, match="output 'z' is a list, not a tensor") as caught:
        smoke(load_model(job(path)))
    assert caught.value.stage == Stage.SMOKE


def test_outputs_that_are_not_one_row_per_record_fail_the_smoke_batch(
    tmp_path: Path, job: Callable[..., ModelJob]
) -> None:
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=1)
    model = load_model(job(models.save(tmp_path / "m.onnx", [node], {"x": (1, ["N", 2])}, {"y": (1, [1, 2])})))
    with pytest.raises(
        ModelUnusable, match=r"output 'y' has shape \[1, 2\] for 2 rows: its first dimension is no batch"
    ):
        smoke(model)


def test_a_model_that_fails_on_zeros_is_unusable(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    model = load_model(job(models.lookup(tmp_path / "m.onnx", table=[])))
    with pytest.raises(ModelUnusable, match="version 1 fails on a smoke batch of zeros: ") as caught:
        smoke(model)
    assert caught.value.stage == Stage.SMOKE


def test_a_model_of_free_widths_waits_for_its_columns(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    weights = {"w": np.ones((5, 1), np.float32)}
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = load_model(
        job(models.save(tmp_path / "m.onnx", [node], {"x": (1, ["N", "W"])}, {"y": (1, ["N", "M"])}, weights))
    )
    assert has_free_shapes(model)
    assert smoke(model, {"x": (5,)})["y"].shape == (2, 1)
    with pytest.raises(ModelUnusable, match="fails on a smoke batch"):
        smoke(model, {"x": (4,)})


def test_free_dimensions_take_the_first_size_that_the_model_takes(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[32, 32])
    model = load_model(
        job(models.save(tmp_path / "m.onnx", [node], {"x": (1, ["N", 1, "H", "W"])}, {"y": (1, ["N", 1, "P", "Q"])}))
    )
    assert smoke(model)["y"].shape == (2, 1, 33, 33)


def test_a_model_that_takes_no_size_says_which_were_tried(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[300, 300])
    shapes = ({"x": (1, ["N", 1, "H", "W"])}, {"y": (1, ["N", 1, "P", "Q"])})
    model = load_model(job(models.save(tmp_path / "m.onnx", [node], *shapes)))
    with pytest.raises(ModelUnusable, match=r"zeros \(with 8, 2, 64, 224, 1 for its free dimensions\): "):
        smoke(model)


# ---- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        pytest.param(StateTensor("q", "hn", (1, 2), 0), "names input 'q', which the model does not have", id="input"),
        pytest.param(StateTensor("h", "q", (1, 2), 0), "names output 'q', which the model does not have", id="output"),
        pytest.param(
            StateTensor("h", "total", (1, 2), 0), "has shape [1, 1], spec.model.state says [1, 2]", id="shape"
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused(
    tmp_path: Path, job: Callable[..., ModelJob], state: StateTensor, sentence: str
) -> None:
    given = replace(job(models.accumulator(tmp_path / "m.onnx")), state=(state,))
    with pytest.raises(ModelUnusable) as caught:
        smoke(load_model(given))
    assert sentence in caught.value.message


# ---- pool ---------------------------------------------------------------------------------------------------------------


class Loader:
    """Counts loads and hands out the same model."""

    def __init__(self, model: Model) -> None:
        self.model, self.loads = model, 0

    def __call__(self, job: ModelJob) -> Model:
        self.loads += 1
        return replace(self.model, job=job)


def test_tasks_of_a_worker_share_a_model_until_the_last_leaves(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    given = job(models.linear(tmp_path / "m.onnx"))
    loader = Loader(load_model(given))
    pool = ModelPool(load=loader)
    first, second = pool.acquire(given), pool.acquire(given)
    assert first is second
    assert loader.loads == 1
    pool.release(given)
    assert len(pool) == 1
    assert pool.acquire(given) is first
    pool.release(given)
    pool.release(given)
    assert len(pool) == 0
    assert pool.acquire(given) is not first
    assert loader.loads == 2


def test_another_digest_or_another_number_of_threads_is_another_model(
    tmp_path: Path, job: Callable[..., ModelJob]
) -> None:
    given = job(models.linear(tmp_path / "m.onnx"))
    pool = ModelPool(load=Loader(load_model(given)))
    other = replace(given, digest="sha256:other")
    threaded = replace(given, execution=replace(given.execution, intra_op_threads=2))
    assert len({id(pool.acquire(j)) for j in (given, other, threaded)}) == 3
    pool.release(other)
    assert len(pool) == 2


def test_giving_back_what_was_never_taken_is_no_harm(tmp_path: Path, job: Callable[..., ModelJob]) -> None:
    ModelPool().release(job(models.linear(tmp_path / "m.onnx")))
