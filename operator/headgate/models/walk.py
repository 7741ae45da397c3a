"""Every graph, node and stored tensor of a model: main graph, bodies of If, Loop and Scan, and model-local functions.

Called by the reader and by the operator check. Pure: it reads the parsed model and changes nothing. Training graphs
are left out, since nothing here runs them. Depth is bounded by protobuf's own limit of 100 nested messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import onnx


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node with the operator sets in force where it stands. ``opsets`` maps domain (``""`` standard) to version."""

    node: onnx.NodeProto
    opsets: Mapping[str, int]


def domain_of(domain: str) -> str:
    """``""`` and ``ai.onnx`` are the same domain."""
    return "" if domain == "ai.onnx" else domain


def opsets_of(imports: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """Domain to version of a model's or a function's ``opset_import``."""
    return {domain_of(entry.domain): int(entry.version) for entry in imports}


def walk_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The main graph and every graph inside it or inside a function."""
    yield from _graphs_in(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _graphs_of(node)


def walk_nodes(model: onnx.ModelProto) -> Iterator[PlacedNode]:
    """All nodes, each with the opsets that its graph or function imports."""
    opsets = opsets_of(model.opset_import)
    for graph in _graphs_in(model.graph):
        for node in graph.node:
            yield PlacedNode(node, opsets)
    for function in model.functions:
        own = opsets_of(function.opset_import) or opsets
        for node in function.node:
            yield PlacedNode(node, own)
            for graph in _graphs_of(node):
                for inner in graph.node:
                    yield PlacedNode(inner, own)


def walk_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All stored tensors: initializers, the two parts of sparse ones, and tensors in attributes."""
    for graph in walk_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for placed in walk_nodes(model):
        for attribute in placed.node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                if sparse.ByteSize():
                    yield from (sparse.values, sparse.indices)


def broken_name(model: onnx.ModelProto) -> bytes | None:
    """The first name that is not UTF-8 text; protobuf gives such a string as bytes, whatever its type says."""
    return next((text for text in _texts(model) if isinstance(text, bytes)), None)


def _texts(model: onnx.ModelProto) -> Iterator[object]:
    yield from (model.producer_name, model.producer_version)
    yield from (text for entry in model.metadata_props for text in (entry.key, entry.value))
    yield from (entry.domain for entry in model.opset_import)
    yield from (text for function in model.functions for text in (function.domain, function.name))
    for graph in walk_graphs(model):
        for value in (*graph.input, *graph.output):
            yield value.name
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    for placed in walk_nodes(model):
        node = placed.node
        yield from (node.domain, node.op_type, node.name, *node.input, *node.output)
    for tensor in walk_tensors(model):
        yield tensor.name
        yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))


def _graphs_in(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        yield from _graphs_of(node)


def _graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from _graphs_in(attribute.g)
        for graph in attribute.graphs:
            yield from _graphs_in(graph)
