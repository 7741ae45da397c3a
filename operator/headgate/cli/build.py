"""``headgate build FILE``: a ModelDeployment becomes an image in a registry, or in an OCI layout on disk.

Thin: options in, ``imagejob`` and ``imagebuild.executor`` do the work, lines and the digest out. The in-cluster builder runs
this same command.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from headgate.cli.buildprogress import BuildLines, describe_result
from headgate.cli.console import OutputFormat, say, say_json, tell
from headgate.cli.imagejob import assemble_job
from headgate.cli.registries import LAYOUT_PREFIX, Image, Registries, RegistryFlags, read_key
from headgate.cli.sources import read_deployment, read_source
from headgate.errors import Disposition, HeadgateError
from headgate.imagebuild.dependencies import Resolver, uv_program
from headgate.imagebuild.errors import ReferenceRefused
from headgate.imagebuild.executor import build_image
from headgate.imagebuild.manifest import Platform
from headgate.imagebuild.plan import Compression
from headgate.imagebuild.request import BuildRequest
from headgate.imagebuild.sign import KeySigner, load_private_key
from headgate.models.remote import FetchOptions, HttpOptions
from headgate.models.remote_store import StoreOptions


def build(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A resource file; - is stdin.")],
    push: Annotated[
        str, typer.Option(metavar="REPO[:TAG]", help="Push to this repository. Default: spec.image.repository.")
    ] = "",
    oci_layout: Annotated[
        Path | None, typer.Option("--oci-layout", metavar="DIR", help="Write an OCI layout instead of pushing.")
    ] = None,
    base: Annotated[
        str, typer.Option(metavar="REF", help="The base image. Default: spec.image.base, then $HEADGATE_BASE.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be uploaded, and write nothing.")] = False,
    platform: Annotated[str, typer.Option(metavar="OS/ARCH", help="What the image is to run on.")] = "linux/amd64",
    lock: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use this lock of the Python packages; written when it is not there."),
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress layers with gzip instead of zstd.")] = False,
    copy_base: Annotated[
        bool, typer.Option("--copy-base", help="Copy the base's layers from another registry, once.")
    ] = False,
    sign_key: Annotated[
        Path | None, typer.Option("--sign-key", metavar="KEY", help="Sign with this ECDSA P-256 key (PEM).")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a field first; may be repeated.")
    ] = None,
    plain_http: Annotated[bool, typer.Option("--plain-http", help="Speak to the registry without TLS.")] = False,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", metavar="PEM", help="Trust these certificate authorities as well.")
    ] = None,
    auth_file: Annotated[
        list[Path] | None,
        typer.Option("--auth-file", metavar="JSON", help="Registry credentials (config.json); may be repeated."),
    ] = None,
    index_file: Annotated[
        Path | None,
        typer.Option("--index-file", metavar="FILE", help="A file with the package index's URL, credentials included."),
    ] = None,
    allow_private: Annotated[
        list[str] | None,
        typer.Option("--allow-private", metavar="HOST", help="A private host that may be reached; may be repeated."),
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="NAME=DIR", help="Where a volume claim is mounted; may be repeated."),
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder with one file per setting of the model's store, such as aws_access_key_id."
        ),
    ] = None,
    revision: Annotated[str, typer.Option(metavar="NAME", help="The revision's name to stamp on records.")] = "",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write image, version and digests here, as one line of JSON.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("-o", "--output", help="How to show the result.")] = OutputFormat.TEXT,
) -> None:
    """Build a job image without a daemon, and print its digest."""
    source = read_source(file)
    deployment = read_deployment(source, assignments or ())
    target_text = f"{LAYOUT_PREFIX}{oci_layout}" if oci_layout else push or deployment.spec.image.repository
    base_text = base or deployment.spec.image.base or os.environ.get("HEADGATE_BASE", "")
    if not target_text:
        raise ReferenceRefused("Where the image goes is not said.", remedy="Use --push REPO or --oci-layout DIR.")
    if not base_text:
        raise ReferenceRefused("No base image is named.", remedy="Use --base REF, spec.image.base, or $HEADGATE_BASE.")
    compression = Compression.GZIP if gzip else Compression.ZSTD
    flags = RegistryFlags(plain_http, ca_file, tuple(auth_file or ()), tuple(allow_private or ()))
    signer = KeySigner(load_private_key(read_key(sign_key), _password(os.environ))) if sign_key else None
    with (
        reporting(report),
        Registries(flags, os.environ) as registries,
        tempfile.TemporaryDirectory(prefix="headgate-build-") as folder,
    ):
        work = Path(folder)
        target = registries.open(target_text, writable=True)
        found = registries.open(base_text, writable=False)
        fetch = FetchOptions(
            base_folder=source.base,
            stores=StoreOptions(_settings(credentials)),
            http=HttpOptions(policy=registries.policy, ca_file=ca_file),
            claims=tuple(_claim(item) for item in claim or ()),
            open_registry=registries.repository,
        )
        lines = BuildLines()
        lines.stage("reading the model")
        job = assemble_job(deployment, source.base, work / "job", fetch, compression, revision=revision)
        request = BuildRequest(
            base=found.store,
            base_name=f"{found.name}@{found.selector}" if ":" in found.selector else f"{found.name}:{found.selector}",
            base_selector=found.selector,
            target=target.store,
            target_name=target.name,
            platform=_platform(platform),
            requirements=job.requirements,
            lock=_read(lock) if lock and lock.exists() else None,
            layers=job.layers,
            models=job.models,
            labels=job.labels,
            tags=_tags(target_text, target),
            mount_from=_mountable(job.model_repository, target),
            copy_base=copy_base or target.registry == "",
            compression=compression,
            signer=signer,
            dry_run=dry_run,
        )
        (work / "build").mkdir()
        result = build_image(request, _resolver(os.environ, index_file), work / "build", lines)
        if lock and not lock.exists() and result.lock and not dry_run:
            lock.write_text(result.lock, encoding="utf-8")
            tell(f"lock: {lock}")
        description = describe_result(request, result, job.revision, registries.traffic)
        if report:
            report.write_text(_report(description), encoding="utf-8")
        if output is OutputFormat.JSON:
            say_json(description)
        else:
            for line in lines.closing(description, dry_run=dry_run):
                tell(line)
            say(str(description["image"]))


@contextmanager
def reporting(report: Path | None) -> Iterator[None]:
    """Leaves a failure in the report, for whoever cannot read the sentence on stderr; ``kube.builds`` does."""
    try:
        yield
    except HeadgateError as error:
        if report:
            told = {
                "reason": error.reason,
                "message": str(error),
                "transient": error.disposition is Disposition.TRANSIENT,
            }
            report.write_text(json.dumps(told), encoding="utf-8")
        raise


def _settings(folder: Path | None) -> tuple[tuple[str, str], ...]:
    """The files of a mounted Secret as settings; Kubernetes' own links among them begin with dots."""
    if folder is None:
        return ()
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
    return tuple((path.name.lower(), _read(path).rstrip("\n")) for path in files)


