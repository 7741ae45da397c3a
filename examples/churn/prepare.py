"""Makes bank customers and three versions of a churn model, each in two forms, under ``build/``.

Run by a person and by the test. ``build/strings/<version>/model.onnx`` takes the categories as text and encodes them
inside the graph; ``build/columns/<version>/model.onnx`` takes one row of twelve numbers that the pipeline's SQL makes.
Version 1 saw few customers, version 2 many, version 3 is of another kind. Customers come from a seeded generator: the
same files, byte for byte, from every run. Answers of an earlier run (``out/``) are removed, since the sink only adds.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import BooleanTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.base import ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
BUILD = HERE / "build"
SEED = 11
LEARN, STREAM, FILES = 6_000, 3_000, 3

COUNTRIES, GENDERS = ("France", "Germany", "Spain"), ("Female", "Male")
COLUMNS = ("country", "gender", "age", "tenure", "balance", "products")
COLUMNS += ("has_card", "active", "salary", "horizon_months")
TYPES = {"country": StringTensorType, "gender": StringTensorType, "balance": FloatTensorType, "salary": FloatTensorType}
TYPES |= {"has_card": BooleanTensorType, "active": BooleanTensorType}
HORIZON = 12
"""Months that the stream asks about. The models learned from customers observed over 3, 6 and 12 months."""


def make_customers(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Customers (count, 10) as objects in the order of ``COLUMNS``, and whether each one left (count,) int64."""
    country, gender = rng.choice(COUNTRIES, count, p=(0.5, 0.25, 0.25)), rng.choice(GENDERS, count)
    age = np.clip(rng.gamma(9, 4.4, count), 18, 90).astype(np.int64)
    tenure, products = rng.integers(0, 11, count), rng.choice((1, 2, 3, 4), count, p=(0.5, 0.42, 0.06, 0.02))
    balance = np.where(rng.random(count) < 0.36, 0.0, rng.normal(120_000, 30_000, count).clip(1_000)).round(2)
    salary = rng.uniform(12_000, 200_000, count).round(2)
    has_card, active = rng.random(count) < 0.7, rng.random(count) < 0.52
    horizon = rng.choice((3, 6, 12), count)

    risk = -2.9 + 0.9 * (country == "Germany") + 0.4 * (gender == "Female") + 0.8 * np.log2(horizon / 3)
    risk += 2.2 * np.exp(-(((age - 55) / 11) ** 2)) - 1.1 * active * (age > 40)
    risk += np.select([products == 2, products >= 3], [-1.3, 2.3]) + 0.8 * (balance == 0) * (products == 1)
    left = (rng.random(count) < 1 / (1 + np.exp(-risk))).astype(np.int64)
    values = (country, gender, age, tenure, balance, products, has_card, active, salary, horizon)
    return np.array([column.astype(object) for column in values], dtype=object).T, left


def encode(customers: np.ndarray) -> np.ndarray:
    """The twelve numbers (count, 12) float32 that ``modeldeployment-columns.yaml`` makes in SQL, in its order."""
    country, gender = customers[:, 0], customers[:, 1]
    one_hot = [country == name for name in COUNTRIES] + [gender == "Male"]
    return np.column_stack([*one_hot, *customers[:, 2:].T]).astype(np.float32)


def estimators() -> dict[str, tuple[ClassifierMixin, int]]:
    """For each version, an untrained estimator and how many customers it learns from."""
    return {
        "1": (LogisticRegression(max_iter=500), 100),
        "2": (LogisticRegression(max_iter=500), LEARN),
        "3": (GradientBoostingClassifier(n_estimators=120, max_depth=4, learning_rate=0.1, random_state=SEED), LEARN),
    }


def with_featurizer(estimator: ClassifierMixin) -> Pipeline:
    """Text to one-hot, numbers scaled, booleans as they are: all of it becomes part of the graph."""
    text, flags = [0, 1], [6, 7]
    numbers = [i for i in range(len(COLUMNS)) if i not in (*text, *flags)]
    parts = [
        ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
        ("numbers", StandardScaler(), numbers),
        ("flags", "passthrough", flags),
    ]
    return make_pipeline(ColumnTransformer(parts, sparse_threshold=0), estimator)


def export(model: Pipeline, inputs: list[tuple[str, object]], path: Path) -> onnxruntime.InferenceSession:
    """Write ``model`` with these named inputs and outputs ``label``, ``probabilities``, and load it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = to_onnx(model, initial_types=inputs, name="churn", options={"zipmap": False}, target_opset=17)
    path.write_bytes(graph.SerializeToString())
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def named_feed(customers: np.ndarray) -> dict[str, np.ndarray]:
    """The ten inputs (count, 1) of a model that takes text."""
    dtypes = {StringTensorType: object, FloatTensorType: np.float32, BooleanTensorType: bool}
    return {name: customers[:, [at]].astype(dtypes.get(TYPES.get(name), np.int64)) for at, name in enumerate(COLUMNS)}


def write_customers(customers: np.ndarray) -> None:
    """The stream's customers as CSV files with a header each; the horizon is not theirs, the query adds it."""
    folder = BUILD / "customers"
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in enumerate(np.array_split(np.arange(len(customers)), FILES), start=1):
        lines = [",".join(("customer_id", *COLUMNS[:-1]))]
        for row in rows:
            cells = (str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in customers[row, :-1])
            lines.append(",".join((str(100_000 + row), *cells)))
        (folder / f"day-{part}.csv").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Makes, trains, exports, measures; prints the quality of each version."""
    for old in (HERE / "out", BUILD):
        shutil.rmtree(old, ignore_errors=True)
    rng = np.random.default_rng(SEED)
    learn, learn_left = make_customers(rng, LEARN)
    stream, left = make_customers(rng, STREAM)
    write_customers(stream)
    named = [(name, TYPES.get(name, Int64TensorType)([None, 1])) for name in COLUMNS]
    dense = [("features", FloatTensorType([None, 12]))]
    feeds = {"strings": named_feed(stream), "columns": {"features": encode(stream)}}
    quality: dict[str, dict[str, float]] = {}
    for version, (estimator, rows) in estimators().items():
        text = with_featurizer(clone(estimator)).fit(learn[:rows], learn_left[:rows])
        numbers = make_pipeline(StandardScaler(), clone(estimator)).fit(encode(learn[:rows]), learn_left[:rows])
        quality[version] = {}
        for form, model, inputs in (("strings", text, named), ("columns", numbers, dense)):
            session = export(model, inputs, BUILD / form / version / "model.onnx")
            probability = session.run(["probabilities"], feeds[form])[0][:, 1]
            quality[version][form] = round(float(roc_auc_score(left, probability)), 3)
    (BUILD / "quality.json").write_text(json.dumps(quality, indent=2) + "\n")
    print(f"{BUILD}: ROC AUC by version {json.dumps(quality)}")


if __name__ == "__main__":
    main()
