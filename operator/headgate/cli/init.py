"""``headgate init MODEL``: a first resource, made from the model's signature."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import jinja2
import typer

from headgate.api.load import load_modeldeployments
from headgate.api.quantities import parse_bytes
from headgate.api.reserved import identifier
from headgate.cli.console import plural, say, tell
from headgate.cli.scaffold import KEY, Feeding, OutputColumn, plan_feeding, plan_outputs, resource_name
from headgate.cli.trial import try_model
from headgate.errors import HeadgateError
from headgate.models.reader import read_model

SAMPLE_ROWS = 1000
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null"))


class TargetExists(HeadgateError):
    """``init`` never overwrites a file that it was not told to."""

    reason = "TargetExists"


def init(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An .onnx file.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write; - for stdout. [default: NAME.yaml]"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The resource's name. [default: the file's]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
) -> None:
    """Write a resource that fits a model.

    Commented, with columns for each of the model's inputs. It runs as it is, on made-up records.
    """
    info = read_model(model, size_limit=parse_bytes("2Gi"))
    chosen = resource_name(name or _stem(model))
    if name is not None and chosen != name:
        raise typer.BadParameter(
            "use lower case letters, digits and '-', a letter first, at most 40.", param_hint="--name"
        )
    to_stdout = output is not None and str(output) == "-"
    target = Path(f"{chosen}.yaml") if output is None or to_stdout else output
    if not to_stdout and target.exists() and not force:
        raise TargetExists(f"{target} exists.", remedy="Give another name with -o, or overwrite it with --force.")
    feeding = plan_feeding(info)
    trial = try_model(model, feeding)
    text = render(chosen, target, model, feeding, plan_outputs(info, feeding, trial.shapes))
    # A scaffold that does not pass is a fault of this program, and better found here than by a reader of the file.
    load_modeldeployments(text, source=str(target))
    if to_stdout:
        say(text.rstrip("\n"))
    else:
        _write(target, text)
        say(f"Wrote {target}: {plural(len(feeding.columns), 'column')} for {plural(len(feeding.feeds), 'input')}.")
        tell(f"Next: headgate run {target}")
    if trial.problem:
        tell(f"The model did not score a made-up record; look at inputs and constants. It says: {trial.problem}")


def render(name: str, target: Path, model: Path, feeding: Feeding, outputs: tuple[OutputColumn, ...]) -> str:
    """The resource's text. The model's address counts from the folder of ``target``."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headgate.cli"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["yaml"] = _yaml
    environment.filters["identifier"] = identifier
    return environment.get_template("modeldeployment.yaml.j2").render(
        name=name,
        target=target,
        file=model.name,
        uri=Path(os.path.relpath(model, target.parent)).as_posix(),
        key=KEY,
        rows=SAMPLE_ROWS,
        feeding=feeding,
        outputs=outputs,
        samples=_samples(feeding),
    )


def _samples(feeding: Feeding) -> list[str]:
    """Options of the source that makes records up, a line a column."""
    counter = (("kind", "sequence"), ("start", "1"), ("end", str(SAMPLE_ROWS)))
    options = [tuple((f"fields.{KEY}.{name}", value) for name, value in counter)]
    options += [column.sample for column in feeding.columns if column.sample]
    return [", ".join(f"'{name}' = '{value}'" for name, value in line) for line in options]


def _yaml(value: Any) -> str:
    """A scalar as YAML in a flow or block context: plain where that is safe, in JSON's quotes otherwise."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _stem(model: Path) -> str:
    # model.onnx says nothing; the folder that it lies in often does.
    return model.resolve().parent.name if model.stem in ("model", "model_quantized") else model.stem


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HeadgateError(f"{target} cannot be written: {error.strerror}.") from error
