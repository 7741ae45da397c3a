"""``job.json``: the golden files that Headgate writes are read whole, and what is no contract is refused by its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate_runtime.contract import Execution, Goldens, Job, ModelJob, Pipeline, StateTensor, read_job
from headgate_runtime.errors import ContractRefused, Stage

CONTRACT = Path(__file__).parents[2] / "contract"


def test_the_full_golden_contract_is_read_field_by_field() -> None:
    job = read_job(CONTRACT / "full.job.json")
    raw = json.loads((CONTRACT / "full.job.json").read_text(encoding="utf-8"))
    assert job == Job(
        folder=CONTRACT.resolve(),
        name="full",
        namespace="scoring",
        revision=raw["revision"],
        models=(
            ModelJob(
                slot=0,
                version="3.1",
                digest="sha256:" + "cd" * 32,
                path=CONTRACT / "models/0/voice.onnx",
                files=(
                    (CONTRACT / "models/0/voice.onnx", "sha256:" + "01" * 32),
                    (CONTRACT / "models/0/weights/voice.bin", "sha256:" + "02" * 32),
                ),
                inputs=(("frame", ("level", "pitch")), ("speaker", ("speaker",))),
                constants=(("sr", 16000), ("mask", [[True, False]]), ("language", "de")),
                outputs=(
                    ("probability", "scores[1]"),
                    ("kind", "label(argmax(scores))"),
                    ("best", "topk(softmax(scores), 2)"),
                ),
                labels=("silence", "speech"),
                nan_is_dead_letter=True,
                state=(StateTensor("h", "hn", (2, 1, 4), 0.5), StateTensor("c", "cn", (2, 1, 4), 0.0)),
                execution=Execution(("CPUExecutionProvider",), 2, 256, 20),
                histogram="probability",
                goldens=Goldens(CONTRACT / "goldens/0.jsonl", "sha256:" + "03" * 32, 0.001),
            ),
        ),
        pipeline=Pipeline(
            tables=raw["pipeline"]["tables"],
            input="SELECT call_id, level, loud(pitch) AS pitch, speaker FROM frames",
            key="call_id",
            output="INSERT INTO verdicts SELECT call_id, probability, kind FROM scored",
            fail_on_error=True,
            module=CONTRACT / "python/features.py",
        ),
        parallelism=4,
        checkpoint_interval_ms=5000,
        config=(("execution.checkpointing.timeout", "2 min"), ("table.exec.source.idle-timeout", "10 s")),
    )


def test_the_minimal_golden_contract_has_the_defaults() -> None:
    job = read_job(CONTRACT / "minimal.job.json")
    assert (job.model.inputs, job.model.outputs, job.model.state, job.model.labels) == ((), (), (), ())
    assert (job.model.version, job.model.histogram, job.model.nan_is_dead_letter) == ("ab" * 6, None, False)
    assert (job.pipeline.module, job.pipeline.fail_on_error, job.parallelism) == (None, False, 1)
    assert job.model.execution == Execution(("CPUExecutionProvider",), 1, 4096, 400)
    assert job.model.goldens is None


def test_a_contract_from_before_there_were_goldens_is_read(tmp_path: Path) -> None:
    raw = json.loads((CONTRACT / "full.job.json").read_text(encoding="utf-8"))
    del raw["models"][0]["goldens"]
    path = tmp_path / "job.json"
    path.write_text(json.dumps(raw))
    assert read_job(path).model.goldens is None


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *steps, last, value = path

    def change(raw: dict[str, Any]) -> None:
        for step in steps:
            raw = raw[step]
        raw[last] = value

    return change


def _drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    *steps, last = path

    def change(raw: dict[str, Any]) -> None:
        for step in steps:
            raw = raw[step]
        del raw[last]

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(_set("version", 2), "contract version 2; this runtime knows 1", id="a later version"),
        pytest.param(_set("version", "1"), "contract version '1'", id="a version that is text"),
        pytest.param(_set("version", True), "contract version True", id="a version that only equals one"),
        pytest.param(_drop("version"), "contract version None", id="no version"),
        pytest.param(_drop("revision"), "field revision is missing", id="no revision"),
        pytest.param(_drop("pipeline"), "field pipeline is missing", id="no pipeline"),
        pytest.param(_drop("pipeline", "key"), "field pipeline.key is missing", id="no key"),
        pytest.param(_drop("models", 0, "digest"), "field models[0].digest is missing", id="no digest"),
        pytest.param(_drop("models", 0, "execution", "maxDelayMs"), "models[0].execution.maxDelayMs is", id="no delay"),
        pytest.param(_drop("models", 0, "state", 1, "init"), "models[0].state[1].init is missing", id="no first value"),
        pytest.param(_set("models", []), "models is empty", id="no model"),
        pytest.param(_set("models", ["a"]), "field models is ['a'], not a list of objects", id="a model that is text"),
        pytest.param(_set("models", 0, "labels", "speech"), "models[0].labels is 'speech', not", id="labels as one text"),
        pytest.param(_set("models", 0, "inputs", ["x"]), "models[0].inputs is ['x'], not an object", id="inputs as a list"),
        pytest.param(_set("models", 0, "inputs", "frame", "level"), "models[0].inputs.frame is 'level'", id="one column"),
        pytest.param(_set("models", 0, "outputs", "kind", 3), "models[0].outputs.kind is 3", id="a number as expression"),
        pytest.param(_set("models", 0, "state", 0, "shape", [0]), "models[0].state[0].shape is [0]", id="an empty shape"),
        pytest.param(_set("models", 0, "nan", "Drop"), "models[0].nan is 'Drop', not one of Allow, DeadLetter", id="nan"),
        pytest.param(_set("models", 0, "histogram", 1), "models[0].histogram is 1, not a text", id="histogram"),
        pytest.param(_set("models", 0, "goldens", "tolerance", -1), "goldens.tolerance is -1, not a number from 0", id="below 0"),
        pytest.param(_set("models", 0, "goldens", "tolerance", float("nan")), "not a number from 0", id="a tolerance of NaN"),
        pytest.param(_drop("models", 0, "goldens", "digest"), "models[0].goldens.digest is missing", id="goldens of no digest"),
        pytest.param(_set("models", 0, "goldens", "path", "../g"), "'../g' leaves the job folder", id="goldens elsewhere"),
        pytest.param(_set("models", 0, "execution", "maxBatchRows", 0), "maxBatchRows is 0, not a whole", id="no rows"),
        pytest.param(_set("pipeline", "onError", "Stop"), "pipeline.onError is 'Stop', not one of", id="onError"),
        pytest.param(_set("pipeline", "onError", ["Fail"]), "pipeline.onError is ['Fail']", id="onError as a list"),
        pytest.param(_set("flink", "parallelism", "4"), "flink.parallelism is '4', not a whole number", id="parallelism"),
        pytest.param(_set("flink", "config", None), "flink.config is None, not an object", id="config"),
        pytest.param(_set("models", 0, "path", "../model.onnx"), "'../model.onnx' leaves the job folder", id="path up"),
        pytest.param(_set("models", 0, "path", "/etc/passwd"), "'/etc/passwd' leaves the job folder", id="absolute path"),
        pytest.param(_set("models", 0, "path", ""), "models[0].path: path '' leaves", id="no path"),
        pytest.param(_set("models", 0, "files", {"a/../../b": "sha256:0"}), "'a/../../b' leaves the job", id="file up"),
        pytest.param(_set("pipeline", "module", "python/../../x.py"), "pipeline.module: path", id="module up"),
    ],
)  # fmt: skip
def test_a_contract_that_is_not_one_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    raw = json.loads((CONTRACT / "full.job.json").read_text(encoding="utf-8"))
    change(raw)
    path = tmp_path / "job.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(ContractRefused) as caught:
        read_job(path)
    assert sentence in caught.value.message
    assert caught.value.stage == Stage.CONTRACT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(None, "cannot read the job contract", id="no file"),
        pytest.param("{", "is not JSON", id="broken JSON"),
        pytest.param("[1]", "contract version None", id="a list"),
        pytest.param("\udcff", "is not JSON", id="not UTF-8"),
    ],
)
def test_a_file_that_is_no_contract_is_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "job.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ContractRefused, match=sentence):
        read_job(path)
