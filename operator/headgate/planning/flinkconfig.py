"""Flink's configuration for a run on Kubernetes, as the file that its pods mount. Pure.

What the resource says wins over what Headgate proposes, and what a run cannot do without wins over both: validation refuses
those keys in ``spec.flink.config``, so the last rule only guards old objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from headgate.api.flink import FlinkSpec
from headgate.api.quantities import parse_bytes

BIN_FOLDER = "/opt/headgate/bin"
"""Programs of the base image."""

REST_PORT = 8081
RPC_PORT = 6123
BLOB_PORT = 6124
TASK_PORT = 6122
DATA_PORT = 6125
METRICS_PORT = 9249

_MEBI = 1024 * 1024

# Flink on Java 17 reaches into the JDK; a configuration of one's own must open it as the default one does.
_JAVA_OPENS = " ".join(
    f"--add-{kind}={target}=ALL-UNNAMED"
    for kind, targets in {
        "exports": (
            "java.rmi/sun.rmi.registry", "jdk.compiler/com.sun.tools.javac.api", "jdk.compiler/com.sun.tools.javac.file",
            "jdk.compiler/com.sun.tools.javac.parser", "jdk.compiler/com.sun.tools.javac.tree",
            "jdk.compiler/com.sun.tools.javac.util", "java.security.jgss/sun.security.krb5",
        ),
        "opens": (
            "java.base/java.lang", "java.base/java.net", "java.base/java.io", "java.base/java.nio", "java.base/sun.nio.ch",
            "java.base/java.lang.reflect", "java.base/java.text", "java.base/java.time", "java.base/java.util",
            "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic", "java.base/java.util.concurrent.locks",
        ),
    }.items()
    for target in targets
)  # fmt: skip

# Flink's Arrow writers grow their buffers themselves; Arrow's own check of every access only costs the model step time.
_ARROW = "-Darrow.enable_unsafe_memory_access=true"

PYTHON_SHARE = 0.4
"""The share of a TaskManager's memory that is left to its Python workers: managed memory, which Flink sets aside and no
heap state backend uses."""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where a run stands: its name (the cluster id), its namespace, and the folder of its data, which no other run may share."""

    run: str
    namespace: str
    folder: str


def render_flink_config(flink: FlinkSpec, place: RunPlace) -> str:
    """``config.yaml`` for a run: one flat key a line, sorted."""
    options = _proposed() | dict(flink.config) | _required(flink, place)
    return yaml.safe_dump(dict(sorted(options.items())), default_flow_style=False, width=10_000)


def _proposed() -> dict[str, str]:
    return {
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
        "execution.checkpointing.timeout": "5 min",
        "execution.checkpointing.tolerable-failed-checkpoints": "3",
        "execution.checkpointing.num-retained": "3",
        "state.backend.type": "hashmap",
        "taskmanager.memory.managed.fraction": str(PYTHON_SHARE),
        "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout": "5 s",
        "metrics.reporters": "prom",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": str(METRICS_PORT),
        "python.executable": f"{BIN_FOLDER}/worker-python",
        "python.client.executable": "python3",
        # A JobManager plans once and then waits: the second compiler takes more time at its start than it ever wins.
        "env.java.opts.jobmanager": "-XX:TieredStopAtLevel=1",
    }


def _required(flink: FlinkSpec, place: RunPlace) -> dict[str, str]:
    folder = place.folder.rstrip("/")
    return {
        "env.java.opts.all": f"{_JAVA_OPENS} {_ARROW}",
        "jobmanager.memory.process.size": f"{parse_bytes(flink.job_manager.memory) // _MEBI}m",
        "taskmanager.memory.process.size": f"{parse_bytes(flink.task_manager.memory) // _MEBI}m",
        "taskmanager.numberOfTaskSlots": str(flink.slots_per_task_manager),
        "parallelism.default": str(flink.parallelism),
        "jobmanager.scheduler": "adaptive",
        "jobmanager.rpc.port": str(RPC_PORT),
        "blob.server.port": str(BLOB_PORT),
        "taskmanager.rpc.port": str(TASK_PORT),
        "taskmanager.data.port": str(DATA_PORT),
        "rest.port": str(REST_PORT),
        "rest.bind-address": "0.0.0.0",
        "jobmanager.bind-host": "0.0.0.0",
        "taskmanager.bind-host": "0.0.0.0",
        "web.submit.enable": "false",
        "web.cancel.enable": "false",
        "kubernetes.cluster-id": place.run,
        "kubernetes.namespace": place.namespace,
        "high-availability.type": "kubernetes",
        # The job's id follows from it: left out, all runs would have one id, and each other's results.
        "high-availability.cluster-id": place.run,
        "high-availability.storageDir": f"{folder}/ha",
        # What ended for good stays ended: main() of a JobManager that is started again must not begin anew at its savepoint.
        "job-result-store.delete-on-commit": "false",
        "execution.checkpointing.dir": f"{folder}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{folder}/savepoints",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "io.tmp.dirs": "/tmp",
    }


LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
"""
"""Logs go to the pod's output and nowhere else."""
