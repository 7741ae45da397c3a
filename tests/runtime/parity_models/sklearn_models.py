"""Models that scikit-learn trains and skl2onnx exports, each with the columns that feed it.

Called by ``make.py`` in the operator's environment. Every maker writes ``model.onnx`` into a folder and gives a
:class:`~making.Draft`; nothing here runs onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from making import Draft, scalar_columns
from skl2onnx import to_onnx
from skl2onnx.common import tree_ensemble
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.base import BaseEstimator, is_classifier
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

SEED = 3
OPSET = {"": 17, "ai.onnx.ml": 3}
CLASSES = (("label", "label"), ("probabilities", "probabilities"))


def export(model: BaseEstimator, inputs: list[tuple[str, Any]], folder: Path, **options: Any) -> None:
    """Write ``model``; ZipMap is off wherever the model is a classifier."""
    graph = to_onnx(model, initial_types=inputs, name="parity", options=options or None, target_opset=OPSET)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())


def dense(
    model: BaseEstimator, load: Callable[..., tuple[np.ndarray, np.ndarray]], outputs: tuple[tuple[str, str], ...]
) -> Callable[[Path], Draft]:
    """A maker of ``model``, trained on a data set of scikit-learn; one input of as many columns as there are features."""

    def make(folder: Path) -> Draft:
        data, target = load(return_X_y=True)
        data = data.astype(np.float32)
        model.fit(data, target)
        options = {"zipmap": False} if is_classifier(model) else {}
        export(model, [("dense_input", FloatTensorType([None, data.shape[1]]))], folder, **options)
        columns, rows = scalar_columns(data, "FLOAT")
        return Draft(columns, outputs, rows, {"dense_input": data}, {"dense_input": tuple(name for name, _ in columns)})

    return make


def hist_gradient_boosting(folder: Path) -> Draft:
    """Histogram gradient boosting. Its converter hands booleans to onnx, which takes integers alone: turned here."""
    plain = tree_ensemble.add_node

    def with_integers(*arguments: Any, **named: Any) -> Any:
        turned = [int(value) if isinstance(value, bool | np.bool_) else value for value in arguments]
        return plain(*turned, **{k: int(v) if isinstance(v, bool | np.bool_) else v for k, v in named.items()})

    tree_ensemble.add_node = with_integers
    try:
        model = HistGradientBoostingClassifier(max_iter=30, random_state=SEED)
        return dense(model, load_breast_cancer, CLASSES)(folder)
    finally:
        tree_ensemble.add_node = plain


def double_regression(folder: Path) -> Draft:
    """A linear regression that computes in float64 from DOUBLE columns."""
    data, target = load_diabetes(return_X_y=True)
    export(LinearRegression().fit(data, target), [("x", DoubleTensorType([None, data.shape[1]]))], folder)
    columns, rows = scalar_columns(data, "DOUBLE")
    return Draft(columns, (("progress", "variable"),), rows, {"x": data})


TEXTS = (
    ("the delivery came late and the box was broken", 1),
    ("a broken lid, and nobody answers my letters", 1),
    ("I want my money back, it never worked", 1),
    ("it stopped after two days; very disappointed", 1),
    ("arrived on time, works well, thank you", 0),
    ("a fine machine and a friendly answer", 0),
    ("exactly what I wanted, works every day", 0),
    ("very good, the delivery came early", 0),
)


def tfidf_text(folder: Path) -> Draft:
    """TF-IDF and a logistic regression over one STRING column."""
    vectors = TfidfVectorizer(token_pattern="[a-zA-Z]+")
    model = make_pipeline(vectors, LogisticRegression()).fit([text for text, _ in TEXTS], [label for _, label in TEXTS])
    # By default the graph lowers words in the locale en_US.UTF-8, and does not load where a machine lacks it.
    graph = to_onnx(
        model,
        initial_types=[("text", StringTensorType([None, 1]))],
        name="parity",
        options={id(model): {"zipmap": False}, TfidfVectorizer: {"locale": "C"}},
        target_opset=OPSET,
    )
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    words = " ".join(text for text, _ in TEXTS).split()
    rng = np.random.default_rng(SEED)
    texts = [text for text, _ in TEXTS] + [" ".join(rng.choice(words, 7)) for _ in range(120)]
    rows = tuple({"text": text} for text in texts)
    feed = np.array(texts, dtype=object)[:, None]
    return Draft((("text", "STRING"),), CLASSES, rows, {"text": feed})


def mixed_inputs(folder: Path) -> Draft:
    """Four inputs of four types, matched by name: text, int64, bool and float32."""
    rng = np.random.default_rng(SEED)
    count = 200
    country, age = rng.choice(("France", "Spain", "Österreich"), count), rng.integers(18, 90, count)
    active, balance = rng.random(count) < 0.5, rng.normal(0, 1, count).astype(np.float32)
    data = np.array([country.astype(object), age.astype(object), active.astype(object), balance.astype(object)]).T
    parts = [("text", OneHotEncoder(handle_unknown="ignore"), [0]), ("numbers", StandardScaler(), [1, 3])]
    encoder = ColumnTransformer([*parts, ("flags", "passthrough", [2])], sparse_threshold=0)
    model = make_pipeline(encoder, LogisticRegression()).fit(data, (age > 40) ^ active)
    names = ("country", "age", "active", "balance")
    kinds = (StringTensorType, Int64TensorType, BooleanTensorType, FloatTensorType)
    export(model, [(name, kind([None, 1])) for name, kind in zip(names, kinds, strict=True)], folder, zipmap=False)
    feed = dict(zip(names, (country.astype(object), age, active, balance), strict=True))
    rows = tuple({name: feed[name][at] for name in names} for at in range(count))
    columns = tuple(zip(names, ("STRING", "BIGINT", "BOOLEAN", "FLOAT"), strict=True))
    return Draft(columns, CLASSES, rows, {name: values[:, None] for name, values in feed.items()})


MAKERS: dict[str, Callable[[Path], Draft]] = {
    "logistic_regression": dense(LogisticRegression(max_iter=5_000), load_iris, CLASSES),
    "random_forest": dense(RandomForestClassifier(40, random_state=SEED), load_breast_cancer, CLASSES),
    "gradient_boosting": dense(
        GradientBoostingRegressor(n_estimators=40, random_state=SEED), load_diabetes, (("y", "variable"),)
    ),
    "hist_gradient_boosting": hist_gradient_boosting,
    "mlp": dense(
        make_pipeline(StandardScaler(), MLPClassifier((24, 12), max_iter=2_000, random_state=SEED)), load_wine, CLASSES
    ),
    "svm": dense(make_pipeline(StandardScaler(), SVC(random_state=SEED)), load_wine, CLASSES),
    "nearest_neighbours": dense(KNeighborsClassifier(5), load_iris, CLASSES),
    "kmeans": dense(KMeans(4, n_init=3, random_state=SEED), load_wine, (("cluster", "label"), ("distances", "scores"))),
    "isolation_forest": dense(
        IsolationForest(n_estimators=30, random_state=SEED),
        load_breast_cancer,
        (("label", "label"), ("score", "scores")),
    ),
    "pca": dense(PCA(6, random_state=SEED), load_digits, (("components", "variable"),)),
    "double_regression": double_regression,
    "tfidf_text": tfidf_text,
    "mixed_inputs": mixed_inputs,
}
"""Every model of this kind, by its case's name."""
