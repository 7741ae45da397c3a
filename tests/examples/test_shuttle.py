"""``examples/shuttle`` runs as written: every record is scored as onnxruntime scores it, or left with its reason."""

from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
import pytest

pytestmark = pytest.mark.flink


def readable_rows(path) -> dict[int, list[float]]:
    """The rows of ``records.csv`` that hold nine numbers, by their id."""
    rows = {}
    for line in path.read_text().splitlines():
        row = next(csv.reader([line]))
        try:
            values = [float(value) for value in row[1:]]
        except ValueError:
            continue
        if len(values) == 9 and not np.isnan(values).any():
            rows[int(row[0])] = values
    return rows


def test_every_record_is_scored_like_onnxruntime_or_rejected_with_its_reason(example):
    shuttle = example("shuttle")
    shuttle.run()

    rows = readable_rows(shuttle.folder / "build" / "records.csv")
    assert len(rows) == 49_097
    answers = shuttle.score("build/model.onnx", {"readings": np.array(list(rows.values()), dtype=np.float32)})
    expected = {
        record: (probability, label)
        for record, probability, label in zip(rows, answers["probabilities"][:, 1], answers["label"], strict=True)
    }

    predictions = shuttle.csv("out/predictions")
    assert Counter(int(row[0]) for row in predictions) == Counter(expected.keys())
    for record, probability, anomaly, version, revision in predictions:
        assert float(probability) == pytest.approx(expected[int(record)][0], abs=1e-6)
        assert int(anomaly) == expected[int(record)][1]
        assert version == "1"
        assert revision.startswith("shuttle-")

    rejected = shuttle.json("out/rejected")
    reasons = sorted((row["reason"], row["column_name"] or "") for row in rejected)
    assert [reason for reason, _ in reasons if reason == "UnparsableRecord"] == ["UnparsableRecord"] * 3
    assert [pair for pair in reasons if pair[0] != "UnparsableRecord"] == [
        ("NanFeature", "f1"),
        ("NanFeature", "f6"),
        ("NullFeature", "f1"),
        ("NullFeature", "f5"),
        ("NullFeature", "f9"),
    ]
    whole = [json.loads(row["record"]) for row in rejected if row["reason"] != "UnparsableRecord"]
    assert {row["record_id"] for row in whole} == {90_004, 90_005, 90_006, 90_007, 90_008}


def test_the_readme_states_the_quality_that_was_measured(example):
    shuttle = example("shuttle")
    quality = json.loads((shuttle.folder / "build" / "quality.json").read_text())
    readme = (shuttle.folder / "README.md").read_text()
    assert f"{quality['rocAuc']}" in readme
    assert f"{quality['averagePrecision']}" in readme
