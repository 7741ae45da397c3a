"""One loaded ONNX model: verified, smoke-tested, run in batches, shared within a worker and closed with it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from headgate_runtime.contract import ModelJob
from headgate_runtime.dtypes import ORT_TO_NUMPY
from headgate_runtime.errors import ModelUnusable, Stage
from headgate_runtime.mapping import TensorSpec, describe

Feeds = dict[str, np.ndarray]
"""Tensors by input or output name."""

_CHUNK = 1 << 20
_FREE_SIZES = (8, 2, 64, 224, 1)

MODEL_ERRORS: tuple[type[Exception], ...] = (
    *(v for v in vars(_state).values() if isinstance(v, type) and issubclass(v, Exception)),
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
)
"""What running a model may raise: onnxruntime's own classes, which share no public base, and numpy's."""


def verify_files(model: ModelJob) -> None:
    """Check every file of the artifact against its sha256; raises :class:`ModelUnusable` with both digests."""
    for path, expected in model.files:
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise ModelUnusable(
                f"model file {path.name} cannot be read: {error.strerror}.", stage=Stage.VERIFY
            ) from error
        actual = f"sha256:{digest.hexdigest()}"
        if actual != expected:
            raise ModelUnusable(
                f"model file {path.name} has {actual}, job.json says {expected}: the file is not the one that was checked. Build again.",
                stage=Stage.VERIFY,
            )


@dataclass(slots=True)
class Model:
    """A session with its signature. ``run`` takes feeds [n, ...] and gives outputs [n, ...]."""

    job: ModelJob
    session: ort.InferenceSession
    inputs: tuple[TensorSpec, ...]
    output_names: tuple[str, ...]
    constants: dict[str, np.ndarray]
    fixed_batch: int | None

    @property
    def fed_otherwise(self) -> frozenset[str]:
        """Inputs that no column feeds: constants and state."""
        return frozenset(self.constants) | {s.input for s in self.job.state}

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name for a batch of n rows; a fixed batch dimension is met by splitting and padding."""
        rows = len(next(iter(feeds.values())))
        size = self.fixed_batch
        if size is None or rows == size:
            return self._checked(feeds, rows)
        parts = [self._padded({k: v[at : at + size] for k, v in feeds.items()}, size) for at in range(0, rows, size)]
        return {name: np.concatenate([p[name] for p in parts]) for name in self.output_names}

    def run_raw(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs exactly as onnxruntime gives them; for recurrent models, whose state has shapes of its own."""
        scalars = {t.name for t in self.inputs if t.shape == ()}
        feeds = {k: v.reshape(()) if k in scalars else v for k, v in feeds.items()} | self.constants
        return dict(zip(self.output_names, self.session.run(self.output_names, feeds), strict=True))

    def _padded(self, feeds: dict[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
        rows = len(next(iter(feeds.values())))
        if rows < size:
            feeds = {k: np.concatenate([v, np.repeat(v[-1:], size - rows, axis=0)]) for k, v in feeds.items()}
        return {name: values[:rows] for name, values in self._checked(feeds, size).items()}

    def _checked(self, feeds: dict[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
        outputs = self.run_raw(feeds)
        for name, values in outputs.items():
            if not isinstance(values, np.ndarray):
                raise ValueError(f"output {name!r} is a {type(values).__name__}, not a tensor")
            if rows == 1 and values.ndim == 0:
                outputs[name] = values.reshape(1)
            elif values.ndim == 0 or len(values) != rows:
                raise ValueError(
                    f"output {name!r} has shape {list(values.shape)} for {rows} rows: its first dimension is no batch"
                )
        return outputs


def load_model(job: ModelJob) -> Model:
    """Load without running; raises :class:`ModelUnusable` with onnxruntime's own reason."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.execution.intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    available = ort.get_available_providers()
    missing = [p for p in job.execution.providers if p not in available]
    if missing:
        raise ModelUnusable(
            f"spec.model.execution.providers: {missing[0]} is not in this image's onnxruntime, which has {', '.join(available)}."
        )
    try:
        session = ort.InferenceSession(str(job.path), options, providers=list(job.execution.providers))
    except MODEL_ERRORS as error:
        raise ModelUnusable(f"onnxruntime cannot load version {job.version}: {first_line(error)}") from error
    inputs = tuple(_tensor(i) for i in session.get_inputs())
    constants = {name: _constant(name, value, inputs) for name, value in job.constants}
    state = {s.input for s in job.state}
    fed = [t for t in inputs if t.name not in constants and t.name not in state]
    return Model(
        job=job,
        session=session,
        inputs=inputs,
        output_names=tuple(o.name for o in session.get_outputs()),
        constants=constants,
        fixed_batch=_fixed_batch(fed, job),
    )


def _tensor(value: Any) -> TensorSpec:
    if value.type not in ORT_TO_NUMPY:
        raise ModelUnusable(f"input {value.name!r} is {value.type}, which no column can feed.")
    shape = tuple(d if isinstance(d, int) and d >= 0 else None for d in value.shape)
    return TensorSpec(value.name, np.dtype(ORT_TO_NUMPY[value.type]), shape)


def _constant(name: str, value: Any, inputs: tuple[TensorSpec, ...]) -> np.ndarray:
    tensor = next((t for t in inputs if t.name == name), None)
    if tensor is None:
        raise ModelUnusable(
            f"spec.model.constants names {name!r}, which is no input of the model ({', '.join(t.name for t in inputs)})."
        )
    try:
        array = np.asarray(value, dtype=tensor.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelUnusable(
            f"spec.model.constants.{name} does not fit the model's input, {describe(tensor)}: {first_line(error)}."
        ) from error
    if array.ndim == 0 and tensor.shape and all(d in (1, None) for d in tensor.shape):
        array = array.reshape((1,) * len(tensor.shape))
    return array


def _fixed_batch(fed: list[TensorSpec], job: ModelJob) -> int | None:
    if job.state:
        return 1
    sizes = {t.shape[0] if t.shape else 1 for t in fed} - {None}
    if len(sizes) > 1:
        listed = ", ".join(f"{t.name} {list(t.shape)}" for t in fed)
        raise ModelUnusable(f"the inputs disagree on the batch dimension: {listed}.")
    return sizes.pop() if sizes else None


def smoke_feeds(model: Model, shapes: Mapping[str, tuple[int, ...]], free: int, rows: int = 2) -> Feeds:
    """A batch of zeros (empty strings). ``shapes``: of one row, by input; elsewhere free dimensions are ``free``."""
    rows = model.fixed_batch or rows
    feeds = {}
    for tensor in model.inputs:
        if tensor.name in model.fed_otherwise:
            continue
        row = shapes.get(tensor.name) or tuple(free if d is None else d for d in tensor.shape[1:])
        blank = "" if tensor.dtype.kind == "O" else 0
        feeds[tensor.name] = np.full((rows, *row), blank, dtype=tensor.dtype)
    return feeds


def smoke(model: Model, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Feeds:
    """Run one batch of blanks and give its outputs; raises :class:`ModelUnusable` with onnxruntime's reason.

    Where neither the model nor ``shapes`` (of one row, by input) decides a dimension, the first of a few sizes that the
    model takes is used.
    """
    shapes = shapes or {}
    undecided = [t for t in model.inputs if t.name not in model.fed_otherwise and t.name not in shapes]
    sizes = _FREE_SIZES if any(None in t.shape[1:] for t in undecided) else _FREE_SIZES[:1]
    problems: list[Exception] = []
    for free in sizes:
        try:
            return _smoke_once(model, smoke_feeds(model, shapes, free))
        except MODEL_ERRORS as error:
            problems.append(error)
    tried = f" (with {', '.join(map(str, sizes))} for its free dimensions)" if len(sizes) > 1 else ""
    raise ModelUnusable(
        f"version {model.job.version} fails on a smoke batch of zeros{tried}: {first_line(problems[0])}",
        stage=Stage.SMOKE,
    ) from problems[0]


def _smoke_once(model: Model, feeds: Feeds) -> Feeds:
    if not model.job.state:
        return model.run(feeds)
    outputs = model.run_raw(feeds | {s.input: initial_state(model, s.input) for s in model.job.state})
    for state in model.job.state:
        if state.output not in outputs:
            raise ModelUnusable(
                f"spec.model.state names output {state.output!r}, which the model does not have "
                f"({', '.join(model.output_names)}).",
                stage=Stage.SMOKE,
            )
        got = outputs[state.output].shape
        if got != state.shape:
            raise ModelUnusable(
                f"state output {state.output!r} has shape {list(got)}, spec.model.state says {list(state.shape)}.",
                stage=Stage.SMOKE,
            )
    return outputs


def has_free_shapes(model: Model) -> bool:
    """Whether columns must decide a dimension before the model can run: then only the plan can smoke-test it."""
    return any(None in t.shape[1:] for t in model.inputs if t.name not in model.fed_otherwise)


def initial_state(model: Model, name: str) -> np.ndarray:
    """A recurrent input's value before a key's first record."""
    spec = next(s for s in model.job.state if s.input == name)
    tensor = next((t for t in model.inputs if t.name == name), None)
    if tensor is None:
        raise ModelUnusable(f"spec.model.state names input {name!r}, which the model does not have.", stage=Stage.SMOKE)
    return np.full(spec.shape, spec.init, dtype=tensor.dtype)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@dataclass(slots=True)
class _Entry:
    model: Model
    users: int = 0


@dataclass(slots=True)
class ModelPool:
    """Models of this process by digest: tasks that share a worker share the model; the last to leave closes it."""

    load: Callable[[ModelJob], Model] = load_model
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, job: ModelJob) -> Model:
        """The model for ``job``, loaded when nobody holds it yet."""
        with self._lock:
            entry = self._entries.get(_key(job))
            if entry is None:
                entry = self._entries[_key(job)] = _Entry(self.load(job))
            entry.users += 1
            return entry.model

    def release(self, job: ModelJob) -> None:
        """Give back what :meth:`acquire` gave."""
        with self._lock:
            entry = self._entries.get(_key(job))
            if entry is None:
                return
            entry.users -= 1
            if entry.users == 0:
                del self._entries[_key(job)]

    def __len__(self) -> int:
        return len(self._entries)


def _key(job: ModelJob) -> str:
    return json.dumps([job.digest, str(Path(job.path)), job.execution.intra_op_threads, job.execution.providers])


POOL = ModelPool()
"""The pool of this worker process."""
