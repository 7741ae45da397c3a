"""Whether a graph fits together: names are unique, and whatever is used is made somewhere.

Called by the reader behind the parser, for what byte damage and hand edits leave behind. It is no full checker: types
and attributes are onnxruntime's to judge when the model is loaded. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import onnx

_MOST_DIMENSIONS = 64
_MOST_ELEMENTS = 1 << 48


def graph_problems(graph: onnx.GraphProto, outer: frozenset[str] = frozenset()) -> Iterator[str]:
    """Clauses such as ``"node 'relu' reads 'x', which nothing produces"``; ``outer`` are the names of the graphs
    around it."""
    inputs = [value.name for value in graph.input]
    stored = [tensor.name for tensor in graph.initializer] + [sparse.values.name for sparse in graph.sparse_initializer]
    made = [name for node in graph.node for name in node.output if name]
    for names, what in ((inputs, "input"), (stored, "initializer"), (made, "value")):
        yield from (f"two {what}s have the name '{name}'" for name in _repeated(names))
    if any(not name for name in inputs) or any(not value.name for value in graph.output):
        yield "an input or output has no name"
    yield from (f"two outputs have the name '{name}'" for name in _repeated([value.name for value in graph.output]))
    known = outer | {*inputs, *stored, *made}
    for node in graph.node:
        label = f"node '{node.name}'" if node.name else f"a node of '{node.op_type}'"
        if not node.op_type:
            yield f"{label} names no operator"
        yield from (
            f"{label} reads '{name}', which nothing produces" for name in node.input if name and name not in known
        )
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graph_problems(attribute.g, known)
            for inner in attribute.graphs:
                yield from graph_problems(inner, known)
    yield from (
        f"output '{value.name}' is produced by nothing"
        for value in graph.output
        if value.name and value.name not in known
    )


def tensor_problems(tensor: onnx.TensorProto) -> Iterator[str]:
    """An impossible shape; everything else about a tensor is checked where its bytes are."""
    if any(size < 0 for size in tensor.dims):
        yield f"tensor '{tensor.name}' has the shape {list(tensor.dims)}"
    elif len(tensor.dims) > _MOST_DIMENSIONS or math.prod(tensor.dims) > _MOST_ELEMENTS:
        yield f"tensor '{tensor.name}' claims {len(tensor.dims)} dimensions and more elements than any memory holds"


def _repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if name and times > 1]
