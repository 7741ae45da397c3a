"""``examples/churn``: both homes of the featurizer answer like onnxruntime, and a watched folder like a bounded run."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import time

import numpy as np
import pytest

TEXT, FLAGS, WHOLE = ("country", "gender"), ("has_card", "active"), ("age", "tenure", "products")


def customers(churn) -> dict[str, np.ndarray]:
    """The stream's customers (3000,) by column, with the types that the model in strings wants."""
    rows = []
    for path in sorted((churn.folder / "build" / "customers").glob("*.csv")):
        rows += list(csv.DictReader(path.read_text().splitlines()))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    typed = {name: np.array(columns[name], dtype=object) for name in TEXT}
    typed |= {name: np.array([value == "true" for value in columns[name]]) for name in FLAGS}
    typed |= {name: np.array(columns[name], dtype=np.int64) for name in ("customer_id", *WHOLE)}
    typed |= {name: np.array(columns[name], dtype=np.float32) for name in ("balance", "salary")}
    return typed | {"horizon_months": np.full(len(rows), 12, dtype=np.int64)}


def strings_answer(churn, version: str) -> dict[int, float]:
    """Plain onnxruntime on the ten inputs, by customer."""
    rows = customers(churn)
    feed = {name: values[:, None] for name, values in rows.items() if name != "customer_id"}
    answers = churn.score(f"build/strings/{version}/model.onnx", feed)["probabilities"][:, 1]
    return dict(zip(rows["customer_id"].tolist(), answers.tolist(), strict=True))


def columns_answer(churn, version: str) -> dict[int, float]:
    """Plain onnxruntime on the twelve numbers, by customer."""
    rows = customers(churn)
    one_hot = [rows["country"] == name for name in ("France", "Germany", "Spain")] + [rows["gender"] == "Male"]
    order = ("age", "tenure", "balance", "products", "has_card", "active", "salary", "horizon_months")
    dense = np.column_stack([*one_hot, *(rows[name] for name in order)]).astype(np.float32)
    answers = churn.score(f"build/columns/{version}/model.onnx", {"features": dense})["probabilities"][:, 1]
    return dict(zip(rows["customer_id"].tolist(), answers.tolist(), strict=True))


def predictions(churn) -> dict[int, float]:
    """What the stream answered; no customer twice."""
    rows = churn.csv("out/predictions")
    answers = {int(row[0]): float(row[1]) for row in rows}
    assert len(rows) == len(answers)
    return answers


@pytest.mark.flink
def test_the_featurizer_inside_the_graph_answers_like_onnxruntime(example):
    churn = example("churn")
    churn.run("--set", "spec.model.uri=build/strings/3/model.onnx", "--set", "spec.model.version=3")
    assert predictions(churn) == pytest.approx(strings_answer(churn, "3"), abs=1e-6)
    assert {row[2] for row in churn.csv("out/predictions")} == {"3"}


@pytest.mark.flink
def test_the_featurizer_in_the_query_answers_like_onnxruntime(example):
    churn = example("churn")
    churn.run(resource="modeldeployment-columns.yaml")
    assert predictions(churn) == pytest.approx(columns_answer(churn, "1"), abs=1e-6)


@pytest.mark.flink
def test_a_watched_folder_gives_the_answers_of_a_bounded_run(example):
    churn = example("churn")
    expected = strings_answer(churn, "1")
    churn.run()
    bounded = predictions(churn)
    assert bounded == pytest.approx(expected, abs=1e-6)

    shutil.rmtree(churn.folder / "out")
    folder = churn.folder / "build" / "customers"
    later = churn.folder / "build" / "day-3.csv"
    (folder / "day-3.csv").rename(later)
    run = churn.start("--watch")
    try:
        wait_for(run, lambda: len(predictions(churn)) == 2_000)
        later.rename(folder / "day-3.csv")
        wait_for(run, lambda: len(predictions(churn)) == 3_000)
        run.send_signal(signal.SIGINT)
        assert run.wait(90) == 0, (churn.folder / "run.log").read_text()[-4000:]
    finally:
        run.kill()
        run.wait()
    # Files found at other moments make other batches, and those may move the last bit of an answer.
    assert predictions(churn) == pytest.approx(bounded, abs=1e-6)


def wait_for(run, reached, seconds: float = 120.0) -> None:
    """Look until ``reached()``, or until the run has ended or time is up."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert run.poll() is None, f"the run ended with {run.returncode} before its time"
        assert time.monotonic() < deadline, "the watched run did not get there in time"
        time.sleep(0.5)


def test_later_versions_are_better_and_the_readme_states_how_much(example):
    churn = example("churn")
    quality = json.loads((churn.folder / "build" / "quality.json").read_text())
    readme = (churn.folder / "README.md").read_text()
    for form in ("strings", "columns"):
        assert quality["1"][form] < quality["2"][form] < quality["3"][form]
    for version, auc in quality.items():
        stated = next(line for line in readme.splitlines() if line.startswith(f"| {version} |"))
        assert stated.endswith(f"| {auc['strings']:.3f} | {auc['columns']:.3f} |")
