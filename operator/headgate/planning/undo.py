"""Which revision an undo goes back to, and the spec that asks for it. Pure.

An undo changes the spec and nothing else, so the plan that follows it is the plan of any change of the spec. What belongs to
no revision (rollout, suspension, deletion policy, parallelism) stays as it is.
"""

from __future__ import annotations

from typing import Any

from headgate.api.revision import ModelRevision


def choose_revision(revisions: tuple[ModelRevision, ...], target: str, number: int | None) -> ModelRevision | None:
    """The revision of that number; without one, the revision that served last and is not the one that is asked for now."""
    if number is not None:
        return next((one for one in revisions if one.spec.number == number), None)
    served = [one for one in revisions if one.status.served_at and one.metadata.name != target]
    return max(served, key=lambda one: (one.status.served_at or "", one.spec.number), default=None)


def undone_spec(spec: dict[str, Any], revision: ModelRevision) -> dict[str, Any]:
    """The same spec with the template of ``revision``."""
    template: dict[str, Any] = revision.spec.template.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    parallelism = (spec.get("flink") or {}).get("parallelism")
    flink = {k: v for k, v in template.pop("flink", {}).items() if k != "parallelism"}
    if parallelism is not None:
        flink["parallelism"] = parallelism
    kept = {k: v for k, v in spec.items() if k not in {"model", "pipeline", "flink", "image"}}
    return kept | template | ({"flink": flink} if flink else {})
