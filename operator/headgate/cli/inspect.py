"""``headgate inspect MODEL``: what a model is, without running it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from headgate.api.quantities import parse_bytes
from headgate.cli.console import pairs, plural, say, say_json, size, table, tell
from headgate.errors import HeadgateError
from headgate.models.reader import inspect_model
from headgate.models.refusals import Refusal
from headgate.models.signature import ModelInfo, TensorInfo

_MOST_OPERATORS = 8


class InspectFormat(StrEnum):
    """What ``-o`` takes here."""

    TABLE = "table"
    JSON = "json"


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file.")],
    output: Annotated[InspectFormat, typer.Option("-o", "--output", help="How to show it.")] = InspectFormat.TABLE,
    size_limit: Annotated[str, typer.Option(help="The largest artifact to read.")] = "2Gi",
) -> None:
    """Show what a model is, without running it.

    Its signature, digest, operator sets, size and metadata. Exits with 1 when the model can be read and not served; the reasons are shown.
    """
    try:
        limit = parse_bytes(size_limit)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--size-limit") from error
    info, problems = inspect_model(model, size_limit=limit)
    if output is InspectFormat.JSON:
        say_json(as_json(model, info, problems))
    else:
        say(as_text(model, info))
    if problems:
        for problem in problems:
            tell(f"{problem.reason}: {problem}")
        raise HeadgateError(f"The model cannot be served, for {plural(len(problems), 'reason')}.")


def as_text(path: Path, info: ModelInfo) -> str:
    """The model as sections of aligned text."""
    facts: list[tuple[str, str]] = [
        ("digest", info.digest),
        ("size", f"{size(info.size)} in {plural(len(info.files), 'file')}"),
        ("weights", f"{plural(info.parameters, 'element')} in {plural(info.initializers, 'tensor')}"),
        ("ir", str(info.ir_version)),
        ("opsets", ", ".join(f"{domain or 'ai.onnx'} {number}" for domain, number in info.opsets)),
    ]
    if info.producer:
        facts.append(("producer", info.producer))
    most = sorted(info.operators, key=lambda use: (-use.count, use.domain, use.name))
    shown = ", ".join(f"{use.name} {use.count}" for use in most[:_MOST_OPERATORS])
    facts.append(("operators", shown + (", …" if len(most) > _MOST_OPERATORS else "")))
    sections = [str(path), pairs(facts)]
    for title, tensors in (("inputs", info.signature.inputs), ("outputs", info.signature.outputs)):
        sections += ["", title, table(("name", "type", "shape"), [_row(tensor) for tensor in tensors])]
    if len(info.files) > 1:
        sections += [
            "",
            "files",
            table(("name", "size", "sha256"), [(f.name, size(f.size), f.sha256[:12]) for f in info.files]),
        ]
    if info.metadata:
        sections += ["", "metadata", table(("key", "value"), info.metadata)]
    return "\n".join(sections)


def _row(tensor: TensorInfo) -> tuple[str, str, str]:
    if not tensor.is_tensor:
        return tensor.name, tensor.dtype, ""
    if not tensor.ranked:
        return tensor.name, tensor.dtype, "unknown"
    return tensor.name, tensor.dtype, "[" + ", ".join("?" if one is None else str(one) for one in tensor.shape) + "]"


def as_json(path: Path, info: ModelInfo, problems: tuple[Refusal, ...]) -> dict[str, Any]:
    """The same as one JSON object; names as in the resource (camelCase)."""

    def tensor(one: TensorInfo) -> dict[str, Any]:
        return {"name": one.name, "dtype": one.dtype, "shape": list(one.shape) if one.ranked else None}

    return {
        "path": str(path),
        "digest": info.digest,
        "size": info.size,
        "files": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in info.files],
        "irVersion": info.ir_version,
        "opsets": {domain or "ai.onnx": number for domain, number in info.opsets},
        "producer": info.producer,
        "metadata": dict(info.metadata),
        "inputs": [tensor(one) for one in info.signature.inputs],
        "outputs": [tensor(one) for one in info.signature.outputs],
        "operators": [{"domain": one.domain, "name": one.name, "count": one.count} for one in info.operators],
        "initializers": info.initializers,
        "parameters": info.parameters,
        "problems": [{"reason": one.reason, "message": one.message, "remedy": one.remedy} for one in problems],
    }
