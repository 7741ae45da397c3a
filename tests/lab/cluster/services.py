"""The servers beside Kubernetes: image registry, S3, Kafka, on the bridge's address so that pods and tests reach them."""

from __future__ import annotations

from lab.cluster.daemons import log_of
from lab.cluster.layout import (
    ADDRESS,
    BUCKETS,
    PORTS,
    REGISTRY,
    S3,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    STATE,
)
from lab.kafka import KafkaPorts, kafka_program
from lab.processes import Program
from lab.registry import Registry, registry_program
from lab.s3 import S3Server, s3_program


def registry() -> Program:
    return registry_program(
        Registry(REGISTRY, STATE / "registry"), STATE / "config" / "registry.yaml", log_of("registry")
    )


def s3() -> Program:
    server = S3Server(S3, S3_ACCESS_KEY, S3_SECRET_KEY, STATE / "buckets")
    server.folder.mkdir(parents=True, exist_ok=True)
    for bucket in BUCKETS:
        server.make_bucket(bucket)
    return s3_program(server, ADDRESS, PORTS["s3"], log_of("versitygw"))


def kafka() -> Program:
    ports = KafkaPorts(ADDRESS, PORTS["kafka"], PORTS["kafka-controller"])
    return kafka_program(ports, STATE / "kafka", log_of("kafka"))
