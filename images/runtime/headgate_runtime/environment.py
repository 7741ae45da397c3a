"""Flink's configuration for a job: what the resource says, what Headgate needs, and what differs on a laptop."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import EnvironmentSettings, StreamTableEnvironment

from headgate_runtime.contract import Job

_BUFFER_MS = 5


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """What a run on the embedded cluster has besides the job. ``work``: a scratch folder of this run alone."""

    work: Path
    jars: tuple[Path, ...] = ()


def job_options(job: Job) -> dict[str, str]:
    """Options that hold wherever the job runs; the resource's own ``flink.config`` comes last."""
    execution = job.model.execution
    return {
        "pipeline.name": f"{job.namespace}/{job.name}",
        "pipeline.object-reuse": "true",
        "parallelism.default": str(job.parallelism),
        "execution.runtime-mode": "STREAMING",
        "execution.checkpointing.interval": f"{job.checkpoint_interval_ms} ms",
        # Flink looks at its bundle once in so long, and finishes one that is as old: a record waits up to twice the time.
        "python.fn-execution.bundle.time": str(max(1, execution.max_delay_ms // 2)),
        # Records on their way to another task leave at the latest after so long.
        "execution.buffer-timeout.interval": f"{_BUFFER_MS} ms",
        **dict(job.config),
    }


def cluster_options(job: Job) -> dict[str, str]:
    """Options of a job on Kubernetes.

    Flink gives a Python application PyFlink's own jar as a user's: 43 MB that every job would upload, every task download, and whose
    classes no two jobs would share. The image has it on the class path.
    """
    return {"pipeline.jars": "", **job_options(job)}


def local_options(job: Job, place: LocalPlace) -> dict[str, str]:
    """Options of the embedded cluster: nothing listens beyond this machine, nothing outlives the run, failures show at once."""
    options = {
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": "0",
        "taskmanager.numberOfTaskSlots": str(job.parallelism),
        "taskmanager.memory.managed.size": "256m",
        "taskmanager.memory.network.min": "64m",
        "taskmanager.memory.network.max": "64m",
        "restart-strategy.type": "none",
        "execution.checkpointing.dir": (place.work / "checkpoints").as_uri(),
        "io.tmp.dirs": str(place.work / "tmp"),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }
    if place.jars:
        options["pipeline.jars"] = ";".join(jar.resolve().as_uri() for jar in place.jars)
    return options


def create_environment(options: dict[str, str]) -> tuple[StreamExecutionEnvironment, StreamTableEnvironment]:
    """The two faces of one Flink environment with ``options`` set on both."""
    # Flink's Arrow writers grow their buffers themselves; Arrow's own check of every access costs the step a tenth of its
    # time. The embedded cluster's JVM inherits this; in a cluster the JVM's options say the same.
    os.environ.setdefault("ARROW_ENABLE_UNSAFE_MEMORY_ACCESS", "true")
    configuration = Configuration()
    for key, value in options.items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    settings = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    return env, StreamTableEnvironment.create(env, environment_settings=settings)
