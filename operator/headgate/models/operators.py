"""Which operators the installed onnxruntime can run, and which of a model's it cannot.

Called by the reader. The facts are onnxruntime's own: its registered schemas, its CPU kernels, and the newest
versions that it loads, found by loading a model of one Identity node. Operators whose schema has a function body need
no kernel. Whether a kernel exists for the *types* of a node is known only once the model is loaded; the gate that
loads it says so.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

from headgate.models.refusals import CustomDomain, IrTooNew, OpsetTooNew, OpsetTooOld, Refusal, UnknownOperator
from headgate.models.walk import PlacedNode, domain_of

_OPEN_END = 2**31 - 1
_CONTRIB = ("com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")
"""Domains that come with onnxruntime. Some of their operators run on other providers only, or are expanded at load."""


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """What one operator's versions are. ``since`` ascending; ``kernels`` are inclusive version ranges."""

    since: tuple[int, ...]
    deprecated: frozenset[int]
    bodies: frozenset[tuple[int, int]]
    """``(version, opset)`` where the schema's function body stands for a kernel."""
    kernels: tuple[tuple[int, int], ...]

    def version_at(self, opset: int) -> int | None:
        """The version of the operator that ``opset`` selects."""
        return max((version for version in self.since if version <= opset), default=None)

    def runs_at(self, opset: int) -> bool:
        """Whether there is a kernel or a usable body. A kernel with an open end holds for its first version alone."""
        version = self.version_at(opset)
        if version is None or version in self.deprecated:
            return False
        return (version, opset) in self.bodies or any(
            first == version or (first < version <= last and last != _OPEN_END) for first, last in self.kernels
        )


@cache
def runtime_operators() -> dict[tuple[str, str], OperatorFacts]:
    """``(domain, name)`` to facts, for all that the installed onnxruntime registers."""
    since: dict[tuple[str, str], dict[int, bool]] = {}
    for schema in ort.get_all_operator_schema():
        since.setdefault((domain_of(schema.domain), schema.name), {})[schema.since_version] = schema.deprecated
    kernels: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for kernel in ort.get_all_opkernel_def():
        kernels.setdefault((domain_of(kernel.domain), kernel.op_name), set()).add(tuple(kernel.version_range))
    bodies = _bodies()
    return {
        key: OperatorFacts(
            tuple(sorted(versions)),
            frozenset(version for version, gone in versions.items() if gone),
            frozenset(bodies.get(key, ())),
            tuple(sorted(kernels.get(key, ()))),
        )
        for key, versions in since.items()
    }


def _bodies() -> dict[tuple[str, str], set[tuple[int, int]]]:
    """Where a function body can be used: at opsets that select the same versions of the body's operators as its own
    does.

    A body that depends on the node's types is taken to be usable wherever it is declared; ``Constant`` is
    onnxruntime's own.
    """
    opsets = range(1, onnx.defs.onnx_opset_version() + 3)
    found: dict[tuple[str, str], set[tuple[int, int]]] = {}
    schemas: Sequence[Any] = onnx.defs.get_all_schemas_with_history()
    for schema in schemas:
        key, version = (domain_of(schema.domain), schema.name), schema.since_version
        if schema.has_context_dependent_function or key == ("", "Constant"):
            found.setdefault(key, set()).update((version, opset) for opset in opsets)
        elif schema.has_function:
            names = {node.op_type for node in schema.function_body.node}
            own = {name: selected_version(name, version) for name in names}
            usable = (opset for opset in opsets if all(selected_version(name, opset) == own[name] for name in names))
            found.setdefault(key, set()).update((version, opset) for opset in usable)
    return found


@cache
def selected_version(name: str, opset: int) -> int:
    """The version of a standard operator that ``opset`` selects; 0 where it has none."""
    try:
        return int(onnx.defs.get_schema(name, opset, "").since_version)
    except onnx.defs.SchemaError:
        return 0


@cache
def newest_opset(domain: str = "") -> int:
    """The highest version of a domain that the installed onnxruntime loads. ``domain`` is one that it registers."""
    known = max(max(facts.since) for (owner, _), facts in runtime_operators().items() if owner == domain)
    ceiling = max(known, onnx.defs.onnx_opset_version()) + 2 if domain == "" else known + 2
    return next(version for version in range(ceiling, 0, -1) if _loads(domain, version, 8))


