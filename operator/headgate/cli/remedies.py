"""What a person can do about a reason: the last column of the table in ``docs/status.md``, which a test holds both to.

A reason that is not here needs nothing, or came from the builder or the runtime, whose messages say what to do themselves.
"""

from __future__ import annotations

from headgate.planning.reasons import Reason

REMEDIES: dict[str, str] = {
    Reason.BUILDING: "wait; `kubectl logs job/<revision>-build`",
    Reason.PROGRESSING: "wait; the message says for what",
    Reason.PAUSED: "take it back to go on",
    Reason.SUSPENDED: "unset it to go on from there",
    Reason.FINISHED: "nothing for a bounded stream; if somebody stopped it, name what to go on from in `headgate.dev/restore-from`",
    Reason.NOTHING_SERVES: "see `Reconciling` or `Stalled`",
    Reason.NOT_RUNNING: "see `JobRunning`; Flink restarts it by itself",
    Reason.NO_RUN: "see `Ready`",
    Reason.RESTARTING: "see `lastFailure`",
    Reason.UNREACHABLE: "wait; if it lasts, look at its pod and at network policies",
    Reason.ROLLOUT_FAILED: "fix what `Stalled` says and change the spec, or annotate `headgate.dev/retry=true`",
    Reason.ROLLED_BACK: "see `lastFailure` for why",
    Reason.RESTORED: "find out who took it away",
    Reason.INVALID_SPEC: "correct the spec",
    Reason.BUILD_FAILED: "read the message and the build's log",
    Reason.GATE_FAILED: "read the message and the JobManager's log",
    Reason.POD_FAILED: "read its log; often memory (`spec.flink.jobManager.memory`)",
    Reason.PROGRESS_DEADLINE_EXCEEDED: "the message has what its pods say: image, quota, no room; raise the deadline for a large model",
    Reason.STATE_INCOMPATIBLE: "keep those parts of the SQL, or name them in `spec.rollout.allowStateLoss`",
    Reason.SAVEPOINT_FAILED: "look at the storage, and at checkpoint sizes",
    Reason.JOB_FAILED: "read the message",
    Reason.JOB_RESTARTING: "read the message",
    Reason.RESTARTING_IN_LOOP: "read the message; often a record that it cannot take",
    Reason.CHECKPOINTS_FAILING: "look at the storage and at back pressure",
    Reason.RUN_LOST: "find out who took it away",
    Reason.STATE_UNKNOWN: "name a savepoint or checkpoint in `headgate.dev/restore-from`",
    Reason.REVISION_MISSING: "apply the spec again",
    Reason.DELETION_WAITS: "read the message; mend it, or annotate `headgate.dev/force-delete=true`",
}


def remedy_for(reason: str) -> str:
    """What to do, as a sentence; empty where there is nothing to add to the message."""
    text = REMEDIES.get(reason, "")
    return f"{text[0].upper()}{text[1:]}." if text else ""
