"""The broker that component tests and the lab use: records, and transactions as an exactly-once sink needs them."""

from __future__ import annotations

import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lab.kafka import Kafka

_PATIENCE = 20.0


def _topic(kafka: Kafka, name: str, partitions: int = 1) -> str:
    topic = f"{name}-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(_PATIENCE)
    return topic


def _read(kafka: Kafka, topic: str, count: int, isolation: str = "read_committed") -> list[bytes]:
    """The first ``count`` values of a topic; fewer when no more comes in time."""
    consumer = Consumer({
        "bootstrap.servers": kafka.bootstrap,
        "group.id": uuid.uuid4().hex,
        "auto.offset.reset": "earliest",
        "isolation.level": isolation,
        "enable.auto.commit": False,
    })  # fmt: skip
    consumer.subscribe([topic])
    values: list[bytes] = []
    try:
        while len(values) < count:
            message = consumer.poll(_PATIENCE)
            if message is None:
                break
            assert message.error() is None, message.error()
            value = message.value()
            assert isinstance(value, bytes)
            values.append(value)
    finally:
        consumer.close()
    return values


def test_records_are_read_in_the_order_in_which_they_were_written(kafka: Kafka) -> None:
    topic = _topic(kafka, "order")
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(100):
        producer.produce(topic, str(number).encode())
    assert producer.flush(_PATIENCE) == 0
    assert _read(kafka, topic, 100) == [str(number).encode() for number in range(100)]


def test_an_aborted_transaction_is_seen_only_by_those_who_read_uncommitted(kafka: Kafka) -> None:
    topic = _topic(kafka, "transactions")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(_PATIENCE)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(_PATIENCE)
    producer.abort_transaction(_PATIENCE)
    producer.begin_transaction()
    producer.produce(topic, b"committed")
    producer.commit_transaction(_PATIENCE)
    assert _read(kafka, topic, 1) == [b"committed"]
    assert _read(kafka, topic, 2, isolation="read_uncommitted") == [b"aborted", b"committed"]
