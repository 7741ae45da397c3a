"""What is said of operators holds against the installed onnxruntime: it is asked to load the same models."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from headgate.models.operators import (
    OperatorFacts,
    assess_operators,
    assess_versions,
    newest_ir,
    newest_opset,
    runtime_operators,
)
from headgate.models.walk import domain_of, opsets_of, walk_nodes
from unit.models.builders import model_of, unary, value

ELEMENTWISE = (
    "Abs",
    "Relu",
    "Tanh",
    "Softmax",
    "Dropout",
    "Gelu",
    "HardSwish",
    "Mish",
    "Identity",
    "Ceil",
    "Selu",
    "Swish",
)
"""Operators of one float input that every opset from their first takes without attributes."""


def loads(model: onnx.ModelProto) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except (ort.Fail, ort.InvalidGraph, ort.NotImplemented):
        return False
    return True


def accepted(model: onnx.ModelProto) -> bool:
    functions = frozenset((domain_of(function.domain), function.name) for function in model.functions)
    problems = assess_versions("model", model.ir_version, opsets_of(model.opset_import))
    return not (*problems, *assess_operators("model", walk_nodes(model), functions))


@pytest.mark.parametrize("operator", ELEMENTWISE)
def test_an_operator_is_accepted_at_exactly_the_opsets_where_onnxruntime_loads_it(operator: str) -> None:
    models = {opset: unary(operator, opset=opset) for opset in range(1, newest_opset() + 3)}
    assert {o: accepted(m) for o, m in models.items()} == {o: loads(m) for o, m in models.items()}


def test_no_operator_of_onnxruntimes_own_domain_is_refused() -> None:
    names = [name for domain, name in runtime_operators() if domain == "com.microsoft"]
    assert len(names) > 100
    for name in names:
        model = unary(name, domain="com.microsoft", extra={"com.microsoft": 1})
        assert accepted(model), name


def test_a_contributed_operator_is_accepted_without_an_import_as_onnxruntime_does() -> None:
    model = unary("Gelu", domain="com.microsoft")
    assert accepted(model)
    assert loads(model)


def test_the_standard_domain_has_two_names() -> None:
    model = unary("Relu", domain="ai.onnx")
    assert accepted(model)
    assert loads(model)


def test_the_newest_versions_load_and_the_next_do_not() -> None:
    assert loads(unary("Identity", opset=newest_opset(), ir=newest_ir()))
    assert not loads(unary("Identity", opset=newest_opset() + 1))
    assert not loads(unary("Identity", ir=newest_ir() + 1))
    scaler = {"ai.onnx.ml": newest_opset("ai.onnx.ml")}
    assert loads(unary("Identity", extra=scaler))
    assert not loads(unary("Identity", extra={"ai.onnx.ml": scaler["ai.onnx.ml"] + 1}))


def test_nothing_that_onnxruntime_loads_of_onnxs_own_models_is_refused() -> None:
    """The models that come with onnx: networks and single layers of opsets 3 to 9 and later."""
    paths = sorted(Path(onnx.__file__).parent.glob("backend/test/data/**/*.onnx"))
    assert len(paths) > 100
    models = {path.parent.name + "/" + path.name: onnx.load(path) for path in paths}
    refused = {name: model for name, model in models.items() if not accepted(model)}
    assert refused
    assert [name for name, model in refused.items() if loads(model)] == []


def test_an_operator_inside_a_branch_is_found() -> None:
    inner = helper.make_graph(
        [helper.make_node("Foo", ["x"], ["z"], domain="com.acme")], "then", [], [value("z", ["N", 3])]
    )
    model = model_of(
        [helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=inner)],
        [value("x", ["N", 3]), value("flag", [], TensorProto.BOOL)],
        [value("y", ["N", 3])],
    )
    (refusal,) = assess_operators("model", walk_nodes(model), frozenset())
    assert refusal.reason == "CustomDomain"


def test_a_kernel_with_an_open_end_is_for_its_first_version_alone() -> None:
    """So onnxruntime matches them: a later version of the operator may mean something else."""
    facts = OperatorFacts((6, 13, 30), frozenset(), frozenset(), ((6, 12), (13, 2**31 - 1)))
    assert [opset for opset in range(1, 35) if facts.runs_at(opset)] == list(range(6, 30))
