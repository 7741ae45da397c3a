"""Moves a model to an operator set that onnxruntime implements, and shows that its answers stay the same.

Called by ``headgate convert``. The graph is converted by onnx's own version converter, or only relabelled where no
operator changes between the two sets; then both models run on the same random batches. Nothing is written unless they
agree. The source is never changed, except by naming it as the target.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import onnx
from google.protobuf.message import EncodeError
from onnx import helper, version_converter
from onnx.inliner import inline_local_functions

from headgate.models.answers import CannotRun, Comparison, compare
from headgate.models.operators import assess_operators, newest_ir, newest_opset, selected_version
from headgate.models.reader import PROTOBUF_LIMIT, inspect_model, load_with_data
from headgate.models.refusals import ConversionDisagrees, ConversionFailed
from headgate.models.signature import ModelInfo
from headgate.models.walk import domain_of, walk_nodes

USUAL_OPSET = 21
"""What older models are moved to unless somebody says otherwise: implemented whole, and known to every tool of today."""
_LOWEST_IR = 8
_PINNED = 7
"""What free dimensions are set to while the converter looks at shapes; its adapters cannot read a dimension's name."""
_IN_ONE_FILE = 1 << 30


class Method(StrEnum):
    """How the graph got its new opset."""

    RELABELLED = "relabelled"
    """No operator of the model differs between the two opsets; only the number changed."""
    CONVERTED = "converted"
    """onnx's version converter rewrote operators."""


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What was done and how well the answers agree."""

    source_opset: int
    target_opset: int
    method: Method
    comparison: Comparison
    target: ModelInfo
    """The written model, read back."""

    def __str__(self) -> str:
        return (
            f"opset {self.source_opset} → {self.target_opset} ({self.method}); answers of {self.comparison.rounds} random "
            f"batches agree with {self.comparison.evaluator} on the original, largest difference {self.comparison.difference:.3g}"
        )


def convert_opset(
    source: Path, target: Path, *, opset: int | None = None, size_limit: int = PROTOBUF_LIMIT
) -> ConversionReport:
    """Write ``source`` to ``target`` with another opset of the standard domain.

    Without ``opset``: the usual one for older models, otherwise the newest that onnxruntime implements whole for this
    model. Weights of 1 GiB and more go to ``<target>.data``. Raises ``ConversionFailed``, ``ConversionDisagrees`` or
    any refusal of the reader.
    """
    info, _ = inspect_model(source, size_limit=size_limit)
    model = load_with_data(source, size_limit=size_limit)
    if opset is not None and not 1 <= opset <= newest_opset():
        raise ConversionFailed(
            f"Opset {opset} is not one that onnxruntime implements (1 to {newest_opset()}).",
            remedy="Choose another --opset.",
        )
    before = info.opset() or 1
    candidates = (opset,) if opset is not None else _candidates(before)
    converted, method, after = _first_that_works(str(source), model, before, candidates)
    try:
        comparison = compare(model, converted, info.signature)
    except CannotRun as error:
        raise ConversionFailed(f"{source}: the conversion to opset {after} cannot be checked: {error}.") from error
    if not comparison.agree:
        raise ConversionDisagrees(
            f"{source}: after conversion to opset {after}, {comparison.where} differs (by up to {comparison.difference:.3g})."
        )
    _write(converted, target)
    return ConversionReport(before, after, method, comparison, inspect_model(target, size_limit=2 * size_limit)[0])


def _candidates(before: int) -> tuple[int, ...]:
    """Opsets to try, best first."""
    if before <= USUAL_OPSET:
        return (USUAL_OPSET,)
    return tuple(range(min(before, newest_opset()), USUAL_OPSET - 1, -1))


def _first_that_works(
    subject: str, model: onnx.ModelProto, before: int, candidates: tuple[int, ...]
) -> tuple[onnx.ModelProto, Method, int]:
    """The first candidate that converts and has no operator that onnxruntime lacks."""
    problem = ""
    for opset in candidates:
        if _unchanged(model, before, opset):
            result, method = _relabel(model, opset), Method.RELABELLED
        else:
            try:
                result, method = _convert(model, opset), Method.CONVERTED
            except (RuntimeError, ValueError, version_converter.ConvertError) as error:
                problem = problem or f"onnx's converter says: {' '.join(str(error).split())[:300]}"
                continue
        refusals = assess_operators(subject, walk_nodes(result), frozenset())
        if not refusals:
            return result, method, opset
        problem = problem or refusals[0].message
    raise ConversionFailed(f"{subject} cannot be moved from opset {before} to {candidates[0]}: {problem}")


def _unchanged(model: onnx.ModelProto, before: int, after: int) -> bool:
    """Whether every standard operator is the same in both opsets, and known in both."""
    names = {placed.node.op_type for placed in walk_nodes(model) if domain_of(placed.node.domain) == ""}
    return not model.functions and all(
        selected_version(name, before) == selected_version(name, after) != 0 for name in names
    )


def _relabel(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return _stamped(result, opset)


def _convert(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The converter knows one graph with the standard domain first: functions are inlined and weights listed as
    inputs."""
    work = onnx.ModelProto()
    work.CopyFrom(inline_local_functions(model, convert_version=True) if model.functions else model)
    others = [entry for entry in work.opset_import if domain_of(entry.domain) != ""]
    own = next((entry.version for entry in work.opset_import if domain_of(entry.domain) == ""), 1)
    work.ClearField("opset_import")
    work.opset_import.extend([helper.make_opsetid("", own), *others])
    if work.ir_version < 4:
        listed = {value.name for value in work.graph.input}
        work.graph.input.extend(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            for tensor in work.graph.initializer
            if tensor.name not in listed
        )
    try:
        result = version_converter.convert_version(work, opset)
    except (RuntimeError, version_converter.ConvertError):
        result = version_converter.convert_version(_pinned(work), opset)
        _restore_values(result.graph, model.graph)
    return _stamped(result, opset)


