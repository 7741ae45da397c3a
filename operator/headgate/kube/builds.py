"""Reads the builds of one ModelDeployment: their Jobs, and what their pods left as their last words. Never acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from headgate.kube.objects import conditions, label, pod_problem
from headgate.planning.draft import moment_of
from headgate.planning.observation import BuildResult, BuildState, ObservedBuild
from headgate.planning.reasons import Reason
from headgate.planning.runspec import REVISION_LABEL

Manifest = dict[str, Any]
ReadLog = Callable[[str, str, int], str]
"""The last lines of a pod's log, by namespace, pod and number of lines."""

_LINES = 5
_DISRUPTED = "DisruptionTarget"


def observe_build(job: Manifest, pods: tuple[Manifest, ...], read_log: ReadLog) -> ObservedBuild:
    """One build; ``pods``: of all builds."""
    revision = label(job, REVISION_LABEL)
    mine = tuple(pod for pod in pods if label(pod, "batch.kubernetes.io/job-name") == job["metadata"]["name"])
    held = conditions(job)
    if "Complete" in held:
        result = _result(_last_words(mine))
        if result is not None:
            return ObservedBuild(revision, BuildState.SUCCEEDED, result, finished=_ended(job))
        # Its pod is gone, or said nothing: the image is found again by its plan, which costs a few requests.
        return _failed(job, "The build ended without naming an image.", transient=True)
    if "Failed" in held:
        return _why(job, mine, read_log)
    if (job.get("status") or {}).get("ready"):
        return ObservedBuild(revision, BuildState.RUNNING)
    return ObservedBuild(revision, BuildState.WAITING, message=pod_problem(mine))


def _why(job: Manifest, pods: tuple[Manifest, ...], read_log: ReadLog) -> ObservedBuild:
    said = _last_words(pods)
    told = _failure(said)
    if told is not None:
        reason, message, transient = told
        return _failed(job, message, reason=reason, transient=transient)
    if any(_DISRUPTED in conditions(pod) for pod in pods):
        return _failed(job, "The build's pod was taken away by the cluster.", transient=True)
    if any(_terminated(pod).get("reason") == "OOMKilled" for pod in pods):
        message = "The build ran out of memory: raise the chart's builds.resources.memory."
        return _failed(job, message)
    late = any(
        c.get("reason") == "DeadlineExceeded" for c in (job.get("status") or {}).get("conditions") or [] if c["status"] == "True"
    )  # fmt: skip
    if late:
        return _failed(job, f"The build did not end in time. {pod_problem(pods)}".strip())
    return _failed(job, said or _last_lines(pods, read_log) or "The build failed without a word.")


def _failed(
    job: Manifest, message: str, *, reason: str = Reason.BUILD_FAILED, transient: bool = False
) -> ObservedBuild:
    return ObservedBuild(
        label(job, REVISION_LABEL), BuildState.FAILED, None, reason, message, transient=transient, finished=_ended(job)
    )


def _ended(job: Manifest) -> datetime | None:
    held = [c for c in (job.get("status") or {}).get("conditions") or [] if c["status"] == "True"]
    return next((moment_of(c.get("lastTransitionTime")) for c in held if c["type"] in {"Complete", "Failed"}), None)


def _terminated(pod: Manifest) -> Manifest:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            return dict(ended)
    return {}


def _last_words(pods: tuple[Manifest, ...]) -> str:
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    return next((text for pod in newest if (text := str(_terminated(pod).get("message") or "").strip())), "")


def _last_lines(pods: tuple[Manifest, ...], read_log: ReadLog) -> str:
    texts = (read_log(pod["metadata"]["namespace"], pod["metadata"]["name"], _LINES).strip() for pod in pods)
    return next((text for text in texts if text), "")


def _result(text: str) -> BuildResult | None:
    try:
        raw = json.loads(text)
        return BuildResult(raw["image"], raw["version"], raw["modelDigest"], raw.get("lockDigest", ""))
    except (ValueError, KeyError, TypeError):
        return None


def _failure(text: str) -> tuple[str, str, bool] | None:
    """Reason, message, and whether it is likely to pass, as ``headgate build --report`` says it."""
    try:
        raw = json.loads(text)
        return str(raw["reason"]), str(raw["message"]), bool(raw.get("transient", False))
    except (ValueError, KeyError, TypeError):
        return None
