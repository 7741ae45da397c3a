"""Checks of ``spec.model``; each reads a valid spec and yields problems. Called through :mod:`headgate.api.checks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from headgate.api.expressions import ExpressionError, Function, functions, gives_number, parse_expression
from headgate.api.names import did_you_mean, listing
from headgate.api.places import place_problem, scheme_of
from headgate.api.problems import Path, Problem
from headgate.api.resources import ModelDeploymentSpec
from headgate.api.rollout import Strategy
from headgate.api.sqlschema import STAMP

PROVIDERS = (
    "CPUExecutionProvider",
    "CUDAExecutionProvider",
    "TensorrtExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "OpenVINOExecutionProvider",
    "DnnlExecutionProvider",
    "XnnpackExecutionProvider",
    "CoreMLExecutionProvider",
    "DmlExecutionProvider",
    "ACLExecutionProvider",
    "ArmNNExecutionProvider",
    "QNNExecutionProvider",
    "WebGpuExecutionProvider",
    "AzureExecutionProvider",
)


def check_places(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Every place that something is read from has a scheme that can be read."""
    places: list[tuple[Path, str]] = [(("model", "uri"), spec.model.uri), (("model", "labels"), spec.model.labels)]
    if spec.model.goldens is not None:
        places.append((("model", "goldens", "uri"), spec.model.goldens.uri))
    for path, uri in places:
        problem = place_problem(uri)
        if problem is not None:
            yield Problem(path, problem)


def check_follow(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """A followed place in an object store says which part of it is the version."""
    if spec.model.follow is None:
        return
    uri = spec.model.follow.uri
    if problem := place_problem(uri):
        yield Problem(("model", "follow", "uri"), problem)
    elif scheme_of(uri) in ("s3", "gs", "az") and "{version}" not in uri:
        yield Problem(("model", "follow", "uri"), "must say which part is the version, such as …/{version}/model.onnx")


def check_feeding(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """No model input is fed from two sides."""
    model = spec.model
    for name in model.inputs.keys() & model.constants.keys():
        yield Problem(("model", "constants", name), f'the model input "{name}" is fed by inputs as well; leave one out')
    for position, state in enumerate(model.state):
        for field, fed in (("inputs", model.inputs), ("constants", model.constants)):
            if state.input in fed:
                message = f'the model input "{state.input}" is fed by {field} as well; leave one out'
                yield Problem(("model", "state", position, "input"), message)
    for name, columns in model.inputs.items():
        for position, column in enumerate(columns):
            if column in STAMP:
                yield Problem(("model", "inputs", name, position), f'"{column}" is a column that the model step adds')


def check_constants(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """A constant is a tensor: one number, boolean or text, or nested lists of equal lengths of one of these."""
    for name, value in spec.model.constants.items():
        leaves: list[object] = []
        shape = _shape(value, leaves)
        kinds = {_kind(leaf) for leaf in leaves}
        path: Path = ("model", "constants", name)
        if kinds - {"number", "boolean", "text"}:
            yield Problem(path, "must be a number, true or false, a text, or nested lists of one of these")
        elif shape is None:
            yield Problem(path, "the nested lists differ in length, so they make no tensor")
        elif len(kinds) > 1:
            yield Problem(path, f"mixes {' and '.join(sorted(kinds))}; a tensor holds one kind")


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return "other"


def _shape(value: object, leaves: list[object]) -> tuple[int, ...] | None:
    if not isinstance(value, list | tuple):
        leaves.append(value)
        return ()
    shapes = {_shape(one, leaves) for one in value}
    if not shapes:
        return (0,)
    inner = shapes.pop()
    return None if shapes or inner is None else (len(value), *inner)


def check_expressions(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Every output expression can be read, and no output hides a column of the stamp."""
    for column, text in spec.model.outputs.items():
        path: Path = ("model", "outputs", column)
        if column in STAMP:
            yield Problem(path, f'"{column}" is a column that the model step adds; call this one something else')
        try:
            parse_expression(text)
        except ExpressionError as error:
            yield Problem(path, str(error))


def check_labels(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """``label`` and ``topk`` have a label file to read from."""
    if spec.model.labels:
        return
    for column in spec.model.outputs:
        used = [one for one in _functions(spec, column) if one in (Function.LABEL, Function.TOPK)]
        if used:
            message = f"{used[0]} needs spec.model.labels: a text file with one class label a line"
            yield Problem(("model", "outputs", column), message)


def _functions(spec: ModelDeploymentSpec, column: str) -> Sequence[Function]:
    try:
        return functions(parse_expression(spec.model.outputs[column]))
    except ExpressionError:
        return ()


def check_histogram(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The histogram is of an output column that is a number. Without ``outputs``, only the model knows."""
    column, outputs = spec.model.histogram, spec.model.outputs
    if column is None or not outputs:
        return
    path: Path = ("model", "histogram")
    if column not in outputs:
        hint = did_you_mean(column, outputs) or f"; there are {listing(outputs)}"
        yield Problem(path, f'"{column}" is none of spec.model.outputs{hint}')
        return
    try:
        expression = parse_expression(outputs[column])
    except ExpressionError:
        return
    if not gives_number(expression):
        yield Problem(path, f'"{column}" is {outputs[column]}, which is not one number a row')


def check_state(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Every recurrent tensor has an input and an output of its own."""
    for field in ("input", "output"):
        counts = Counter(getattr(state, field) for state in spec.model.state)
        for position, state in enumerate(spec.model.state):
            name = getattr(state, field)
            if counts[name] > 1 and name in [getattr(earlier, field) for earlier in spec.model.state[:position]]:
                yield Problem(("model", "state", position, field), f'the model {field} "{name}" stands in state twice')


def check_providers(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Every execution provider is one that onnxruntime has, once."""
    providers = spec.model.execution.providers
    for position, provider in enumerate(providers):
        path: Path = ("model", "execution", "providers", position)
        if provider not in PROVIDERS:
            hint = did_you_mean(provider, PROVIDERS)
            yield Problem(path, f'onnxruntime has no "{provider}"{hint}')
        elif provider in providers[:position]:
            yield Problem(path, f"{provider} stands here twice")


def check_state_in_canary(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Recurrent state is a version's own: a key that moves begins anew."""
    if spec.model.state and spec.rollout.strategy is Strategy.CANARY:
        message = "a key that moves to the candidate begins with fresh recurrent state; Upgrade carries it over"
        yield Problem(("rollout", "strategy"), message)