def _report(description: dict[str, Any]) -> str:
    """What the operator wants to know of a build: ``planning.buildjob`` names the file, ``kube.observe`` reads it."""
    model = description["models"][0]
    found = {
        "image": description["image"],
        "version": model["version"],
        "modelDigest": model["digest"],
        "lockDigest": description["lockDigest"],
    }
    return json.dumps(found)


def _tags(text: str, target: Image) -> tuple[str, ...]:
    """The tag that was asked for; a layout needs one to be loaded by."""
    if not target.registry or ":" in text.rpartition("/")[2]:
        return (target.selector,)
    return ()


def _mountable(repository: str, target: Image) -> tuple[str, ...]:
    registry, _, name = repository.partition("/")
    return (name,) if name and registry == target.registry else ()


def _resolver(environ: Mapping[str, str], index_file: Path | None) -> Resolver:
    values = dict(environ)
    if index_file:
        values["UV_DEFAULT_INDEX"] = _read(index_file).strip()
    return Resolver(uv_program(), tuple(sorted(values.items())))


def _platform(text: str) -> Platform:
    system, slash, architecture = text.partition("/")
    if not slash or system != "linux" or not architecture:
        raise typer.BadParameter("it looks like linux/amd64 or linux/arm64.", param_hint="--platform")
    return replace(Platform(), architecture=architecture)


def _claim(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not name or not separator or not folder:
        raise typer.BadParameter("it looks like NAME=DIR.", param_hint="--claim")
    return name, Path(folder)


def _password(environ: Mapping[str, str]) -> bytes | None:
    value = environ.get("COSIGN_PASSWORD", "")
    return value.encode() or None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HeadgateError(f"{path} cannot be read: {error}.") from error
