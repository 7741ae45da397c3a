"""Runs two models on the same random rows and says how far their answers are apart.

Called by :mod:`headgate.models.convert`, on a person's own machine, to show that a conversion changed nothing. The
original runs in onnxruntime where that implements it, otherwise in onnx's reference evaluator. Random numbers are
seeded: the same two models are always judged the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi import onnxruntime_pybind11_state as ort
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

from headgate.models.signature import ModelSignature, TensorInfo

Array = npt.NDArray[np.generic]
Run = Callable[[Mapping[str, Array]], Sequence[object]]

FREE_SIZES = (1, 3, 8, 1, 3, 8, 16, 64)
"""Lengths tried for dimensions that are not fixed, one a round."""
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""Answers agree within ``ABSOLUTE + RELATIVE * |answer|``, which float32 sums in another order need; labels agree
exactly."""

RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.NoSuchFile,
    ort.NotImplemented,
    ort.RuntimeException,
)
"""What onnxruntime raises for a model that it cannot load or run."""
_RUN_ERRORS: tuple[type[Exception], ...] = (*RUNTIME_ERRORS, ValueError)
_REFERENCE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the reference evaluator raises: it is plain numpy, so the error is whatever the operator's code met."""


class CannotRun(Exception):
    """A model does not load, or does not run on a batch; convert makes a refusal of it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``rounds`` batches ran in both; ``difference`` is the largest absolute one of all numbers (labels count as 1)."""

    evaluator: str
    rounds: int
    difference: float
    agree: bool
    where: str = ""
    """The output and the batch where they first disagreed."""


def compare(original: onnx.ModelProto, converted: onnx.ModelProto, signature: ModelSignature) -> Comparison:
    """Run both on random batches. ``signature`` is the original's.

    Raises ``CannotRun`` when the converted model does not load, when nothing runs the original, or when no batch fits
    it.
    """
    evaluator, reference = _reference_of(original)
    candidate = onnxruntime_of(converted)
    rounds, largest, first = 0, 0.0, ""
    problem = ""
    for number, size in enumerate(FREE_SIZES):
        feeds = random_feeds(signature, size, np.random.default_rng(number))
        try:
            expected = reference(feeds)
        except CannotRun as error:
            problem = str(error)
            continue
        rounds += 1
        for tensor, wanted, got in zip(signature.outputs, expected, candidate(feeds), strict=True):
            difference, close = _differ(wanted, got)
            largest = max(largest, difference)
            if not close and not first:
                first = f"output '{tensor.name}' of a batch of {size}"
    if not rounds:
        raise CannotRun(f"the original runs on none of the random batches: {problem}")
    return Comparison(evaluator, rounds, largest, not first, first)


def onnxruntime_of(model: onnx.ModelProto) -> Run:
    """The model in onnxruntime, one thread, on the CPU. Raises ``CannotRun`` where it does not load."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = InferenceSession(model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"])
    except RUNTIME_ERRORS as error:
        raise CannotRun(_first_line(error)) from error

    def run(feeds: Mapping[str, Array]) -> Sequence[object]:
        try:
            return list(session.run(None, dict(feeds)))
        except _RUN_ERRORS as error:
            raise CannotRun(_first_line(error)) from error

    return run


def _reference_of(model: onnx.ModelProto) -> tuple[str, Run]:
    try:
        return "onnxruntime", onnxruntime_of(model)
    except CannotRun:
        pass
    try:
        evaluator = ReferenceEvaluator(model)
    except _REFERENCE_ERRORS as error:
        raise CannotRun(f"neither onnxruntime nor onnx.reference runs the original: {_first_line(error)}") from error

    def run(feeds: Mapping[str, Array]) -> Sequence[object]:
        try:
            return list(evaluator.run(None, dict(feeds)))
        except _REFERENCE_ERRORS as error:
            raise CannotRun(_first_line(error)) from error

    return "onnx.reference", run


def random_feeds(signature: ModelSignature, free: int, rng: np.random.Generator) -> dict[str, Array]:
    """One random tensor an input, free dimensions of length ``free``. Integers are 0 or 1, so that they can be
    indices."""
    return {tensor.name: _random(tensor, free, rng) for tensor in signature.inputs}


def _random(tensor: TensorInfo, free: int, rng: np.random.Generator) -> Array:
    shape = tuple(size if isinstance(size, int) else free for size in tensor.shape)
    if tensor.dtype == "string":
        return rng.choice(np.array(["", "a", "France", "0"], dtype=object), size=shape)
    if tensor.dtype == "bool":
        return rng.integers(0, 2, size=shape).astype(np.bool_)
    if tensor.dtype.startswith("float"):
        return rng.normal(scale=1 + free % 4, size=shape).astype(tensor.dtype)
    return rng.integers(0, 2, size=shape).astype(tensor.dtype)


def _differ(wanted: object, got: object) -> tuple[float, bool]:
    """The largest difference, and whether it is within the tolerance. Sequences and maps are compared part by part."""
    parts = list(_leaves(wanted, got))
    if any(pair is None for pair in parts):
        return 1.0, False
    differences = [_differ_arrays(*pair) for pair in parts if pair is not None]
    return max((d for d, _ in differences), default=0.0), all(close for _, close in differences)


def _leaves(wanted: object, got: object) -> Iterator[tuple[Array, Array] | None]:
    """Pairs of arrays, or ``None`` where the two have another structure."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping) and wanted.keys() == got.keys():
        for key in wanted:
            yield from _leaves(wanted[key], got[key])
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for left, right in zip(wanted, got, strict=True):
            yield from _leaves(left, right)
    elif isinstance(wanted, Mapping | list) or isinstance(got, Mapping | list):
        yield None
    else:
        yield np.asarray(wanted), np.asarray(got)


def _differ_arrays(wanted: Array, got: Array) -> tuple[float, bool]:
    if wanted.shape != got.shape or (wanted.dtype != got.dtype and wanted.dtype.kind not in "OSU"):
        return 1.0, False
    if wanted.dtype.kind != "f":
        same = bool(np.array_equal(wanted.astype(object), got.astype(object)))
        return (0.0, True) if same else (1.0, False)
    left, right = wanted.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(left) & np.isfinite(right)
    difference = float(np.max(np.abs(left - right), where=finite, initial=0.0))
    return difference, bool(np.allclose(left, right, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
