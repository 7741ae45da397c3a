"""``spec.model`` against a signature: every mistake has a sentence with its path, and nothing right is refused."""

# ruff: noqa: E501  tables have one case a line

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.model import ModelSpec
from headgate.api.resources import ModelDeployment
from headgate.models.check import InputColumns, check_against_signature, check_deployment, signature_problems
from headgate.models.signature import ModelInfo, ModelSignature, TensorInfo

FEATURES = tuple(f"f{number}" for number in range(12))


def tensor(name: str, dtype: str = "float32", *shape: int | str | None) -> TensorInfo:
    return TensorInfo(name, dtype, shape)


def unknown(name: str, dtype: str = "float32") -> TensorInfo:
    return TensorInfo(name, dtype, (), ranked=False)


DENSE = ModelSignature(
    (tensor("dense_input", "float32", "N", 12),),
    (tensor("label", "int64", "N"), tensor("scores", "float32", "N", 3), tensor("price", "float32", "N", 1)),
)
NAMED = ModelSignature(
    (tensor("age", "float32", "N", 1), tensor("country", "string", "N", 1)), (tensor("label", "string", "N"),)
)
VOICE = ModelSignature(
    (tensor("input", "float32", None, None), tensor("state", "float32", 2, None, 128), tensor("sr", "int64")),
    (tensor("output", "float32", None, 1), tensor("stateN", "float32", None, None, None)),
)
IMAGE = ModelSignature((tensor("image", "float32", 1, 1, 28, 28),), (tensor("logits", "float32", 1, 10),))
LOOSE = ModelSignature((unknown("x"),), (unknown("y"), tensor("z", "float32", "N", None)))
VOICE_STATE = {"input": "state", "output": "stateN", "shape": [2, 1, 128]}


def problems(
    signature: ModelSignature, spec: dict[str, Any], columns: tuple[str, ...] | None, key: str = "id"
) -> tuple[str, ...]:
    info = ModelInfo(8, (("", 17),), "", (), signature, (), 0, "sha256:", (), 0, 0)
    return check_against_signature(ModelSpec.model_validate({"uri": "m.onnx"} | spec), info, columns, key=key)


FINE = [
    ("a single input takes all columns but the key", DENSE, {}, ("id", *FEATURES)),
    ("columns that are no numbers may stand beside", DENSE, {}, ("id", "text", *FEATURES)),
    ("columns are named in order", DENSE, {"inputs": {"dense_input": FEATURES}}, ("id", *FEATURES)),
    ("one column may be an array", DENSE, {"inputs": {"dense_input": ["features"]}}, ("id", "features")),
    ("nothing is known of the columns", DENSE, {}, None),
    ("several inputs match by name", NAMED, {}, ("id", "age", "country")),
    ("expressions fit the outputs", DENSE, {"outputs": {"p": "scores[2]", "last": "scores[-1]", "best": "argmax(scores)", "soft": "softmax(scores)", "yes": "threshold(scores[0], 0.5)", "cost": "price", "cost0": "price[0]", "l": "label", "top": "topk(scores, 2)"}}, None),
    ("a histogram of an output by name", DENSE, {"histogram": "price"}, None),
    ("a histogram of an expression", DENSE, {"outputs": {"p": "scores[1]"}, "histogram": "p"}, None),
    ("state and a constant feed what columns do not", VOICE, {"state": [VOICE_STATE], "constants": {"sr": 16000}, "inputs": {"input": ["frame"]}}, ("id", "frame")),
    ("pixels as one array", IMAGE, {}, ("id", "pixels")),
    ("pixels as columns of their own", IMAGE, {"inputs": {"image": [f"p{i}" for i in range(784)]}}, None),
    ("a model that says nothing of its shapes", LOOSE, {"inputs": {"x": ["a", "b"]}, "outputs": {"p": "y[3]", "q": "argmax(y)", "r": "z[70]", "s": "max(z)"}}, ("id", "a", "b")),
    ("a constant of several values", ModelSignature((tensor("x", "float32", "N", 2), tensor("mean", "float32", 2)), DENSE.outputs), {"constants": {"mean": [0.5, 1]}}, ("id", "a", "b")),
    ("a single value fills a tensor of ones", ModelSignature((tensor("x", "float32", "N", 2), tensor("t", "float32", 1, 1)), DENSE.outputs), {"constants": {"t": 1}}, ("id", "a", "b")),
]  # fmt: skip


@pytest.mark.parametrize(("signature", "spec", "columns"), [case[1:] for case in FINE], ids=[case[0] for case in FINE])
def test_nothing_is_said_of_what_is_right(
    signature: ModelSignature, spec: dict[str, Any], columns: tuple[str, ...] | None
) -> None:
    assert problems(signature, spec, columns) == ()


