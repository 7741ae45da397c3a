"""What a build's Job and pods say of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.kube.builds import observe_build
from headgate.planning.observation import BuildResult, BuildState, ObservedBuild

_ENDED = datetime(2026, 3, 1, 12, tzinfo=UTC)
_RESULT = {"image": "r/churn@sha256:1", "version": "3", "modelDigest": "sha256:2", "lockDigest": "sha256:3"}


def _job(*conditions: str, **status: Any) -> dict[str, Any]:
    held = [{"type": c, "status": "True", "lastTransitionTime": "2026-03-01T12:00:00Z"} for c in conditions]
    labels = {"headgate.dev/revision": "churn-1"}
    return {"metadata": {"name": "churn-1-build", "labels": labels}, "status": {"conditions": held, **status}}


def _pod(message: str = "", reason: str = "Error", conditions: tuple[str, ...] = (), **status: Any) -> dict[str, Any]:
    ended = {"state": {"terminated": {"message": message, "reason": reason}}}
    held = [{"type": c, "status": "True"} for c in conditions]
    return {
        "metadata": {"name": "p", "namespace": "shop", "labels": {"batch.kubernetes.io/job-name": "churn-1-build"}},
        "status": {"containerStatuses": [ended], "conditions": held, **status},
    }


def _failed(message: str, reason: str = "BuildFailed", *, transient: bool = False) -> ObservedBuild:
    return ObservedBuild("churn-1", BuildState.FAILED, None, reason, message, transient, _ENDED)


_TOLD = {"reason": "SourceMissing", "message": "s3://models/x does not exist.", "transient": False}

_CASES = {
    "it names its image": (
        _job("Complete"), _pod(json.dumps(_RESULT)),
        ObservedBuild("churn-1", BuildState.SUCCEEDED, BuildResult("r/churn@sha256:1", "3", "sha256:2", "sha256:3"), finished=_ENDED),
    ),
    "it ended and its words are lost, so that it is done again": (
        _job("Complete"), _pod(), _failed("The build ended without naming an image.", transient=True),
    ),
    "it says why it failed": (
        _job("Failed"), _pod(json.dumps(_TOLD)), _failed("s3://models/x does not exist.", "SourceMissing"),
    ),
    "it failed for what is likely to pass": (
        _job("Failed"), _pod(json.dumps(_TOLD | {"reason": "RegistryUnreachable", "transient": True})),
        _failed("s3://models/x does not exist.", "RegistryUnreachable", transient=True),
    ),
    "it fell over and its log's end is all there is": (_job("Failed"), _pod("Traceback\nboom"), _failed("Traceback\nboom")),
    "its memory did not do": (
        _job("Failed"), _pod(reason="OOMKilled"),
        _failed("The build ran out of memory: raise the chart's builds.resources.memory."),
    ),
    "its node was drained": (
        _job("Failed"), _pod(conditions=("DisruptionTarget",)),
        _failed("The build's pod was taken away by the cluster.", transient=True),
    ),
    "its pod runs": (_job(ready=1), _pod(), ObservedBuild("churn-1", BuildState.RUNNING)),
    "its image cannot be pulled": (
        _job(),
        _pod() | {"status": {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}},
        ObservedBuild("churn-1", BuildState.WAITING, message="ErrImagePull: no such image"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("job", "pod", "expected"), _CASES.values(), ids=_CASES)
def test_a_build(job: dict[str, Any], pod: dict[str, Any], expected: ObservedBuild) -> None:
    assert observe_build(job, (pod,), lambda namespace, name, lines: "") == expected


def test_a_build_whose_pod_said_nothing_is_explained_by_its_log() -> None:
    found = observe_build(_job("Failed"), (_pod(),), lambda namespace, name, lines: f"last {lines} lines of {name}\n")
    assert found.message == "last 5 lines of p"


def test_a_build_that_takes_too_long_says_so() -> None:
    job = _job("Failed")
    job["status"]["conditions"][0]["reason"] = "DeadlineExceeded"
    assert observe_build(job, (), lambda namespace, name, lines: "").message == "The build did not end in time."
