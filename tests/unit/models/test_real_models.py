"""Models as scikit-learn's exporter writes them: read, refused with ZipMap, converted with the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skl2onnx
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headgate.models.convert import convert_opset
from headgate.models.reader import read_model
from headgate.models.refusals import Refusal
from unit.models.builders import LIMIT

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5)).astype(np.float32)
Y = (X.sum(axis=1) > 0).astype(np.int64)

ESTIMATORS = {
    "a logistic regression": LogisticRegression(),
    "a forest behind a scaler": make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)),
    "a small network": MLPClassifier((4,), solver="lbfgs", max_iter=500, random_state=0),
}


def export(estimator: BaseEstimator, path: Path, *, zipmap: bool = False, opset: int = 17) -> Path:
    fitted = estimator.fit(X, Y)
    options = {} if zipmap else {"zipmap": False}
    model = skl2onnx.to_onnx(fitted, X[:1], options=options, target_opset={"": opset, "ai.onnx.ml": 3})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_classifier_without_zipmap_is_read(name: str, tmp_path: Path) -> None:
    info = read_model(export(ESTIMATORS[name], tmp_path / "m.onnx"), size_limit=LIMIT)
    assert [str(tensor) for tensor in info.signature.inputs] == ["X: float32[?, 5]"]
    assert [tensor.dtype for tensor in info.signature.outputs] == ["int64", "float32"]
    assert info.producer.startswith("skl2onnx")


def test_a_classifier_with_zipmap_is_refused_with_the_option_that_leaves_it_out(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="'output_probability' of type sequence.*'zipmap': False") as refused:  # noqa: RUF043  a pattern
        read_model(export(LogisticRegression(), tmp_path / "m.onnx", zipmap=True), size_limit=LIMIT)
    assert refused.value.reason == "SequenceOrMapOutput"


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("zipmap", [False, True], ids=["with arrays", "with ZipMap"])
def test_a_classifier_is_converted_with_the_same_answers(name: str, zipmap: bool, tmp_path: Path) -> None:
    source = export(ESTIMATORS[name], tmp_path / "m.onnx", zipmap=zipmap, opset=11)
    report = convert_opset(source, tmp_path / "new.onnx")
    assert report.target.opsets == (("", 21), ("ai.onnx.ml", report.target.opset("ai.onnx.ml")))
    assert report.comparison.difference == 0.0


@pytest.mark.parametrize(
    "estimator",
    [LinearRegression(), IsolationForest(n_estimators=5, random_state=0)],
    ids=["a regression", "an isolation forest"],
)
def test_other_kinds_are_read(estimator: BaseEstimator, tmp_path: Path) -> None:
    model = skl2onnx.to_onnx(estimator.fit(X, Y), X[:1], target_opset={"": 17, "ai.onnx.ml": 3})
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert read_model(path, size_limit=LIMIT).signature.inputs[0].shape == (None, 5)
