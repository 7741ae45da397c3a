"""``headgate convert MODEL``: another operator set, the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.console import say, tell
from headgate.errors import HeadgateError
from headgate.models.convert import convert_opset


class TargetExists(HeadgateError):
    """``convert`` never overwrites a file that it was not told to."""

    reason = "TargetExists"


def convert(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Where to write. [default: MODEL.converted.onnx]"),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="The operator set. [default: one that onnxruntime implements]"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Move a model to another operator set.

    Nothing is written unless both models give the same answers on random rows.
    """
    target = output or model.with_name(f"{model.stem}.converted.onnx")
    if target.exists() and not force:
        raise TargetExists(f"{target} exists.", remedy="Give another name with -o, or overwrite it with --force.")
    tell(f"Converting {model} and comparing answers …")
    report = convert_opset(model, target, opset=opset)
    say(f"Wrote {target}: {report}.")
