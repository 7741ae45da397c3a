"""Reads an ONNX file without running it: what it is, what it needs, and every reason why it could not be served.

``read_model`` is what the builder, the validator and local runs call; ``inspect_model`` also describes a model that
can be read and not served, for ``headgate inspect``, ``init`` and ``convert``. Sizes are bounded before a byte is
parsed, no length in the file is believed, data files never lead out of the model's folder, and nothing in a model is
executed.
"""

from __future__ import annotations

import hashlib
import math
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from headgate.models import refusals
from headgate.models.digest import artifact_digest, sha256_of
from headgate.models.elements import SERVABLE, describe
from headgate.models.external import ExternalFile, find_external_files
from headgate.models.graph_check import graph_problems, tensor_problems
from headgate.models.operators import assess_operators, assess_versions
from headgate.models.refusals import Refusal
from headgate.models.shapes import with_inferred_outputs
from headgate.models.signature import ModelFile, ModelInfo, ModelSignature, OperatorUse, TensorInfo
from headgate.models.sniff import recognise
from headgate.models.walk import broken_name, domain_of, opsets_of, walk_graphs, walk_nodes, walk_tensors
from headgate.models.wire import Outline, scan_fields

PROTOBUF_LIMIT = 2**31 - 1
"""The most bytes that one protobuf message can have."""


def read_model(path: Path, *, size_limit: int) -> ModelInfo:
    """What the model at ``path`` is, or the first reason why it cannot be served.

    ``size_limit`` is in bytes and counts the ``.onnx`` file and its data files together. Raises a
    :class:`~headgate.models.refusals.Refusal`.
    """
    info, problems = inspect_model(path, size_limit=size_limit)
    if problems:
        raise problems[0]
    return info


def inspect_model(path: Path, *, size_limit: int) -> tuple[ModelInfo, tuple[Refusal, ...]]:
    """What the model is, and all reasons why it cannot be served. Raises a ``Refusal`` only for what cannot be read
    at all."""
    data = _read_bytes(path, size_limit)
    model = parse_model(str(path), data)
    return _describe(path, model, data, size_limit)


def load_with_data(path: Path, *, size_limit: int) -> onnx.ModelProto:
    """The parsed model with its external data inside, for a conversion. Raises a ``Refusal``; what is read is
    bounded."""
    model = parse_model(str(path), _read_bytes(path, size_limit))
    external = find_external_files(str(path), path.parent, walk_tensors(model))
    total = model.ByteSize() + sum(file.size for file in external)
    _check_size(f"{path} with its data files", total, min(size_limit, PROTOBUF_LIMIT))
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise refusals.ModelUnreadable(f"{path}: its data files cannot be read: {error}.") from error
    return model


def parse_model(subject: str, data: bytes) -> onnx.ModelProto:
    """The model in ``data``, external data left alone. Raises the refusal that says what the bytes are instead."""
    scan = scan_fields(data)
    if scan.outline is not Outline.MODEL:
        if foreign := recognise(subject, data):
            raise foreign
        if scan.outline is Outline.CUT:
            raise refusals.ModelTruncated(f"{subject} is cut short: {scan.detail}.")
        if scan.outline is Outline.HEADLESS:
            raise refusals.ModelTruncated(
                f"{subject} is cut short: it has a model's header, {len(data):,} bytes, and no graph."
            )
        raise refusals.NotOnnx(f"{subject} is not an ONNX model: it begins with {data[:8]!r}.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise refusals.ModelDamaged(
            f"{subject} is damaged: its outer fields are those of an ONNX model, and bytes inside are not."
        ) from error
    if broken := broken_name(model):
        raise refusals.ModelDamaged(f"{subject} is damaged: it holds the name {broken!r}, which is not UTF-8 text.")
    return model