WRONG = [
    ("a misspelt input", DENSE, {"inputs": {"denseinput": FEATURES}}, None,
     'spec.model.inputs.denseinput: the model has no input "denseinput"; did you mean "dense_input"?'),
    ("an input that is nowhere near", DENSE, {"constants": {"zzz": 1}}, None,
     'spec.model.constants.zzz: the model has no input "zzz"; it has dense_input'),
    ("eleven columns for twelve", DENSE, {"inputs": {"dense_input": FEATURES[:11]}}, ("id", *FEATURES),
     'spec.model.inputs.dense_input: input "dense_input" wants 12 columns (dense_input: float32[N, 12]), spec.model.inputs gives 11'),
    ("thirteen columns for twelve", DENSE, {"inputs": {"dense_input": (*FEATURES, "id")}}, ("id", *FEATURES),
     'spec.model.inputs.dense_input: input "dense_input" wants 12 columns (dense_input: float32[N, 12]), spec.model.inputs gives 13'),
    ("eleven columns by default", DENSE, {}, ("id", *FEATURES[:11]),
     'spec.model.inputs.dense_input: input "dense_input" wants 12 columns (dense_input: float32[N, 12]), spec.pipeline.input has 11 beside the key'),
    ("two columns for a scalar", ModelSignature((tensor("x", "float32", "N"),), DENSE.outputs), {"inputs": {"x": ["a", "b"]}}, None,
     'spec.model.inputs.x: input "x" wants 1 column (x: float32[N]), spec.model.inputs gives 2'),
    ("columns that fill no whole image", ModelSignature((tensor("image", "float32", "N", None, 4),), DENSE.outputs), {"inputs": {"image": FEATURES[:6]}}, None,
     'spec.model.inputs.image: input "image" wants a multiple of 4 columns (image: float32[N, ?, 4]), spec.model.inputs gives 6'),
    ("a column that the query does not yield", DENSE, {"inputs": {"dense_input": (*FEATURES[:11], "f_11")}}, ("id", *FEATURES),
     'spec.model.inputs.dense_input[11]: spec.pipeline.input has no column "f_11"; did you mean "f11"?'),
    ("an input that nothing feeds", NAMED, {}, ("id", "age", "countries"),
     'spec.model.inputs: nothing feeds the model input "country" (country: string[N, 1]): name its columns here, or give it a value in constants, for spec.pipeline.input has no column of that name; did you mean "countries"?'),
    ("nothing for columns to feed", DENSE, {"constants": {"dense_input": [[0.0] * 12]}}, None,
     "spec.model.inputs: every model input (dense_input) is a constant or state; no row is scored"),
    ("inputs of different batches", ModelSignature((tensor("a", "float32", 1, 2), tensor("b", "float32", 4, 2)), DENSE.outputs), {}, ("a", "b"),
     "spec.model.inputs: the model's inputs disagree on the batch, their first dimension: a: float32[1, 2], b: float32[4, 2]"),
    ("a constant of another shape", VOICE, {"state": [VOICE_STATE], "constants": {"sr": [1, 2]}}, None,
     "spec.model.constants.sr: the model input sr: int64[] cannot take a tensor of shape [2]"),
    ("a constant of another type", VOICE, {"state": [VOICE_STATE], "constants": {"sr": "16000"}}, None,
     "spec.model.constants.sr: the model input sr: int64[] cannot take '16000'"),
    ("a fraction for an integer", VOICE, {"state": [VOICE_STATE], "constants": {"sr": 0.5}}, None,
     "spec.model.constants.sr: the model input sr: int64[] cannot take 0.5"),
    ("a number that overflows", ModelSignature((*DENSE.inputs, tensor("c", "uint8")), DENSE.outputs), {"constants": {"c": 256}}, None,
     "spec.model.constants.c: the model input c: uint8[] cannot take 256"),
    ("state of another rank", VOICE, {"constants": {"sr": 1}, "state": [VOICE_STATE | {"shape": [2, 128]}]}, None,
     "spec.model.state[0].shape: [2, 128] does not fit the input state: float32[2, ?, 128]"),
    ("state of another size", VOICE, {"constants": {"sr": 1}, "state": [VOICE_STATE | {"shape": [2, 1, 64]}]}, None,
     "spec.model.state[0].shape: [2, 1, 64] does not fit the input state: float32[2, ?, 128]"),
    ("state that comes from nowhere", VOICE, {"constants": {"sr": 1}, "state": [VOICE_STATE | {"output": "state_n"}]}, None,
     'spec.model.state[0].output: the model has no output "state_n"; did you mean "stateN"?'),
    ("state of another type", ModelSignature((*DENSE.inputs, tensor("h", "float32", 1, 4)), (tensor("hn", "float64", 1, 4),)), {"state": [{"input": "h", "output": "hn", "shape": [1, 4]}]}, None,
     "spec.model.state[0]: input h: float32[1, 4] and output hn: float64[1, 4] are of different types, so one cannot become the other"),
    ("state with a batch of eight", ModelSignature((tensor("x", "float32", 8, 2), tensor("h", "float32", 1, 4)), (tensor("hn", "float32", 1, 4),)), {"state": [{"input": "h", "output": "hn", "shape": [1, 4]}]}, None,
     "spec.model.state: state is kept per key, row by row, and x: float32[8, 2] wants another batch than 1"),
    ("a misspelt output", DENSE, {"outputs": {"p": "argmax(score)"}}, None,
     'spec.model.outputs.p: the model has no output "score"; did you mean "scores"?'),
    ("an index outside", DENSE, {"outputs": {"p": "scores[3]"}}, None,
     "spec.model.outputs.p: scores[3] is outside of scores: float32[N, 3], which has 0 to 2 there"),
    ("an index before the first", DENSE, {"outputs": {"p": "scores[-4]"}}, None,
     "spec.model.outputs.p: scores[-4] is outside of scores: float32[N, 3], which has 0 to 2 there"),
    ("an index into a single number", DENSE, {"outputs": {"p": "label[0]"}}, None,
     "spec.model.outputs.p: label[0] has 1 in its index; label: int64[N] has no dimension after the batch"),
    ("too many indices", DENSE, {"outputs": {"p": "scores[0, 1]"}}, None,
     "spec.model.outputs.p: scores[0, 1] has 2 in its index; scores: float32[N, 3] has 1 dimension after the batch"),
    ("argmax of a single number", DENSE, {"outputs": {"p": "argmax(label)"}}, None,
     "spec.model.outputs.p: argmax needs several numbers a row; label of label: int64[N] gives one"),
    ("argmax of a regressor's answer", DENSE, {"outputs": {"p": "argmax(price)"}}, None,
     "spec.model.outputs.p: argmax needs several numbers a row; price of price: float32[N, 1] gives one"),
    ("topk of an element", DENSE, {"labels": "l.txt", "outputs": {"p": "topk(scores[0], 2)"}}, None,
     "spec.model.outputs.p: topk needs several numbers a row; scores[0] of scores: float32[N, 3] gives one"),
    ("a threshold on texts", NAMED, {"outputs": {"p": "threshold(label, 1)"}}, None,
     'spec.model.outputs.p: threshold needs numbers; output "label" is label: string[N]'),
    ("an answer named like a column", DENSE, {"outputs": {"f0": "price"}}, ("id", *FEATURES),
     'spec.model.outputs.f0: "f0" is a column of spec.pipeline.input as well; call this one something else'),
    ("an output named like a column", DENSE, {}, ("id", "label", *FEATURES),
     'spec.model.outputs: the model\'s output "label" and a column of spec.pipeline.input have the same name; rename the answer here, such as label_out: label'),
    ("a histogram of a vector", DENSE, {"histogram": "scores"}, None,
     "spec.model.histogram: scores: float32[N, 3] is not one number a row"),
    ("a histogram of nothing", DENSE, {"histogram": "prices"}, None,
     'spec.model.histogram: the model has no output "prices"; did you mean "price"?'),
    ("a histogram of a vector's expression", DENSE, {"outputs": {"p": "softmax(scores)"}, "histogram": "p"}, None,
     'spec.model.histogram: "p" is softmax(scores), which is not one number a row'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("signature", "spec", "columns", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_a_mistake_is_named_with_its_path(
    signature: ModelSignature, spec: dict[str, Any], columns: tuple[str, ...] | None, said: str
) -> None:
    assert said in problems(signature, spec, columns)


def test_all_mistakes_are_named_at_once() -> None:
    spec = {"inputs": {"dense_input": FEATURES[:2]}, "outputs": {"p": "scores[9]", "q": "none"}, "constants": {"x": 1}}
    assert len(problems(DENSE, spec, ("id", *FEATURES))) == 4


@pytest.mark.parametrize(("count", "fits"), [(2, True), (12, True), (13, False)])
def test_columns_that_may_be_rows_can_be_fewer_and_never_more(count: int, fits: bool) -> None:
    names = tuple(f"c{number}" for number in range(count))
    spec = ModelSpec.model_validate({"uri": "m.onnx", "inputs": {"dense_input": names}})
    assert (signature_problems(spec, DENSE, InputColumns(("id", *names), "id", frozenset(names))) == ()) is fits


def deployment(column: str = "FLOAT", module: str = "") -> ModelDeployment:
    return ModelDeployment.model_validate(
        {
            "apiVersion": "headgate.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "churn"},
            "spec": {
                "model": {"uri": "m.onnx"},
                "pipeline": {
                    "tables": f"CREATE TABLE t (id INT, a {column}, b FLOAT) WITH ('connector' = 'datagen')",
                    "input": "SELECT * FROM t",
                    "key": "id",
                    "output": "INSERT INTO o SELECT * FROM scored",
                    "python": {"module": module},
                },
            },
        }
    )


INFO = ModelInfo(8, (("", 17),), "", (), DENSE, (), 0, "sha256:", (), 0, 0)


def test_a_whole_resource_is_checked_with_the_columns_of_its_sql() -> None:
    assert check_deployment(deployment(), INFO) == (
        'spec.model.inputs.dense_input: input "dense_input" wants 12 columns (dense_input: float32[N, 12]), '
        "spec.pipeline.input has 2 beside the key",
    )


def test_where_rows_may_come_from_the_number_of_columns_says_nothing() -> None:
    assert check_deployment(deployment("ROW<x FLOAT, y FLOAT>"), INFO) == ()
    assert check_deployment(deployment(module="features.py"), INFO) == ()
