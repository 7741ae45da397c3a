"""Every reason that Headgate itself gives, in conditions, events and ``lastFailure``: one closed set. Pure.

What each means and what to do is the table in ``docs/status.md``; a test holds both together. Reasons of a failed build come
from the builder and those of a failed check from the runtime (``ModelTruncated``, ``MappingRefused``, …): they pass through.
"""

from __future__ import annotations

import re
from enum import StrEnum

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}", re.ASCII)


class Reason(StrEnum):
    """Why something is as it is, in one word for programs."""

    # what is the case
    SERVING = "Serving"
    RUNNING = "Running"
    HEALTHY = "Healthy"
    BUILT = "Built"
    BUILDING = "Building"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    SUSPENDED = "Suspended"
    FINISHED = "Finished"
    DELETING = "Deleting"
    NOTHING_SERVES = "NothingServes"
    NOT_RUNNING = "NotRunning"
    NO_RUN = "NoRun"
    STOPPING = "Stopping"
    STARTING = "Starting"
    RESTARTING = "Restarting"
    UNREACHABLE = "Unreachable"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    ROLLOUT_FAILED = "RolloutFailed"

    # what happened
    ROLLOUT_STARTED = "RolloutStarted"
    BUILD_STARTED = "BuildStarted"
    IMAGE_BUILT = "ImageBuilt"
    CANDIDATE_ABANDONED = "CandidateAbandoned"
    SAVEPOINT_COMPLETED = "SavepointCompleted"
    STREAM_STARTING = "StreamStarting"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    RESTORED = "Restored"
    RESUMED = "Resumed"
    SCALING = "Scaling"
    ADOPTED = "Adopted"
    RETRIED = "Retried"
    DELETED = "Deleted"

    # what went wrong
    INVALID_SPEC = "InvalidSpec"
    BUILD_FAILED = "BuildFailed"
    GATE_FAILED = "GateFailed"
    POD_FAILED = "PodFailed"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    STATE_INCOMPATIBLE = "StateIncompatible"
    SAVEPOINT_FAILED = "SavepointFailed"
    SAVEPOINT_UNKNOWN = "SavepointUnknown"
    JOB_FAILED = "JobFailed"
    JOB_RESTARTING = "JobRestarting"
    RESTARTING_IN_LOOP = "RestartingInLoop"
    CHECKPOINTS_FAILING = "CheckpointsFailing"
    RUN_LOST = "RunLost"
    STATE_UNKNOWN = "StateUnknown"
    REVISION_MISSING = "RevisionMissing"
    DELETION_FORCED = "DeletionForced"
    DELETION_WAITS = "DeletionWaits"


def reason_or(text: str, otherwise: Reason) -> str:
    """A reason that came from elsewhere, or ``otherwise`` where it is not one word."""
    return text if _WORD.fullmatch(text) else otherwise.value
