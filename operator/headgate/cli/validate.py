"""``headgate validate FILE…``: every problem of every file at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from headgate.api.load import read_documents
from headgate.api.places import scheme_of
from headgate.api.resources import ModelDeployment
from headgate.api.validation import examine
from headgate.cli.console import OutputFormat, plural, say, say_json
from headgate.cli.sources import Source, SourceUnreadable, read_source
from headgate.errors import HeadgateError, InvalidResource
from headgate.local.jobfolder import find_module, read_goldens, read_labels, read_local_model
from headgate.models.check import check_deployment


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about one resource."""

    file: str
    name: str
    """The resource's, empty where it has none."""
    severity: str
    """``error`` or ``warning``."""
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One resource that was looked at."""

    file: str
    name: str


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Resource files; - is stdin.")],
    output: Annotated[OutputFormat, typer.Option("-o", "--output", help="How to show it.")] = OutputFormat.TEXT,
) -> None:
    """Check resources and their models.

    Every problem of every file is shown at once. A model is looked at where it is on this machine.
    """
    checked: list[Checked] = []
    findings: list[Finding] = []
    for file in files:
        for one in examine_file(file):
            if isinstance(one, Checked):
                checked.append(one)
            else:
                findings.append(one)
    errors = [finding for finding in findings if finding.severity == "error"]
    if output is OutputFormat.JSON:
        say_json(
            {"valid": not errors, "resources": [asdict(c) for c in checked], "findings": [asdict(f) for f in findings]}
        )
    else:
        for finding in findings:
            mark = "warning: " if finding.severity == "warning" else ""
            say(f"{finding.file}: {mark}{finding.message}")
        broken = {(finding.file, finding.name) for finding in errors}
        for resource in checked:
            if (resource.file, resource.name) not in broken:
                say(f"{resource.file}: {resource.name} is valid")
    if errors:
        bad = len({finding.file for finding in errors})
        raise HeadgateError(f"{plural(len(errors), 'problem')} in {bad} of {plural(len(files), 'file')}.")


def examine_file(file: str) -> Iterator[Checked | Finding]:
    """Every resource of ``file`` and every problem of it."""
    try:
        source = read_source(file)
        documents = read_documents(source.text, source="")
    except SourceUnreadable as error:
        # The message names the file itself.
        yield Finding(file, "", "error", error.reason, str(error).removeprefix(f"{file} "))
        return
    except InvalidResource as error:
        for problem in error.problems:
            yield Finding(file, "", "error", error.reason, problem)
        return
    for document in documents:
        yield Checked(source.label, document.name)
        found = examine(document.raw)
        for severity, told in (("error", found.problems), ("warning", found.warnings)):
            for one in told:
                yield Finding(source.label, document.name, severity, "InvalidSpec", document.describe(one))
        if found.deployment is not None:
            yield from _examine_artifacts(source, found.deployment)


def _examine_artifacts(source: Source, deployment: ModelDeployment) -> Iterator[Finding]:
    """Problems of the model and of what lies beside it; a model that is elsewhere is not fetched."""
    if scheme_of(deployment.spec.model.uri) not in ("", "file"):
        return
    name = deployment.metadata.name
    try:
        model = read_local_model(deployment, source.base)
    except HeadgateError as error:
        yield Finding(source.label, name, "error", error.reason, f"spec.model: {error}")
    else:
        for problem in check_deployment(deployment, model.info):
            yield Finding(source.label, name, "error", InvalidResource.reason, problem)
    goldens = deployment.spec.model.goldens
    here = goldens is not None and scheme_of(goldens.uri) in ("", "file")
    for read in (read_labels, find_module, *((read_goldens,) if here else ())):
        try:
            read(deployment, source.base)
        except HeadgateError as error:
            yield Finding(source.label, name, "error", error.reason, str(error))
