"""What ``read_model`` says of models that are fine."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from headgate.models.digest import artifact_digest
from headgate.models.elements import bits_of, dtype_name
from headgate.models.reader import inspect_model, read_model
from headgate.models.signature import ModelFile, ModelSignature, OperatorUse, TensorInfo
from unit.models.builders import LIMIT, branching, externalize, linear, model_of, save, unary, value


def test_a_model_is_described_whole(tmp_path: Path) -> None:
    path = save(linear(), tmp_path / "churn.onnx")
    data = path.read_bytes()
    info = read_model(path, size_limit=LIMIT)
    sha256 = hashlib.sha256(data).hexdigest()
    assert info.ir_version == 8
    assert info.opsets == (("", 17),)
    assert info.opset() == 17
    assert info.opset("ai.onnx.ml") is None
    assert info.producer == "tests 1"
    assert info.metadata == (("trained", "2026-11-01"),)
    assert info.signature == ModelSignature(
        (TensorInfo("features", "float32", ("N", 3)),), (TensorInfo("scores", "float32", ("N", 2)),)
    )
    assert info.files == (ModelFile("churn.onnx", len(data), sha256),)
    assert info.size == len(data)
    assert info.digest == f"sha256:{sha256}"
    assert info.operators == (OperatorUse("", "Gemm", 1), OperatorUse("", "Softmax", 1))
    assert (info.initializers, info.parameters) == (2, 8)


def test_ir_3_lists_weights_among_the_inputs_and_they_are_told_apart(tmp_path: Path) -> None:
    model = linear(opset=9, ir=3)
    model.graph.input.extend([value("W", [3, 2]), value("b", [2])])
    info = read_model(save(model, tmp_path / "m.onnx"), size_limit=LIMIT)
    assert [tensor.name for tensor in info.signature.inputs] == ["features"]


def test_a_sparse_initializer_is_a_weight_too(tmp_path: Path) -> None:
    model = unary("Identity")
    model.graph.node[0].op_type = "MatMul"
    model.graph.node[0].input.append("W")
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("W", TensorProto.FLOAT, [2], [1.0, 2.0]),
        helper.make_tensor("W_indices", TensorProto.INT64, [2], [0, 4]),
        [3, 3],
    )
    model.graph.sparse_initializer.append(sparse)
    model.graph.input.append(value("W", [3, 3]))
    info = read_model(save(model, tmp_path / "m.onnx"), size_limit=LIMIT)
    assert [tensor.name for tensor in info.signature.inputs] == ["x"]
    assert info.initializers == 1


def test_operators_and_weights_inside_branches_count(tmp_path: Path) -> None:
    info = read_model(save(branching(), tmp_path / "m.onnx"), size_limit=LIMIT)
    assert info.operators == (OperatorUse("", "If", 1), OperatorUse("", "Mul", 2))
    assert (info.initializers, info.parameters) == (2, 6)
    assert str(info.signature.inputs[1]) == "flag: bool[]"


def test_a_models_own_function_is_no_unknown_operator(tmp_path: Path) -> None:
    model = unary("Twice", domain="com.acme", extra={"com.acme": 1})
    model.functions.append(
        helper.make_function(
            "com.acme",
            "Twice",
            ["a"],
            ["b"],
            [helper.make_node("Add", ["a", "a"], ["b"])],
            [helper.make_opsetid("", 17)],
        )
    )
    path = save(model, tmp_path / "m.onnx")
    info = read_model(path, size_limit=LIMIT)
    assert OperatorUse("", "Add", 1) in info.operators
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.ones((1, 3), np.float32)})[0].tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("where", ["main", "branch", "constant"])
def test_external_data_is_found_hashed_and_counted_wherever_it_hangs(tmp_path: Path, where: str) -> None:
    if where == "main":
        model = linear()
        tensor = model.graph.initializer[0]
    elif where == "branch":
        model = branching()
        tensor = model.graph.node[0].attribute[0].g.initializer[0]
    else:
        model = unary("Identity")
        array = numpy_helper.from_array(np.ones(3, np.float32), "c")
        model.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], value=array))
        tensor = model.graph.node[0].attribute[0].t
    externalize(tensor, tmp_path, "weights/data.bin")
    path = save(model, tmp_path / "m.onnx")
    info = read_model(path, size_limit=LIMIT)
    main, data = path.read_bytes(), (tmp_path / "weights/data.bin").read_bytes()
    sums = hashlib.sha256(main).hexdigest(), hashlib.sha256(data).hexdigest()
    assert info.files == (
        ModelFile("m.onnx", len(main), sums[0]),
        ModelFile("weights/data.bin", len(data), sums[1]),
    )
    lines = sorted([f"{sums[0]}  m.onnx\n", f"{sums[1]}  weights/data.bin\n"])
    assert info.digest == "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()
    assert info.size == len(main) + len(data)


def test_weights_saved_by_onnx_itself_are_read(tmp_path: Path) -> None:
    onnx.save(
        linear(width=400), tmp_path / "m.onnx", save_as_external_data=True, location="m.onnx.data", size_threshold=1
    )
    info = read_model(tmp_path / "m.onnx", size_limit=LIMIT)
    assert [file.name for file in info.files] == ["m.onnx", "m.onnx.data"]


def test_data_files_are_hashed_in_pieces_and_never_held(tmp_path: Path) -> None:
    model = linear()
    tensor = model.graph.initializer[0]
    externalize(tensor, tmp_path, "large.bin", length=str(48 << 20))
    tensor.dims[:] = [12 << 20, 1]
    with (tmp_path / "large.bin").open("wb") as stream:
        stream.truncate(48 << 20)
    path = save(model, tmp_path / "m.onnx")
    tracemalloc.start()
    info = read_model(path, size_limit=LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert info.size > 48 << 20
    assert peak < 8 << 20


def test_an_artifact_may_be_reached_over_a_link_but_its_data_may_not_leave_the_folder(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    path = save(linear(), real / "m.onnx")
    link = tmp_path / "link.onnx"
    link.symlink_to(path)
    assert read_model(link, size_limit=LIMIT).digest == read_model(path, size_limit=LIMIT).digest


def test_shapes_that_the_exporter_left_out_are_inferred(tmp_path: Path) -> None:
    model = linear()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    info = read_model(save(model, tmp_path / "m.onnx"), size_limit=LIMIT)
    assert info.signature.outputs == (TensorInfo("scores", "float32", ("N", 2)),)


def test_what_cannot_be_inferred_stays_unknown(tmp_path: Path) -> None:
    model = model_of(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [value("x", [None, -1, 0]), value("shape", None, TensorProto.INT64)],
        [value("y", None)],
    )
    info = read_model(save(model, tmp_path / "m.onnx"), size_limit=LIMIT)
    assert info.signature.inputs[0].shape == (None, None, 0)
    assert info.signature.inputs[1].rank is None
    assert info.signature.outputs[0].rank is None
    assert str(info.signature.outputs[0]) == "y: float32[…]"


def test_a_version_1_model_means_opset_1(tmp_path: Path) -> None:
    model = unary("Identity", ir=2)
    model.ClearField("opset_import")
    assert read_model(save(model, tmp_path / "m.onnx"), size_limit=LIMIT).opsets == (("", 1),)


def test_a_model_that_cannot_be_served_is_still_described(tmp_path: Path) -> None:
    info, problems = inspect_model(save(unary("Frobnicate", opset=99, ir=99), tmp_path / "m.onnx"), size_limit=LIMIT)
    assert info.opset() == 99
    assert [problem.reason for problem in problems] == ["IrTooNew", "OpsetTooNew", "UnknownOperator"]


def test_the_digest_does_not_depend_on_the_order_of_files() -> None:
    files = [ModelFile("m.onnx", 1, "b" * 64), ModelFile("a.bin", 1, "a" * 64)]
    assert artifact_digest(files) == artifact_digest(files[::-1])
    assert artifact_digest(files) != artifact_digest([files[0], ModelFile("other.bin", 1, "a" * 64)])


@pytest.mark.parametrize(
    ("number", "name", "bits"),
    [
        (TensorProto.FLOAT, "float32", 32),
        (TensorProto.DOUBLE, "float64", 64),
        (TensorProto.BFLOAT16, "bfloat16", 16),
        (TensorProto.INT4, "int4", 4),
        (TensorProto.UINT16, "uint16", 16),
        (TensorProto.FLOAT8E4M3FN, "float8e4m3fn", 8),
        (TensorProto.FLOAT4E2M1, "float4e2m1", 4),
        (TensorProto.BOOL, "bool", 8),
        (TensorProto.COMPLEX64, "complex64", 64),
        (TensorProto.STRING, "string", None),
        (999, "unknown(999)", None),
    ],
)
def test_element_types_have_numpys_names(number: int, name: str, bits: int | None) -> None:
    assert (dtype_name(number), bits_of(name)) == (name, bits)
