"""Fetches the recurrent voice model and synthesises telephone calls, framed as JSON lines, under ``build/``.

Run by a person and by the test. The model comes from the ``silero-vad`` package (``requirements.txt``, by hash), which
is unpacked without its dependencies: its ONNX file is all that is wanted. The calls are made by numpy: voiced syllables
(harmonics of a gliding pitch, shaped by the formants of five vowels), pauses, noise. Every run makes the same files,
byte for byte. Answers of an earlier run (``out/``) are removed, since the sink only adds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import uv

HERE = Path(__file__).parent
BUILD = HERE / "build"
SEED = 3

RATE = 16_000
FRAME, CONTEXT = 512, 64
"""Samples of a frame (32 ms), and of the frame before that the model wants in front of it."""

CALLS = {"call-a": 110, "call-b": 130, "call-c": 175, "call-d": 200, "call-e": 225}
"""Each call and the pitch of its speaker in Hz."""

TURNS = ((0.8, False), (1.8, True), (1.0, False), (1.2, True), (0.7, False))
"""Every call: seconds of speech or silence, one after the other."""

VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""The first three formants in Hz, as phonetics textbooks list them for men."""


def install_model() -> None:
    """Put the package's ONNX file at ``build/model.onnx``, with the one length of frame that this stream has.

    As published, any length is allowed; stated in the signature, it can be checked before a record is scored.
    """
    target = BUILD / "silero"
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, "--target", target, "-r", HERE / "requirements.txt"], check=True)
    model = onnx.load(target / "silero_vad" / "data" / "silero_vad_16k_op15.onnx")
    shapes = {"input": ("batch", CONTEXT + FRAME), "state": (2, "batch", 128), "stateN": (2, "batch", 128)}
    for value in (*model.graph.input, *model.graph.output):
        for dimension, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            if isinstance(size, int):
                dimension.dim_value = size
            else:
                dimension.dim_param = size
    onnx.save(model, BUILD / "model.onnx")


def syllable(rng: np.random.Generator, length: int, pitch: float) -> np.ndarray:
    """A voiced sound (length,): harmonics of a gliding pitch under the formants of one vowel."""
    time = np.arange(length) / RATE
    glide = pitch * (1 + 0.15 * np.sin(2 * np.pi * rng.uniform(2, 4) * time + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    formants = VOWELS[rng.integers(len(VOWELS))]
    sound = np.zeros(length)
    for harmonic in range(1, int(4_000 / pitch)):
        distance = [
            (harmonic * pitch - formant) / width for formant, width in zip(formants, (60, 90, 150), strict=True)
        ]
        strength = sum(gain / (1 + d * d) for d, gain in zip(distance, (1, 0.6, 0.3), strict=True))
        sound += strength * np.sin(harmonic * phase) / np.sqrt(harmonic)
    return sound * np.sin(np.pi * np.arange(length) / length) ** 0.6


def speech(rng: np.random.Generator, length: int, pitch: float) -> np.ndarray:
    """Syllables with short gaps (length,), the loudest sample at 0.5."""
    sound = np.zeros(length)
    at = 0
    while at < length:
        long = min(int(rng.uniform(0.12, 0.28) * RATE), length - at)
        sound[at : at + long] = syllable(rng, long, pitch)
        at += long + int(rng.uniform(0.01, 0.05) * RATE)
    return sound * 0.5 / np.abs(sound).max()


def make_call(rng: np.random.Generator, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples (n,) float64 in steps of 1/4096, and for each whether someone speaks (n,)."""
    parts = []
    for seconds, speaks in TURNS:
        length = int(seconds * RATE)
        parts.append((speech(rng, length, pitch) if speaks else np.zeros(length), np.full(length, speaks)))
    sound = np.concatenate([part for part, _ in parts])
    noisy = sound + rng.normal(0, 0.01, len(sound))
    return np.round(noisy * 4096) / 4096, np.concatenate([truth for _, truth in parts])


def frames_of(call: str, sound: np.ndarray, truth: np.ndarray) -> list[dict[str, object]]:
    """One record a frame: 64 samples of the frame before (zeros at first), then its own 512."""
    padded = np.concatenate([np.zeros(CONTEXT), sound])
    return [
        {
            "call_id": call,
            "frame": number,
            "speaking": bool(truth[number * FRAME : (number + 1) * FRAME].mean() > 0.5),
            "audio": padded[number * FRAME : number * FRAME + CONTEXT + FRAME].tolist(),
        }
        for number in range(len(sound) // FRAME)
    ]


def main() -> None:
    """Fetches, synthesises, frames; the calls' frames are interleaved as they would arrive."""
    for old in (HERE / "out", BUILD):
        shutil.rmtree(old, ignore_errors=True)
    BUILD.mkdir()
    install_model()
    rng = np.random.default_rng(SEED)
    calls = [frames_of(call, *make_call(rng, pitch)) for call, pitch in CALLS.items()]
    with (BUILD / "frames.json").open("w") as out:
        for together in zip(*calls, strict=True):
            out.writelines(json.dumps(frame) + "\n" for frame in together)
    print(f"{BUILD}: the model, {len(calls)} calls of {len(calls[0])} frames")


if __name__ == "__main__":
    main()
