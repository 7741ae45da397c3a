"""Conversions: what changes, that the answers do not, and what is refused."""

# ruff: noqa: E501  tables have one case a line

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from headgate.models.answers import CannotRun, compare
from headgate.models.convert import Method, convert_opset
from headgate.models.operators import newest_ir, newest_opset
from headgate.models.reader import read_model
from headgate.models.refusals import Refusal
from headgate.models.signature import ModelSignature, TensorInfo
from unit.models.builders import LIMIT, branching, externalize, linear, model_of, save, unary, value


def ir_3(model: onnx.ModelProto) -> onnx.ModelProto:
    """As written before IR 4: every weight among the inputs."""
    model.ir_version = 3
    model.graph.input.extend(
        helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims) for weight in model.graph.initializer
    )
    return model


def old_linear() -> onnx.ModelProto:
    """Gemm of opset 6, which onnxruntime does not have, with a named batch dimension, which onnx's converter cannot read."""
    model = ir_3(linear(opset=6))
    model.graph.node[0].attribute.append(helper.make_attribute("broadcast", 1))
    return model


def with_function() -> onnx.ModelProto:
    model = unary("Twice", opset=17, domain="com.acme", extra={"com.acme": 1})
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
    return model


def squeezing_branches() -> onnx.ModelProto:
    """Squeeze takes its axes as an attribute up to opset 12 and as an input from 13."""

    def branch(name: str) -> onnx.GraphProto:
        node = helper.make_node("Squeeze", ["x"], [name], axes=[1])
        return helper.make_graph([node], name, [], [value(name, ["N"])])

    return model_of(
        [helper.make_node("If", ["flag"], ["y"], then_branch=branch("a"), else_branch=branch("b"))],
        [value("x", ["N", 1]), value("flag", [], TensorProto.BOOL)],
        [value("y", ["N"])],
        opsets={"": 11},
    )


def strings() -> onnx.ModelProto:
    """A label encoder of ai.onnx.ml, imported before the standard domain, behind an operator that changes."""
    return model_of(
        [
            helper.make_node("Squeeze", ["country"], ["flat"], axes=[1]),
            helper.make_node(
                "LabelEncoder", ["flat"], ["code"], domain="ai.onnx.ml", keys_strings=["France"], values_int64s=[7]
            ),
        ],
        [value("country", ["N", 1], TensorProto.STRING)],
        [value("code", ["N"], TensorProto.INT64)],
        opsets={"ai.onnx.ml": 2, "": 11},
    )


