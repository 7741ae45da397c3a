"""Real models of different kinds give through Headgate what they give through plain onnxruntime.

Bit for bit at the same batch size, and within 1e-6 whatever the batches are. The rows start as a table's columns, so the
way from columns to tensors is part of what is compared.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from parity_case import ModelCase, load

from embedded.jobs import Setup, Sql, write_job
from headgate_runtime.columns import Column
from headgate_runtime.contract import read_job
from headgate_runtime.dtypes import ORT_TO_NUMPY, plan_feed
from headgate_runtime.mapping import Mapping
from headgate_runtime.model import load_model
from headgate_runtime.planner import plan_step
from headgate_runtime.stateful import KeyedStep
from headgate_runtime.step import Scorer, StepPlan
from headgate_runtime.tally import Tally

CASES = (
    "cnn_batch_1", "cnn_batch_8", "double_regression", "embedding", "external_data_mlp", "float16_mlp", "gradient_boosting",
    "hist_gradient_boosting", "isolation_forest", "kmeans", "logistic_regression", "mixed_inputs", "mlp",
    "nearest_neighbours", "pca", "random_forest", "svm", "tfidf_text", "uint8_image",
)  # fmt: skip
ROOTS = {"STRING": "VARCHAR", "INT": "INTEGER", "BYTES": "VARBINARY"}
NUMPY = {"TINYINT": np.int8, "SMALLINT": np.int16, "INT": np.int32, "BIGINT": np.int64, "FLOAT": np.float32,
         "DOUBLE": np.float64, "BOOLEAN": np.bool_, "STRING": np.object_}  # fmt: skip


def _column(name: str, sql: str) -> Column:
    inner = sql.removeprefix("ARRAY<").removesuffix(">")
    element = Column("", ROOTS.get(inner, inner), inner) if inner != sql else None
    return Column(name, "ARRAY" if element else ROOTS.get(sql, sql), sql, True, element)


def _step(case: ModelCase, folder: Path, **fields: Any) -> StepPlan:
    """The step of a case with every output as it is."""
    setup = Setup(batch_rows=1000, model={
        "inputs": {n: list(c) for n, c in case.inputs}, "constants": dict(case.constants),
        "state": [{"input": s.input, "output": s.output, "shape": list(s.shape), "init": s.init} for s in case.state],
    } | fields)  # fmt: skip
    path = write_job(folder / "job", case.path, Sql("", "", "", key="id"), setup)
    for beside in case.folder.iterdir():
        if beside.suffix not in {".json", ".npz", ".onnx"}:
            shutil.copyfile(beside, path.parent / "models" / "0" / beside.name)
    job = read_job(path)
    return plan_step(job, load_model(job.model), tuple(_column(n, t) for n, t in case.columns))


def _values(case: ModelCase, mapping: Mapping) -> list[Any]:
    """The columns' values as they come from Flink: cast as the mapping's SQL says, no null among them."""
    sql = dict(case.columns)
    values: list[Any] = [np.zeros(len(case.rows), np.int16)] if mapping.null_marker else []
    for plan in mapping.inputs:
        for argument in mapping.arguments[plan.first : plan.first + plan.count]:
            cells = [row[argument.column] for row in case.rows]
            kind = sql[argument.column]
            if kind == "BYTES":
                values.append(pd.Series([base64.b64decode(cell) for cell in cells], dtype=object))
            elif kind.startswith("ARRAY"):
                values.append(pd.Series([np.array(cell, np.float32) for cell in cells], dtype=object))
            else:
                feed = plan_feed(plan.tensor.dtype, ROOTS.get(kind, kind))
                assert feed is not None
                values.append(pd.Series(np.array(cells, dtype=NUMPY[feed.sql_type])))
    return values


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, parity_models: Path) -> ModelCase:
    return load(parity_models / request.param)


def _same(got: np.ndarray, wanted: np.ndarray, close: Callable[[np.ndarray, np.ndarray], bool]) -> bool:
    stacked = np.stack(got.tolist()) if got.dtype == object and wanted.ndim > 1 and wanted.shape[1] > 1 else got
    return close(np.asarray(stacked).reshape(wanted.shape), wanted)


def _equal(got: np.ndarray, wanted: np.ndarray) -> bool:
    return bool((got.astype(wanted.dtype) == wanted).all())


def _near(got: np.ndarray, wanted: np.ndarray) -> bool:
    if wanted.dtype.kind != "f":
        return _equal(got, wanted)
    # A half has 11 bits: one step of it is the least that can differ.
    tolerance = 1e-3 if wanted.dtype == np.float16 else 1e-6
    return np.allclose(got.astype(wanted.dtype), wanted, rtol=tolerance, atol=tolerance)


def _plain(case: ModelCase) -> dict[str, np.ndarray]:
    """What onnxruntime itself gives for all rows at once, with one thread as the resource asks: trees add up in its order."""
    if case.name.startswith("cnn_batch"):
        return dict(case.expected)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(case.path, options)
    kinds = {i.name: ORT_TO_NUMPY[i.type] for i in session.get_inputs()}
    constants = {name: np.asarray(value, kinds[name]).reshape(1) for name, value in case.constants}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(case.feed) | constants), strict=True))


def test_answers_equal_those_of_onnxruntime_bit_for_bit(case: ModelCase, tmp_path: Path) -> None:
    step = _step(case, tmp_path)
    scorer = Scorer(step, load_model(step.job), Tally(None, "1"))
    answers, errors = scorer.score(_values(case, step.mapping))
    assert pd.isna(errors).all()
    assert set(answers) == set(case.expected)
    for name, wanted in _plain(case).items():
        assert _same(answers[name], wanted, _equal), name


@pytest.mark.parametrize("size", [1, 7, 64])
def test_answers_hardly_depend_on_the_batch(case: ModelCase, tmp_path: Path, size: int) -> None:
    step = _step(case, tmp_path)
    scorer = Scorer(step, load_model(step.job), Tally(None, "1"))
    values = _values(case, step.mapping)
    parts = [scorer.score([v[at : at + size] for v in values])[0] for at in range(0, len(case.rows), size)]
    for name, wanted in case.expected.items():
        assert _same(np.concatenate([part[name] for part in parts]), wanted, _near), name


# ---- with state -------------------------------------------------------------------------------------------------------


class KeptState:
    """Flink's keyed state: one value for each key, of which one is current."""

    def __init__(self) -> None:
        self.key: Any = None
        self.values: dict[Any, Any] = {}

    def value(self) -> Any:
        """The current key's value."""
        return self.values.get(self.key)

    def update(self, value: Any) -> None:
        """Keep it for the current key."""
        self.values[self.key] = value