@cache
def newest_ir() -> int:
    """The highest IR version that the installed onnxruntime reads."""
    return next(version for version in range(onnx.IR_VERSION + 2, 2, -1) if _loads("", 13, version))


def _loads(domain: str, version: int, ir_version: int) -> bool:
    """Whether onnxruntime accepts a model with these versions. The standard domain is always imported."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", value[:1], value[1:])
    imports = {"": 13} | {domain: version}
    model = helper.make_model(
        graph,
        ir_version=ir_version,
        opset_imports=[helper.make_opsetid(name, number) for name, number in imports.items()],
    )
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        InferenceSession(model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"])
    except (ort.Fail, ort.InvalidGraph, ort.NotImplemented):
        return False
    return True


def assess_versions(subject: str, ir_version: int, opsets: dict[str, int]) -> tuple[Refusal, ...]:
    """Refusals for a format or operator sets newer than the installed onnxruntime loads."""
    name = f"onnxruntime {onnxruntime.__version__}"
    refusals: list[Refusal] = []
    if ir_version > newest_ir():
        refusals.append(IrTooNew(f"{subject} has IR version {ir_version}; {name} reads up to {newest_ir()}."))
    domains = {domain for domain, _ in runtime_operators()}
    for domain, version in sorted(opsets.items()):
        if domain in domains and version > newest_opset(domain):
            refusals.append(
                OpsetTooNew(
                    f"{subject} uses opset {version} of '{domain or 'ai.onnx'}'; "
                    f"{name} implements up to {newest_opset(domain)}."
                )
            )
    return tuple(refusals)


def assess_operators(
    subject: str, nodes: Iterable[PlacedNode], functions: frozenset[tuple[str, str]]
) -> tuple[Refusal, ...]:
    """One refusal per operator and cause, in the order of first use. ``functions`` are ``(domain, name)`` of the
    model's own."""
    seen: set[tuple[str, str, int | None]] = set()
    refusals: list[Refusal] = []
    for placed in nodes:
        key = (domain_of(placed.node.domain), placed.node.op_type)
        opset = placed.opsets.get(key[0])
        if (*key, opset) in seen or key in functions:
            continue
        seen.add((*key, opset))
        refusals.extend(_assess(subject, *key, opset))
    return tuple(refusals)


def _assess(subject: str, domain: str, name: str, opset: int | None) -> Iterator[Refusal]:
    known = runtime_operators()
    facts = known.get((domain, name))
    if facts is None:
        names = [op for owner, op in known if owner == domain]
        if not names:
            yield CustomDomain(
                f"{subject} uses the operator '{name}' of the domain '{domain}', which onnxruntime does not have."
            )
            return
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (nearest: '{near[0]}')" if near else ""
        yield UnknownOperator(
            f"{subject} uses the operator '{name}', which '{domain or 'ai.onnx'}' does not have{hint}."
        )
    elif opset is not None and domain not in _CONTRIB:
        yield from _assess_version(subject, f"operator '{name}'", facts, opset)


def _assess_version(subject: str, what: str, facts: OperatorFacts, opset: int) -> Iterator[Refusal]:
    version = facts.version_at(opset)
    if version is None:
        yield UnknownOperator(
            f"{subject} uses the {what}, which exists from opset {facts.since[0]}, and imports opset {opset}.",
            remedy=f"Export with opset {facts.since[0]} or newer.",
        )
    elif version in facts.deprecated:
        yield UnknownOperator(
            f"{subject} uses the {what}, which opset {version} removed, and imports opset {opset}.",
            remedy=f"Export with an opset below {version}, or with a newer exporter.",
        )
    elif not facts.runs_at(opset):
        yield _not_implemented(f"{subject} uses the {what} of opset {version}", facts, opset)


def _not_implemented(message: str, facts: OperatorFacts, opset: int) -> Refusal:
    """Too old, too new or never: by the nearest opset at which the operator runs."""
    runtime = f"onnxruntime {onnxruntime.__version__}"
    runnable = [other for other in range(1, newest_opset() + 1) if facts.runs_at(other)]
    if later := [other for other in runnable if other > opset]:
        return OpsetTooOld(f"{message}; {runtime} implements it from opset {later[0]}.")
    if runnable:
        return OpsetTooNew(f"{message} at opset {opset}; {runtime} implements it up to opset {runnable[-1]}.")
    return UnknownOperator(f"{message}; {runtime} does not implement it on the CPU.")