@pytest.mark.parametrize(
    ("build", "opset", "method", "evaluator"),
    [
        pytest.param(old_linear, None, Method.CONVERTED, "onnx.reference", id="too old for onnxruntime, weights among the inputs"),
        pytest.param(lambda: unary("Relu", opset=5), None, Method.CONVERTED, "onnx.reference", id="one operator too old"),
        pytest.param(linear, 21, Method.RELABELLED, "onnxruntime", id="no operator changes"),
        pytest.param(lambda: linear(opset=21), 13, Method.RELABELLED, "onnxruntime", id="down, and no operator changes"),
        pytest.param(lambda: unary("Relu", opset=newest_opset() + 2, ir=newest_ir() + 1), None, Method.RELABELLED, "onnx.reference", id="too new for onnxruntime"),
        pytest.param(lambda: unary("Swish", opset=25), None, Method.RELABELLED, "onnx.reference", id="an operator that runs at an older opset only"),
        pytest.param(with_function, 21, Method.CONVERTED, "onnxruntime", id="a model with a function of its own"),
        pytest.param(squeezing_branches, 21, Method.CONVERTED, "onnxruntime", id="operators inside branches"),
        pytest.param(branching, 21, Method.CONVERTED, "onnxruntime", id="weights inside branches"),
        pytest.param(strings, 21, Method.CONVERTED, "onnxruntime", id="strings, and a second domain imported first"),
    ],
)  # fmt: skip
def test_a_model_is_moved_and_answers_the_same(build, opset, method, evaluator, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # a table
    source = save(build(), tmp_path / "old.onnx")
    before = source.read_bytes()
    report = convert_opset(source, tmp_path / "new.onnx", opset=opset)
    assert (report.method, report.comparison.evaluator) == (method, evaluator)
    assert report.comparison.agree
    assert report.comparison.rounds > 0
    assert report.comparison.difference < 1e-4
    assert report.target == read_model(tmp_path / "new.onnx", size_limit=LIMIT)
    assert report.target.opset() == report.target_opset
    assert opset in (None, report.target_opset)
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.onnx", "old.onnx"]
    onnxruntime.InferenceSession(tmp_path / "new.onnx", providers=["CPUExecutionProvider"])


def test_the_signature_and_the_metadata_stay(tmp_path: Path) -> None:
    source = save(old_linear(), tmp_path / "old.onnx")
    report = convert_opset(source, tmp_path / "new.onnx")
    assert [str(tensor) for tensor in report.target.signature.inputs] == ["features: float32[N, 3]"]
    assert [str(tensor) for tensor in report.target.signature.outputs] == ["scores: float32[N, 2]"]
    assert report.target.metadata == (("trained", "2026-11-01"),)
    assert str(report).startswith("opset 6 → 21 (converted); answers of 8 random batches agree with onnx.reference")


def test_external_data_is_taken_along(tmp_path: Path) -> None:
    model = linear()
    (tmp_path / "in").mkdir()
    externalize(model.graph.initializer[0], tmp_path / "in", "weights.bin")
    source = save(model, tmp_path / "in" / "old.onnx")
    report = convert_opset(source, tmp_path / "new.onnx", opset=21)
    assert [file.name for file in report.target.files] == ["new.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "new.onnx", providers=["CPUExecutionProvider"])
    original = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    rows = {"features": np.ones((2, 3), np.float32)}
    np.testing.assert_array_equal(session.run(None, rows)[0], original.run(None, rows)[0])


@pytest.mark.parametrize(
    ("model", "opset", "reason", "says"),
    [
        pytest.param(unary("Gelu", opset=21), 13, "ConversionFailed", "opset 21 to 13: onnx's converter says", id="no way back"),
        pytest.param(linear(), 99, "ConversionFailed", r"Opset 99 is not one .*1 to \d+", id="an opset that nobody has"),
        pytest.param(unary("Relu", opset=9), 5, "ConversionFailed", "from opset 6", id="an opset that onnxruntime no longer has"),
        pytest.param(unary("Foo", domain="com.acme", extra={"com.acme": 1}), 21, "ConversionFailed", "'Foo' of the domain", id="a custom operator"),
    ],
)  # fmt: skip
def test_what_cannot_be_moved_is_refused_and_nothing_is_written(
    model: onnx.ModelProto, opset: int, reason: str, says: str, tmp_path: Path
) -> None:
    source = save(model, tmp_path / "old.onnx")
    with pytest.raises(Refusal, match=says) as refused:
        convert_opset(source, tmp_path / "new.onnx", opset=opset)
    assert refused.value.reason == reason
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]


def resizing() -> onnx.ModelProto:
    """Resize of opset 10 counts pixels otherwise than later ones do, which onnx's converter does not take into account."""
    return model_of(
        [helper.make_node("Resize", ["x", "scales"], ["y"], mode="linear")],
        [value("x", ["N", 1, 4, 4])],
        [value("y", ["N", 1, 8, 8])],
        {"scales": np.array([1, 1, 2, 2], np.float32)},
        opsets={"": 10},
    )


def test_a_conversion_that_changes_answers_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    source = save(resizing(), tmp_path / "old.onnx")
    with pytest.raises(Refusal, match=r"opset 21, output 'y' of a batch of 1 differs \(by up to \d") as refused:
        convert_opset(source, tmp_path / "new.onnx", opset=21)
    assert refused.value.reason == "ConversionDisagrees"
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]


def test_a_comparison_sees_another_meaning_of_the_same_operator(tmp_path: Path) -> None:
    """Softmax flattens up to opset 12 and works along one axis from 13: a bare relabelling would be wrong."""
    original = unary("Softmax", opset=11)
    for values in (original.graph.input[0], original.graph.output[0]):
        values.type.tensor_type.shape.dim.add(dim_value=4)
    wrong = onnx.ModelProto()
    wrong.CopyFrom(original)
    wrong.opset_import[0].version = 21
    signature = read_model(save(original, tmp_path / "old.onnx"), size_limit=LIMIT).signature
    comparison = compare(original, wrong, signature)
    assert not comparison.agree
    assert comparison.where == "output 'y' of a batch of 1"
    report = convert_opset(tmp_path / "old.onnx", tmp_path / "new.onnx", opset=21)
    assert report.comparison.agree


def test_labels_must_be_equal() -> None:
    def classifier(label: str) -> onnx.ModelProto:
        node = helper.make_node(
            "LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", keys_int64s=[0, 1], values_strings=["no", label]
        )
        return model_of(
            [node],
            [value("x", ["N"], TensorProto.INT64)],
            [value("y", ["N"], TensorProto.STRING)],
            opsets={"": 17, "ai.onnx.ml": 2},
        )

    signature = ModelSignature((TensorInfo("x", "int64", ("N",)),), (TensorInfo("y", "string", ("N",)),))
    assert compare(classifier("yes"), classifier("yes"), signature).agree
    comparison = compare(classifier("yes"), classifier("maybe"), signature)
    assert (comparison.agree, comparison.difference) == (False, 1.0)


def test_a_model_that_runs_on_no_random_batch_is_not_judged() -> None:
    signature = ModelSignature((TensorInfo("features", "float32", ("N", 4)),), ())
    with pytest.raises(CannotRun, match="none of the random batches"):
        compare(linear(), linear(), signature)


def test_a_target_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    source = save(linear(), tmp_path / "old.onnx")
    with pytest.raises(Refusal, match="cannot be written") as refused:
        convert_opset(source, tmp_path / "no" / "such" / "new.onnx", opset=21)
    assert refused.value.reason == "ConversionFailed"


def test_a_model_may_be_converted_in_place(tmp_path: Path) -> None:
    source = save(unary("Relu", opset=5), tmp_path / "m.onnx")
    assert convert_opset(source, source).target.opset() == 21
    assert read_model(source, size_limit=LIMIT).opset() == 21
