"""Flink options that Headgate sets itself, and what stands for each. Pure data; read by validation and docs."""

from __future__ import annotations

_RUN = "it belongs to the run, and there is nothing to set"
_LAYOUT = "it follows from how Headgate lays out the pods"

OWNED: tuple[tuple[str, str], ...] = (
    ("parallelism.default", "use spec.flink.parallelism"),
    ("taskmanager.numberOfTaskSlots", "use spec.flink.slotsPerTaskManager"),
    ("jobmanager.memory.process.size", "use spec.flink.jobManager.memory"),
    ("taskmanager.memory.process.size", "use spec.flink.taskManager.memory"),
    ("kubernetes.jobmanager.cpu.", "use spec.flink.jobManager.cpu"),
    ("kubernetes.taskmanager.cpu.", "use spec.flink.taskManager.cpu"),
    ("execution.checkpointing.interval", "use spec.flink.checkpointInterval"),
    ("execution.checkpointing.dir", "use spec.flink.storage.uri"),
    ("execution.checkpointing.savepoint-dir", "use spec.flink.storage.uri"),
    ("state.checkpoints.dir", "use spec.flink.storage.uri"),
    ("state.savepoints.dir", "use spec.flink.storage.uri"),
    ("high-availability", _RUN),
    ("kubernetes.cluster-id", _RUN),
    ("kubernetes.namespace", _RUN),
    ("kubernetes.container.image", "use spec.image"),
    ("execution.savepoint.", _RUN),
    ("execution.state-recovery.", _RUN),
    ("execution.target", _RUN),
    ("execution.attached", _RUN),
    ("execution.runtime-mode", "the model step runs on streams, bounded ones included"),
    ("pipeline.name", _RUN),
    ("pipeline.jars", "connectors are part of the base image"),
    ("pipeline.classpaths", "connectors are part of the base image"),
    ("table.exec.uid.generation", "stable operator ids are what a hand-over rests on"),
    ("jobmanager.rpc.", _LAYOUT),
    ("jobmanager.bind-host", _LAYOUT),
    ("taskmanager.host", _LAYOUT),
    ("taskmanager.bind-host", _LAYOUT),
    ("taskmanager.rpc.port", _LAYOUT),
    ("blob.server.port", _LAYOUT),
    ("rest.address", _LAYOUT),
    ("rest.port", _LAYOUT),
    ("rest.bind-", _LAYOUT),
    ("jobmanager.scheduler", "rescaling without a restart rests on it"),
    ("python.executable", _LAYOUT),
    ("python.client.executable", _LAYOUT),
    ("python.files", "use spec.pipeline.python.module"),
    ("python.requirements", "use spec.pipeline.python.requirements"),
    ("python.archives", "use spec.pipeline.python.requirements"),
    ("python.execution-mode", _LAYOUT),
    ("python.fn-execution.bundle.time", "use spec.model.execution.maxDelay"),
    ("python.fn-execution.bundle.size", "use spec.model.execution.maxBatchRows"),
    ("python.fn-execution.arrow.batch.size", "use spec.model.execution.maxBatchRows"),
    ("$internal.", _RUN),
)
"""Option names, or beginnings that end in ``.`` or ``-``, with what to do instead."""


def owner_of(key: str) -> str | None:
    """What to use instead of the option ``key``, or None when a person may set it."""
    for name, remedy in OWNED:
        prefix = name if name.endswith((".", "-")) else f"{name}."
        if key == name or (key.startswith(prefix) and (name.endswith((".", "-")) or name == "high-availability")):
            return remedy
    return None
