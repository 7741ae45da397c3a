"""Revisions: what belongs to a template, what a revision is called, which are kept. Pure."""

from __future__ import annotations

import hashlib

from headgate.api.resources import ModelDeploymentSpec
from headgate.api.revision import ModelRevision, ModelRevisionSpec, RevisionPhase, RevisionTemplate
from headgate.planning.job import canonical_json

_SCALING = {"parallelism"}


def template_of(spec: ModelDeploymentSpec) -> RevisionTemplate:
    """The part of a spec that a revision is made of."""
    return RevisionTemplate(model=spec.model, pipeline=spec.pipeline, flink=spec.flink, image=spec.image)


def revision_name_of(deployment: str, template: RevisionTemplate) -> str:
    """``<deployment>-<10 hex digits>`` of the template; parallelism leaves it, for a run changes that while it runs."""
    content = template.model_dump(mode="json", by_alias=True, exclude_none=True)
    content["flink"] = {k: v for k, v in content["flink"].items() if k not in _SCALING}
    content["model"].pop("follow", None)
    digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()
    return f"{deployment}-{digest[:10]}"


def new_revision(
    deployment: str, namespace: str, name: str, template: RevisionTemplate, known: tuple[ModelRevision, ...]
) -> ModelRevision:
    """A revision for a template that has none; numbers go on from the highest."""
    number = max((r.spec.number for r in known), default=0) + 1
    return ModelRevision.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace},
            "spec": ModelRevisionSpec(deployment=deployment, number=number, template=template).model_dump(
                mode="json", by_alias=True
            ),
        }
    )


def outdated(known: tuple[ModelRevision, ...], keep: frozenset[str], limit: int) -> tuple[str, ...]:
    """Revisions beyond the history limit, oldest first; those in ``keep`` are never among them."""
    others = sorted((r for r in known if r.metadata.name not in keep), key=lambda r: r.spec.number)
    return tuple(r.metadata.name for r in others[: max(0, len(others) - limit)])


def has_failed(revision: ModelRevision | None) -> bool:
    """Whether a revision failed; it is not tried again by itself."""
    return revision is not None and revision.status.phase is RevisionPhase.FAILED