def _read_bytes(path: Path, size_limit: int) -> bytes:
    """The file's bytes, once its kind and size are known to be acceptable."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _folder(path)
        if not stat.S_ISREG(status.st_mode):
            raise refusals.ModelNotAFile(f"{path} is not an ordinary file.")
        _check_size(str(path), status.st_size, size_limit)
        if status.st_size > PROTOBUF_LIMIT:
            raise refusals.ModelTooLarge(
                f"{path} has {status.st_size:,} bytes; one ONNX file can have {PROTOBUF_LIMIT:,}.",
                remedy="Save it with its weights in a file of their own: "
                "onnx.save(model, FILE, save_as_external_data=True).",
            )
        with path.open("rb") as stream:
            # read(n) sets n bytes aside: ask for the file's own size, and one more to notice that it grew.
            data = stream.read(status.st_size + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise refusals.ModelMissing(f"{path} does not exist.") from error
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise refusals.ModelUnreadable(f"{path} cannot be read: {why}.") from error
    _check_size(str(path), len(data), size_limit)
    if not data:
        raise refusals.ModelEmpty(f"{path} is empty.")
    return data


def _folder(path: Path) -> Refusal:
    models = sorted(child.name for child in path.iterdir() if child.suffix == ".onnx")
    remedy = f"Name the file: {path / models[0]}." if len(models) == 1 else None
    return refusals.ModelIsFolder(f"{path} is a folder.", remedy=remedy)


def _check_size(subject: str, size: int, limit: int) -> None:
    if size > limit:
        raise refusals.ModelTooLarge(f"{subject} has {size:,} bytes; the limit is {limit:,}.")


def _describe(
    path: Path, model: onnx.ModelProto, data: bytes, size_limit: int
) -> tuple[ModelInfo, tuple[Refusal, ...]]:
    subject = str(path)
    opsets = _opsets(subject, model)
    if not model.graph.node:
        raise refusals.GraphEmpty(f"{subject} has a graph without any operator.")
    tensors = tuple(walk_tensors(model))
    if problem := next(chain(graph_problems(model.graph), *map(tensor_problems, tensors)), None):
        raise refusals.GraphInvalid(f"{subject} has a graph that contradicts itself: {problem}.")
    external = find_external_files(subject, path.parent, tensors)
    size = len(data) + sum(file.size for file in external)
    _check_size(f"{subject} with its data files", size, size_limit)
    files = (ModelFile(path.name, len(data), hashlib.sha256(data).hexdigest()), *_hash_all(subject, external))
    signature = with_inferred_outputs(model, _signature(model.graph))
    info = ModelInfo(
        ir_version=int(model.ir_version),
        opsets=tuple(sorted(opsets.items())),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        metadata=tuple((entry.key, entry.value) for entry in model.metadata_props),
        signature=signature,
        files=files,
        size=size,
        digest=artifact_digest(files),
        operators=_operators(model),
        initializers=sum(len(graph.initializer) + len(graph.sparse_initializer) for graph in walk_graphs(model)),
        parameters=sum(math.prod(tensor.dims) for tensor in tensors),
    )
    functions = frozenset((domain_of(function.domain), function.name) for function in model.functions)
    problems = (
        *assess_versions(subject, info.ir_version, opsets),
        *assess_operators(subject, walk_nodes(model), functions),
        *_assess_signature(subject, signature),
    )
    return info, problems


def _opsets(subject: str, model: onnx.ModelProto) -> dict[str, int]:
    """IR versions 1 and 2 knew one operator set and did not write it down."""
    opsets = opsets_of(model.opset_import)
    if not opsets and model.ir_version >= 3:
        raise refusals.OpsetMissing(f"{subject} names no operator set, which IR version {model.ir_version} must.")
    return opsets or {"": 1}


def _signature(graph: onnx.GraphProto) -> ModelSignature:
    """Inputs without those that have a stored value: IR 3 lists weights among them, later versions give them as
    defaults."""
    stored = {tensor.name for tensor in graph.initializer} | {sparse.values.name for sparse in graph.sparse_initializer}
    inputs = tuple(describe(value) for value in graph.input if value.name not in stored)
    return ModelSignature(inputs, tuple(describe(value) for value in graph.output))


def _operators(model: onnx.ModelProto) -> tuple[OperatorUse, ...]:
    counts = Counter((domain_of(placed.node.domain), placed.node.op_type) for placed in walk_nodes(model))
    return tuple(OperatorUse(domain, name, count) for (domain, name), count in sorted(counts.items()))


def _hash_all(subject: str, external: Iterable[ExternalFile]) -> Iterator[ModelFile]:
    for file in external:
        try:
            yield ModelFile(file.name, file.size, sha256_of(file.path))
        except OSError as error:
            raise refusals.ModelUnreadable(
                f"{subject}: its data file '{file.name}' cannot be read: {error.strerror}."
            ) from error


def _assess_signature(subject: str, signature: ModelSignature) -> Iterator[Refusal]:
    if not signature.inputs:
        yield refusals.NoInputs(f"{subject} has no input that could be fed.")
    if not signature.outputs:
        yield refusals.NoOutputs(f"{subject} has no output.")
    yield from (refusal for tensor in signature.inputs if (refusal := _assess_tensor(subject, "input", tensor)))
    yield from (refusal for tensor in signature.outputs if (refusal := _assess_tensor(subject, "output", tensor)))


def _assess_tensor(subject: str, what: str, tensor: TensorInfo) -> Refusal | None:
    if tensor.dtype in SERVABLE:
        return None
    message = f"{subject} has the {what} '{tensor.name}' of type {tensor.dtype}"
    if tensor.is_tensor:
        return refusals.UnsupportedType(f"{message}, which is no column type.")
    if tensor.dtype.startswith("unknown("):
        return refusals.UnsupportedType(f"{subject} does not say which type its {what} '{tensor.name}' has.")
    if what == "input":
        return refusals.UnsupportedInput(f"{message}, not a dense tensor.")
    return refusals.SequenceOrMapOutput(f"{message}, not a dense tensor.")