def _pinned(model: onnx.ModelProto) -> onnx.ModelProto:
    pinned = onnx.ModelProto()
    pinned.CopyFrom(model)
    pinned.graph.ClearField("value_info")
    for value in (*pinned.graph.input, *pinned.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if not dim.HasField("dim_value"):
                dim.dim_value = _PINNED
    return pinned


def _restore_values(graph: onnx.GraphProto, original: onnx.GraphProto) -> None:
    """Give inputs and outputs their free dimensions back; inferred shapes inside were those of the pinned sizes."""
    graph.ClearField("value_info")
    known = {value.name: value for value in (*original.input, *original.output)}
    for value in (*graph.input, *graph.output):
        if value.name in known:
            value.CopyFrom(known[value.name])


def _stamped(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """One import a domain, an IR version that holds them and that onnxruntime reads, no weights among the inputs."""
    imports = {domain_of(entry.domain): int(entry.version) for entry in model.opset_import} | {"": opset}
    model.ClearField("opset_import")
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in sorted(imports.items()))
    model.ir_version = min(max(model.ir_version, _LOWEST_IR), newest_ir())
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    model.graph.ClearField("input")
    model.graph.input.extend(inputs)
    return model


def _write(model: onnx.ModelProto, target: Path) -> None:
    """Beside the target first, then moved: a failed write leaves what was there. Data is moved before the graph."""
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            written = Path(folder) / target.name
            large = model.ByteSize() > _IN_ONE_FILE
            onnx.save_model(
                model, written, save_as_external_data=large, location=f"{target.name}.data" if large else None
            )
            for file in sorted(Path(folder).iterdir(), key=lambda path: path == written):
                file.replace(target.parent / file.name)
    except (OSError, EncodeError, ValueError) as error:
        raise ConversionFailed(
            f"{target} cannot be written: {error}.", remedy="Choose another place with -o."
        ) from error
