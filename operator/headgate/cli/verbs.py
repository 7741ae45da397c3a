"""``headgate suspend, resume, pause, retry, savepoint, restore, undo``: a person's word to the operator.

Each changes the spec or one annotation, so kubectl can do the same, and what follows is the operator's plan alone.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from headgate.api.resources import ModelDeploymentSpec
from headgate.cli.cluster import Context, Kubeconfig, Name, Namespace, NotFound, Target
from headgate.cli.console import say
from headgate.controller import changes
from headgate.errors import HeadgateError
from headgate.planning.candidate import RETRY
from headgate.planning.revisions import has_failed
from headgate.planning.savepoints import SAVEPOINT
from headgate.planning.starting import RESTORE_FROM
from headgate.planning.undo import choose_revision, undone_spec


class NothingToDo(HeadgateError):
    """The object is already as the verb would make it, or the verb means nothing for it now."""

    reason = "NothingToDo"


def suspend(name: Name, namespace: Namespace = "", kubeconfig: Kubeconfig = "", context: Context = "") -> None:
    """Stop the stream with a savepoint, and keep everything else."""
    target = Target.find(name, namespace, kubeconfig, context)
    if _spec(target).get("suspend"):
        raise NothingToDo(f"{name} is suspended already.")
    target.change({"spec": {"suspend": True}})
    say(f"{name} stops with a savepoint. headgate resume {name} goes on from it.")


def resume(name: Name, namespace: Namespace = "", kubeconfig: Kubeconfig = "", context: Context = "") -> None:
    """Take back what holds the stream or its rollout."""
    target = Target.find(name, namespace, kubeconfig, context)
    spec = _spec(target)
    patch: dict[str, Any] = {}
    said = []
    if spec.get("suspend"):
        patch["suspend"] = None
        said.append("The stream goes on from its savepoint.")
    if (spec.get("rollout") or {}).get("paused"):
        patch["rollout"] = {"paused": None}
        said.append("The rollout goes on.")
    if not patch:
        raise NothingToDo(f"{name} is neither suspended nor is its rollout paused.")
    target.change({"spec": patch})
    say(" ".join(said))


def pause(name: Name, namespace: Namespace = "", kubeconfig: Kubeconfig = "", context: Context = "") -> None:
    """Hold the rollout; what serves goes on. No candidate is begun, and one under way stays where it is."""
    target = Target.find(name, namespace, kubeconfig, context)
    if (_spec(target).get("rollout") or {}).get("paused"):
        raise NothingToDo(f"The rollout of {name} is paused already.")
    target.change({"spec": {"rollout": {"paused": True}}})
    say(f"The rollout of {name} is held. headgate resume {name} lets it go on.")


def retry(name: Name, namespace: Namespace = "", kubeconfig: Kubeconfig = "", context: Context = "") -> None:
    """Try the failed revision again."""
    target = Target.find(name, namespace, kubeconfig, context)
    asked = str((target.read().get("status") or {}).get("target") or "")
    failed = {one.metadata.name for one in target.revisions() if one.status.phase.value == "Failed"}
    if asked not in failed:
        raise NothingToDo(f"The revision that {name} asks for ({asked or 'none yet'}) has not failed.")
    _annotate(target, RETRY, "true")
    say(f"Revision {asked} is tried again.")


def savepoint(name: Name, namespace: Namespace = "", kubeconfig: Kubeconfig = "", context: Context = "") -> None:
    """Take a savepoint while the stream goes on: a copy to keep."""
    target = Target.find(name, namespace, kubeconfig, context)
    if (target.read().get("status") or {}).get("run") is None:
        raise NothingToDo(f"{name} has no run that could take a savepoint.")
    _annotate(target, SAVEPOINT, "asked")
    say(f"A savepoint is taken; kubectl get mdep {name} -o jsonpath='{{.status.savepoint.path}}' says where it lies.")


def restore(
    name: Name,
    place: Annotated[str, typer.Option("--from", metavar="PATH", help="A savepoint's or checkpoint's path.")],
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Say what to start from. It counts where nothing is known of the stream's state, or what is known does not work."""
    target = Target.find(name, namespace, kubeconfig, context)
    target.read()
    _annotate(target, RESTORE_FROM, place)
    say(f"{name} starts from {place} where it needs to be told. A stream that runs goes on as it is.")


def undo(
    name: Name,
    to_revision: Annotated[
        int | None, typer.Option("--to-revision", metavar="N", help="Its number; headgate status lists them.")
    ] = None,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Go back to the revision that served before. The spec is changed; the image is there, so nothing is built."""
    target = Target.find(name, namespace, kubeconfig, context)
    found, revisions = target.read(), target.revisions()
    asked = str((found.get("status") or {}).get("target") or "")
    chosen = choose_revision(revisions, asked, to_revision)
    if chosen is None:
        known = ", ".join(str(one.spec.number) for one in revisions) or "none"
        what = f"no revision {to_revision}" if to_revision is not None else "no revision that served before"
        raise NotFound(f"{name} has {what}. There are: {known}.")
    if chosen.metadata.name == asked:
        raise NothingToDo(f"{name} asks for revision {chosen.spec.number} already.")
    if has_failed(chosen):
        raise NothingToDo(f"Revision {chosen.spec.number} failed, and is not tried again by itself: choose another.")
    spec = undone_spec(found["spec"], chosen)
    ModelDeploymentSpec.model_validate(spec)
    patch: dict[str, Any] = {"spec": changes(found["spec"], spec)}
    # Whoever changed the object meanwhile meant something else.
    patch["metadata"] = {"resourceVersion": found["metadata"]["resourceVersion"]}
    target.change(patch)
    say(
        f"{name} asks for revision {chosen.spec.number} (version {chosen.status.version or '?'}) again. "
        "Where its spec is kept in Git, change it there too."
    )


def _spec(target: Target) -> dict[str, Any]:
    spec: dict[str, Any] = target.read()["spec"]
    return spec


def _annotate(target: Target, annotation: str, value: str) -> None:
    target.change({"metadata": {"annotations": {annotation: value}}})
