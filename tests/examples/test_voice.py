"""``examples/voice``: the state that Flink keeps for each call gives what a plain loop over that call gives."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import numpy as np
import onnxruntime
import pytest


def frames(voice) -> dict[str, list[dict]]:
    """The frames of each call, in order."""
    calls = defaultdict(list)
    for line in (voice.folder / "build" / "frames.json").read_text().splitlines():
        frame = json.loads(line)
        calls[frame["call_id"]].append(frame)
    return calls


def loop(voice, call: list[dict]) -> list[float]:
    """What onnxruntime answers when one call's frames are fed one by one, state in hand."""
    session = onnxruntime.InferenceSession(voice.folder / "build/model.onnx", providers=["CPUExecutionProvider"])
    state, answers = np.zeros((2, 1, 128), dtype=np.float32), []
    for frame in call:
        audio = np.array([frame["audio"]], dtype=np.float32)
        feed = {"input": audio, "state": state, "sr": np.array(16_000, dtype=np.int64)}
        output, state = session.run(["output", "stateN"], feed)
        answers.append(float(output[0, 0]))
    return answers


@pytest.mark.flink
def test_frames_of_interleaved_calls_are_scored_like_a_loop_over_each_call(example):
    voice = example("voice")
    voice.run()
    activity = voice.json("out/activity")
    calls = frames(voice)
    assert Counter((row["call_id"], row["frame"]) for row in activity) == Counter(
        (call, frame["frame"]) for call in calls for frame in calls[call]
    )
    answers = {(row["call_id"], row["frame"]): row["speech"] for row in activity}
    for call, its_frames in calls.items():
        expected = loop(voice, its_frames)
        assert [answers[call, number] for number in range(len(expected))] == pytest.approx(expected, abs=1e-5)


def test_the_model_hears_the_synthesised_speech(example):
    voice = example("voice")
    for call in frames(voice).values():
        truth = np.array([frame["speaking"] for frame in call])
        heard = np.array(loop(voice, call)) > 0.5
        assert (heard == truth).mean() > 0.85