class Context:
    """What a keyed function gets from Flink when it is opened."""

    def __init__(self) -> None:
        self.state = KeptState()

    def get_state(self, _: Any) -> KeptState:
        """The one state."""
        return self.state

    def get_metrics_group(self) -> None:
        """None: nothing is counted for Flink."""


def _keyed(case: ModelCase, step: StepPlan) -> Iterator[list[Any]]:
    context = Context()
    keyed = KeyedStep(step, 1, (0, "id"))
    keyed.open(context)  # type: ignore[arg-type]  # PyFlink's context needs a running worker
    for at, row in enumerate(case.rows):
        context.state.key = row["id"]
        marker, *values = [np.asarray(v)[at].item() for v in _values(case, step.mapping)]
        (answer,) = keyed.process_element([row["id"], marker, *values], None)  # type: ignore[arg-type]  # as above
        yield list(answer)
    keyed.close()


def test_a_recurrent_model_equals_a_plain_loop_over_its_keys(parity_models: Path, tmp_path: Path) -> None:
    case = load(parity_models / "lstm_state")
    answers = list(_keyed(case, _step(case, tmp_path)))
    assert [a[0] for a in answers] == [row["id"] for row in case.rows]
    assert [a[-1] for a in answers] == [None] * len(answers)
    assert _equal(np.array([[a[1]] for a in answers]), case.expected["y"])


def test_a_kept_state_of_another_shape_is_a_dead_letter_and_stays(parity_models: Path, tmp_path: Path) -> None:
    case = load(parity_models / "lstm_state")
    context = Context()
    keyed = KeyedStep(_step(case, tmp_path), 1, (0, "id"))
    keyed.open(context)  # type: ignore[arg-type]  # PyFlink's context needs a running worker
    kept = {case.state[0].input: ("<f4", (9, 9), b"\\0" * 324)}
    context.state.update(kept)
    marker, *values = [np.asarray(v)[0].item() for v in _values(case, _step(case, tmp_path / "again").mapping)]
    (answer,) = keyed.process_element([1, marker, *values], None)  # type: ignore[arg-type]  # as above
    reason, _, detail = list(answer)[-1].split("\x1f")
    assert reason == "InferenceError"
    assert "the kept state of" in detail
    assert "[9, 9], this version wants" in detail
    assert context.state.value() is kept
    keyed.close()
