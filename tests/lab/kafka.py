"""One Kafka broker in KRaft mode (broker and controller in one process), for component tests and the cluster.

Replication factors are 1, and transactions work: an exactly-once sink can be tested against it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from lab.errors import StartError
from lab.jars import jars_path
from lab.java import java_executable
from lab.network_ports import free_ports
from lab.processes import Program, Ready, start, stop, wait_ready
from lab.versions import read_versions

_CLUSTER_ID = "aGVhZGdhdGUtbGFiLTAwMQ"
_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running broker: ``bootstrap`` is host:port."""

    bootstrap: str
    folder: Path


@dataclass(frozen=True, slots=True)
class KafkaPorts:
    """Where the broker listens: clients at ``host:client``, itself at ``127.0.0.1:controller``."""

    host: str
    client: int
    controller: int


def kafka_program(ports: KafkaPorts, folder: Path, log: Path) -> Program:
    """Write the configuration, format ``folder`` if it is new, and say how to run the broker."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(_properties(ports, folder / "data"))
    (folder / "log4j2.xml").write_text(_LOGGING)
    jvm = (str(java_executable()), *_JVM, f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}",
           "-cp", f"{jars_path('kafka')}/*")  # fmt: skip
    if not (folder / "data" / "meta.properties").exists():
        _format(jvm, properties)
    return Program(
        name="kafka",
        argv=(*jvm, read_versions().jar_set("kafka").main, str(properties)),
        ready=_lists_topics(f"{ports.host}:{ports.client}"),
        log=log,
        stop_seconds=20,
    )


@contextmanager
def kafka_broker(folder: Path) -> Iterator[Kafka]:
    """A new broker on free ports until the block is left; ``folder`` takes data and logs."""
    client, controller = free_ports(2)
    program = kafka_program(
        KafkaPorts("127.0.0.1", client, controller), folder / "kafka", folder / "logs" / "kafka.log"
    )
    running = start(program)
    try:
        wait_ready(running)
        yield Kafka(f"127.0.0.1:{client}", folder / "kafka")
    finally:
        stop(running)


def _format(jvm: tuple[str, ...], properties: Path) -> None:
    command = [*jvm, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartError(f"Kafka's storage could not be formatted:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def _lists_topics(bootstrap: str) -> Ready:
    # One client for all questions, silent: that nothing listens yet is no news here.
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})

    def ask() -> str | None:
        try:
            brokers = client.list_topics(timeout=1).brokers
        except KafkaException as error:
            return f"{bootstrap} does not answer ({error})"
        return None if brokers else f"{bootstrap} knows no broker yet"

    return ask


def _properties(ports: KafkaPorts, data: Path) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{ports.host}:{ports.client},CONTROLLER://127.0.0.1:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://{ports.host}:{ports.client}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
        "num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "true",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


_LOGGING = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""
