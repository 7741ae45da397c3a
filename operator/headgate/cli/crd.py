"""``headgate crd``: writes the files that are generated from the resource models, or says how they differ.

Mounted by the command line as a sub-command; ``make verify`` runs ``check``. It decides nothing about their content.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from headgate.api.crd import render_files
from headgate.api.reference import FILE, render_reference

app = typer.Typer(name="crd", help="The CustomResourceDefinitions and the reference page.", no_args_is_help=True)

Crds = Annotated[Path, typer.Option("--dir", help="The folder of the CustomResourceDefinitions.")]
Docs = Annotated[Path, typer.Option("--docs", help="The folder of the reference page.")]
Chart = Annotated[Path, typer.Option("--chart", help="The folder of the chart's own copy.")]

_CRDS = Path("crds")
_DOCS = Path("docs/reference")
_CHART = Path("charts/headgate/files/crds")


@app.command()
def generate(directory: Crds = _CRDS, docs: Docs = _DOCS, chart: Chart = _CHART) -> None:
    """Write the CustomResourceDefinitions and the reference page."""
    for path, text in _files(directory, docs, chart):
        path.parent.mkdir(parents=True, exist_ok=True)
        changed = not path.is_file() or path.read_text(encoding="utf-8") != text
        if changed:
            path.write_text(text, encoding="utf-8")
        typer.echo(f"{path} {'written' if changed else 'unchanged'}")


@app.command()
def check(directory: Crds = _CRDS, docs: Docs = _DOCS, chart: Chart = _CHART) -> None:
    """Exit with 1, and print the difference, where a file is not what `generate` would write."""
    differs = False
    for path, text in _files(directory, docs, chart):
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        if there != text:
            differs = True
            lines = unified_diff(there.splitlines(), text.splitlines(), str(path), f"{path} (generated)", lineterm="")
            typer.echo("\n".join(lines))
    if differs:
        typer.echo("The generated files differ: run `headgate crd generate` and commit the result.", err=True)
        raise typer.Exit(1)


def _files(directory: Path, docs: Path, chart: Path) -> Iterator[tuple[Path, str]]:
    for name, text in render_files().items():
        yield directory / name, text
        # The chart's own copy: helm reads no file outside of the chart.
        yield chart / name, text
    yield docs / FILE, render_reference()
