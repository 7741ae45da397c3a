"""``examples/digits``: every image file is scored with label and top three, every broken one leaves as a dead letter."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image


def pixels(path) -> np.ndarray:
    """The 64 numbers of one image, computed without the example's own function."""
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        grey = np.asarray(image.convert("L"), dtype=np.float32)
    return grey.reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel() / np.float32(240)


@pytest.mark.flink
def test_every_image_gets_its_label_and_top_three_and_broken_files_are_dead_letters(example):
    digits = example("digits")
    digits.run()
    images = {path.name: path for path in sorted((digits.folder / "build" / "images").glob("[0-9]*.png"))}
    feed = np.stack([pixels(path) for path in images.values()]).astype(np.float32)
    expected = dict(zip(images, digits.score("build/model.onnx", {"pixels": feed})["probabilities"], strict=True))
    words = (digits.folder / "labels.txt").read_text().split()

    predictions = {row["name"]: row for row in digits.json("out/predictions")}
    assert predictions.keys() == images.keys()
    for name, row in predictions.items():
        best = np.argsort(-expected[name], kind="stable")[:3]
        assert row["digit"] == words[best[0]]
        assert [one["label"] for one in row["top"]] == [words[at] for at in best]
        assert [one["score"] for one in row["top"]] == pytest.approx(expected[name][best].tolist(), abs=1e-6)

    rejected = digits.json("out/rejected")
    assert sorted((json.loads(row["record"])["name"], row["column_name"]) for row in rejected) == [
        ("cut-short.png", "pixels"),
        ("scrambled.png", "pixels"),
    ]


def test_the_readme_states_the_accuracy_that_was_measured(example):
    digits = example("digits")
    quality = json.loads((digits.folder / "build" / "quality.json").read_text())
    assert f"{quality['accuracy'] * 100:.1f} %" in (digits.folder / "README.md").read_text()
