"""Writes handwritten digits as PNG files and trains a small network on others of them, under ``build/``.

Run by a person and by the test. The images are scikit-learn's (1,797 of 8 x 8), enlarged to 32 x 32; the network learns
from those that are not written. Two of the files are broken on purpose. Every run makes the same files, byte for byte.
Answers of an earlier run (``out/``) are removed, since the sink only adds.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
BUILD = HERE / "build"
SEED = 5
STREAM = 400
STEP = 15
"""A pixel of value v (0 to 16) is written as v * 15, so that division by 240 gives back v / 16 exactly."""


def png(pixels: np.ndarray) -> bytes:
    """A 32 x 32 grey PNG of 8 x 8 ``pixels`` (0 to 16)."""
    image = Image.fromarray((pixels * STEP).astype(np.uint8)).resize((32, 32), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> None:
    """Trains, exports, writes the images; prints how well the network does on them."""
    for old in (HERE / "out", BUILD):
        shutil.rmtree(old, ignore_errors=True)
    folder = BUILD / "images"
    folder.mkdir(parents=True)
    images, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(images))
    stream, learn = order[:STREAM], order[STREAM:]

    network = MLPClassifier((64,), tol=2e-3, n_iter_no_change=5, random_state=SEED)
    network.fit((images[learn] / 16).astype(np.float32), truth[learn])
    model = to_onnx(
        network,
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        name="digits",
        options={"zipmap": False},
        target_opset=17,
    )
    (BUILD / "model.onnx").write_bytes(model.SerializeToString())

    for number in stream:
        (folder / f"{number:04d}.png").write_bytes(png(images[number].reshape(8, 8)))
    good = png(images[stream[0]].reshape(8, 8))
    (folder / "cut-short.png").write_bytes(good[: len(good) // 2])
    (folder / "scrambled.png").write_bytes(good[:16] + good[:15:-1])

    quality = {"images": STREAM, "accuracy": round(float(network.score(images[stream] / 16, truth[stream])), 4)}
    (BUILD / "quality.json").write_text(json.dumps(quality) + "\n")
    (BUILD / "truth.json").write_text(json.dumps({f"{number:04d}.png": int(truth[number]) for number in stream}) + "\n")
    print(f"{BUILD}: {json.dumps(quality)}")


if __name__ == "__main__":
    main()
