"""Carries out a build: finds what exists, makes what does not, sends what the target lacks, and names the result last.

The order is what makes a crash harmless: layers, config, manifest by digest, the documents beside it, the signature,
and only then the plan's tag. So a plan's tag always stands for a whole image, and finding it is all that a repeated
build does. Called by ``headgate.cli.build`` and by the builder's Job. It reads no environment and no clock.
"""

from __future__ import annotations

from pathlib import Path

from headgate import __version__
from headgate.imagebuild.attachments import Attachment, attach, ensure_blob
from headgate.imagebuild.base import parse_lock
from headgate.imagebuild.canonical import sha256_digest
from headgate.imagebuild.dependencies import Resolver
from headgate.imagebuild.imageconfig import AddedLayer, render_config
from headgate.imagebuild.known import KnownDependencies
from headgate.imagebuild.layers import COMPRESSORS, Layer, plain_layer, stored_layer
from headgate.imagebuild.manifest import Descriptor, Manifest, MediaType
from headgate.imagebuild.packages import Dependencies, find_packages, plan_packages, resolve_packages, settle_packages
from headgate.imagebuild.plan import BuildPlan, Compression, plan_image
from headgate.imagebuild.records import (
    LOCK_TYPE,
    PROVENANCE_TYPE,
    SBOM_TYPE,
    ImageRecord,
    render_provenance,
    render_sbom,
)
from headgate.imagebuild.request import BuildRequest, BuildResult, Progress
from headgate.imagebuild.resolve import Base, find_base, load_base
from headgate.imagebuild.transfer import Settled, settle_base, settle_layer

BUILDER = f"headgate {__version__}"
LABEL_PLAN = "dev.headgate.plan"
ANNOTATION_BASE = "org.opencontainers.image.base.digest"


def build_image(request: BuildRequest, resolver: Resolver, work: Path, progress: Progress) -> BuildResult:
    """Build the image, or find it built. ``work`` is an empty folder for what has to lie on disk in between.

    Raises the errors of ``headgate.imagebuild.errors``. After a dry run nothing was written to the target.
    """
    progress.stage("looking for the base")
    base_digest = find_base(request.base, request.base_selector, request.base_name)
    base: Base | None = None
    dependencies: Dependencies | None = None
    if request.requirements or request.lock is not None:
        base = load_base(request.base, base_digest, request.platform, request.base_name)
        dependencies = find_packages(request, base)
        if not dependencies.known:
            progress.stage("resolving Python packages")
            dependencies = resolve_packages(request, dependencies, base, resolver, work)
    plan = plan_image(
        base_digest=base_digest,
        platform=request.platform,
        dependencies=plan_packages(request, dependencies),
        layers=tuple(layer.planned for layer in request.layers),
        labels=request.labels,
        compressors=COMPRESSORS,
    )
    if digest := request.target.find(plan.tag):
        if not request.dry_run:
            _finish(request, digest, b"", plan)
        return BuildResult(digest, plan, built=False, lock="", layers=())

    base = base or load_base(request.base, base_digest, request.platform, request.base_name)
    layers = _make_layers(request, work)
    settled: list[Settled] = [settle_base(request, base.manifest.layers, progress)]
    known: KnownDependencies | None = None
    lock = ""
    if dependencies:
        known, lock, packages = settle_packages(request, dependencies, base, resolver, work, progress)
        settled.append(packages)
    settled += [settle_layer(request, layer, progress) for layer in layers]
    config, manifest = _render(base, plan, known, layers)
    digest = sha256_digest(manifest)
    if not request.dry_run:
        progress.stage("writing the image")
        ensure_blob(request.target, config)
        request.target.put_manifest(digest, manifest, MediaType.OCI_MANIFEST)
        subject = Descriptor(MediaType.OCI_MANIFEST, digest, len(manifest))
        attach(request.target, subject, _documents(request, base, plan, digest, lock))
        _finish(request, digest, manifest, plan)
    return BuildResult(digest, plan, built=True, lock=lock, layers=tuple(settled))


def _make_layers(request: BuildRequest, work: Path) -> tuple[Layer, ...]:
    layers = []
    for number, item in enumerate(request.layers):
        if item.planned.compression is Compression.NONE:
            layers.append(plain_layer(item.planned, item.contents))
        else:
            layers.append(stored_layer(item.planned, item.contents, work / f"{number}.layer"))
    return tuple(layers)


def _render(
    base: Base, plan: BuildPlan, known: KnownDependencies | None, layers: tuple[Layer, ...]
) -> tuple[bytes, bytes]:
    """Config and manifest of the image."""
    added = [AddedLayer(layer.diff_id, f"headgate build: {layer.name}") for layer in layers]
    descriptors = [Descriptor(layer.media_type, layer.digest, layer.size) for layer in layers]
    if known and known.layer:
        added.insert(0, AddedLayer(known.diff_id, "headgate build: dependencies"))
        descriptors.insert(0, Descriptor(known.layer.media_type, known.layer.digest, known.layer.size))
    labels = (*plan.labels, (LABEL_PLAN, plan.key))
    config = render_config(base.config, tuple(added), plan.environment, labels)
    manifest = Manifest(
        config=Descriptor(MediaType.OCI_CONFIG, sha256_digest(config), len(config)),
        layers=(*(layer.as_oci() for layer in base.manifest.layers), *descriptors),
        annotations=((ANNOTATION_BASE, base.digest), (LABEL_PLAN, plan.key)),
    )
    return config, manifest.to_bytes()


def _documents(request: BuildRequest, base: Base, plan: BuildPlan, digest: str, lock: str) -> tuple[Attachment, ...]:
    facts = base.facts
    record = ImageRecord(
        name=request.target_name,
        digest=digest,
        plan_key=plan.key,
        base_name=request.base_name,
        base_digest=base.digest,
        base_packages=facts.packages,
        added_packages=tuple(
            pin for pin in parse_lock(lock, facts.python, facts.platform) if pin not in facts.packages
        ),
        models=request.models,
        builder=BUILDER,
    )
    documents = [
        Attachment(SBOM_TYPE, "sbom.cdx.json", render_sbom(record)),
        Attachment(PROVENANCE_TYPE, "provenance.json", render_provenance(record)),
    ]
    if lock:
        documents.append(Attachment(LOCK_TYPE, "requirements.lock", lock.encode()))
    return tuple(documents)


def _finish(request: BuildRequest, digest: str, manifest: bytes, plan: BuildPlan) -> None:
    """Sign, then name: the plan's tag comes last because it promises everything else."""
    if request.signer:
        request.signer.sign(request.target, request.target_name, digest)
    wanted = (*request.tags, plan.tag) if manifest else request.tags
    for tag in wanted:
        if manifest or request.target.find(tag) != digest:
            manifest = manifest or request.target.manifest(digest).data
            request.target.put_manifest(tag, manifest, MediaType.OCI_MANIFEST)
