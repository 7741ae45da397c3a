"""``headgate init``: what is written fits the model, passes validation, and says what was guessed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.api.load import load_modeldeployments
from headgate.cli.scaffold import resource_name
from headgate.local.tables import tables_of
from unit.cli.models import MODELS
from unit.local.kit import Said, row_sum, save

Headgate = Callable[..., Said]


def scaffold(headgate: Headgate, here: Path, kind: str) -> dict[str, Any]:
    """The resource that ``init`` writes for one of the models."""
    save(MODELS[kind](), here / "m.onnx")
    said = headgate("init", "m.onnx", "-o", "-")
    assert said.status == 0, said.err
    assert "did not score" not in said.err, said.err
    return dict(yaml.safe_load(said.out)["spec"])


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in MODELS])
def test_what_is_written_is_valid_and_fits_the_model(headgate: Headgate, here: Path, kind: str) -> None:
    save(MODELS[kind](), here / "m.onnx")
    assert headgate("init", "m.onnx").status == 0
    said = headgate("validate", "m.yaml")
    assert (said.status, said.out, said.err) == (0, "m.yaml: m is valid\n", "")


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        pytest.param("a sum of three features", {"x": ["f1", "f2", "f3"]}, {"total": "total"}, id="a regressor"),
        pytest.param(
            "a binary classifier",
            {"x": ["f1", "f2", "f3", "f4"]},
            {"label": "label", "probability": "probabilities[1]"},
            id="of two classes the second's probability",
        ),
        pytest.param(
            "a classifier of five",
            {"x": ["f1", "f2", "f3", "f4"]},
            {"label": "label", "confidence": "max(probabilities)"},
            id="of many classes the best one's",
        ),
        pytest.param(
            "logits without a label",
            {"x": ["f1", "f2", "f3", "f4"]},
            {"logits_class": "argmax(logits)", "logits_score": "max(logits)"},
            id="without a label the index of the best",
        ),
        pytest.param(
            "several inputs of several types",
            {"count": ["count"], "is active": ["is_active"], "balance:0": ["balance_0"], "country": ["country"]},
            {"score": "score", "country_out": "country_out"},
            id="a column for each input, called like it where SQL can",
        ),
        pytest.param(
            "an image of fixed size",
            {"pixels": ["pixels"]},
            {"scores_class": "argmax(scores)", "scores_score": "max(scores)"},
            id="an array column for an image",
        ),
        pytest.param("an image of free size", {"pixels": ["pixels"]}, {"mean": "mean[0, 0, 0]"}, id="[N, 1, 1, 1]"),
        pytest.param("784 features", {"x": ["x"]}, {"total": "total"}, id="one array for many features"),
        pytest.param("token ids", {"ids": ["ids"], "mask": ["mask"]}, {"kept": "kept"}, id="arrays for sequences"),
        pytest.param("an output without a shape", {"x": ["f1", "f2", "f3"]}, {"y_class": "argmax(y)", "y_score": "max(y)"},
                     id="the trial tells the output's shape"),
    ],
)  # fmt: skip
def test_columns_fit_the_signature(
    headgate: Headgate, here: Path, kind: str, inputs: dict[str, list[str]], outputs: dict[str, str]
) -> None:
    model = scaffold(headgate, here, kind)["model"]
    assert (model["inputs"], model["outputs"]) == (inputs, outputs)


def test_a_recurrent_model_gets_state_and_its_scalar_a_constant(headgate: Headgate, here: Path) -> None:
    model = scaffold(headgate, here, "a recurrent model with a rate")["model"]
    assert model["state"] == [{"input": "h", "output": "hn", "shape": [1, 3], "init": 0}]
    assert model["constants"] == {"rate": 0.0}
    assert (list(model["inputs"]), model["outputs"]) == (["x"], {"y": "y"})


def test_types_of_columns_and_words_of_sql(headgate: Headgate, here: Path) -> None:
    spec = scaffold(headgate, here, "several inputs of several types")
    tables = spec["pipeline"]["tables"]
    for column in ("`count` BIGINT", "is_active BOOLEAN", "balance_0 FLOAT", "country STRING"):
        assert f"        {column}".strip() in tables
    assert "SELECT record_id, `count`, is_active, balance_0, country FROM records" in spec["pipeline"]["input"]


def test_made_up_records_have_the_lengths_of_the_model(headgate: Headgate, here: Path) -> None:
    (records, *_) = tables_of(scaffold(headgate, here, "an image of fixed size")["pipeline"]["tables"])
    assert (records.get("fields.pixels.length"), records.get("fields.pixels.element.max")) == ("64", "1")
    (nested, *_) = tables_of(scaffold(headgate, here, "an image of free size")["pipeline"]["tables"])
    assert nested.get("fields.pixels.element.element.length") == "32"


def test_a_guess_is_marked(headgate: Headgate, here: Path) -> None:
    save(MODELS["any number of features"](), here / "m.onnx")
    text = headgate("init", "m.onnx", "-o", "-").out
    assert "# A guess: the model says x: float32[N, ?], and not how many values a record has." in text


def test_names_of_features_come_from_the_metadata(headgate: Headgate, here: Path) -> None:
    for text in ('["age", "income", "age"]', "age, income, age"):
        save(row_sum(metadata={"feature_names": text}), here / "m.onnx")
        spec = yaml.safe_load(headgate("init", "m.onnx", "-o", "-").out)["spec"]
        assert spec["model"]["inputs"] == {"x": ["age", "income", "age_2"]}
    save(row_sum(metadata={"feature_names": '["only one"]'}), here / "m.onnx")
    assert yaml.safe_load(headgate("init", "m.onnx", "-o", "-").out)["spec"]["model"]["inputs"] == {
        "x": ["f1", "f2", "f3"]
    }


def test_the_file_is_named_after_the_model_and_never_overwritten_unasked(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "churn" / "model.onnx")
    said = headgate("init", "churn/model.onnx")
    assert said.out == "Wrote churn.yaml: 3 columns for 1 input.\n"
    (here / "churn.yaml").write_text("mine")
    again = headgate("init", "churn/model.onnx")
    assert (again.status, (here / "churn.yaml").read_text()) == (1, "mine")
    assert "error: churn.yaml exists. Give another name with -o, or overwrite it with --force." in again.err
    assert headgate("init", "churn/model.onnx", "--force").status == 0


def test_the_models_address_counts_from_the_folder_of_the_file(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "models" / "m.onnx")
    (here / "deploy").mkdir()
    headgate("init", "models/m.onnx", "-o", "deploy/m.yaml")
    (made,) = load_modeldeployments((here / "deploy" / "m.yaml").read_text())
    assert made.spec.model.uri == os.path.join("..", "models", "m.onnx")  # noqa: PTH118 - it has a part that Path drops
    assert headgate("validate", "deploy/m.yaml").status == 0


def test_a_name_may_be_given_and_must_be_one(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "m.onnx")
    assert "name: churn\n" in headgate("init", "m.onnx", "--name", "churn", "-o", "-").out
    said = headgate("init", "m.onnx", "--name", "Churn 3")
    assert said.status == 2
    assert "lower case letters" in said.err


def test_a_folder_that_is_not_there_is_told(headgate: Headgate, here: Path) -> None:
    save(row_sum(), here / "m.onnx")
    said = headgate("init", "m.onnx", "-o", "no/m.yaml")
    assert (said.status, said.err) == (1, "error: no/m.yaml cannot be written: No such file or directory.\n")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("Churn_Model v3", "churn-model-v3", id="what is no letter becomes a dash"),
        pytest.param("3d", "model-3d", id="a digit first"),
        pytest.param("___", "model", id="nothing left"),
        pytest.param("a" * 60, "a" * 40, id="too long"),
        pytest.param("é", "model", id="not ASCII"),
    ],
)
def test_a_name_is_made_from_any_text(text: str, name: str) -> None:
    assert resource_name(text) == name
