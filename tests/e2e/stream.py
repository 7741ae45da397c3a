"""Records into Kafka at a steady pace, and scored ones out of it, read as a careful consumer would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from e2e.models import FEATURES, features
from lab.cluster.layout import KAFKA


def make_topics(*names: str, partitions: int = 2) -> None:
    """Topics that are there when this returns."""
    # The client must outlive its answers.
    client = AdminClient({"bootstrap.servers": KAFKA})
    for future in client.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        future.result(timeout=60)


@dataclass(slots=True)
class Feed:
    """Sends records with ids from 0 on until it is stopped."""

    topic: str
    per_second: int
    sent: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Batches of a tenth of a second; every record is acknowledged before this returns."""
        producer = Producer({"bootstrap.servers": KAFKA, "enable.idempotence": True, "linger.ms": 5})
        batch = max(1, self.per_second // 10)
        next_at = time.monotonic()
        while not self._stop.wait(max(0.0, next_at - time.monotonic())):
            next_at += 0.1
            ids = np.arange(self.sent, self.sent + batch, dtype=np.int64)
            for number, row in zip(ids.tolist(), features(ids).tolist(), strict=True):
                record = {"id": number} | dict(zip(FEATURES, row, strict=True))
                producer.produce(self.topic, key=str(number), value=json.dumps(record))
            producer.poll(0)
            self.sent += batch
        assert producer.flush(60) == 0, "Kafka did not take all records"

    def stop(self) -> None:
        """No further record."""
        self._stop.set()


@contextmanager
def feeding(topic: str, per_second: int) -> Iterator[Feed]:
    """Records flow while the block runs, or until the feed is stopped."""
    feed = Feed(topic, per_second)
    thread = threading.Thread(target=feed.run, name=f"feed of {topic}")
    thread.start()
    try:
        yield feed
    finally:
        feed.stop()
        thread.join()


class Scored:
    """What a consumer that reads committed records alone has seen of a topic since its start."""

    def __init__(self, topic: str) -> None:
        self.records: list[dict[str, Any]] = []
        self.times: list[float] = []
        """When each was written, in seconds since the epoch."""
        self._consumer = Consumer({
            "bootstrap.servers": KAFKA, "group.id": f"reader-of-{topic}", "auto.offset.reset": "earliest",
            "isolation.level": "read_committed", "enable.auto.commit": False,
        })  # fmt: skip
        self._consumer.subscribe([topic])

    def __enter__(self) -> Scored:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def poll(self) -> int:
        """Take what has arrived; gives how many there are by now."""
        while (message := self._consumer.poll(0.2)) is not None:
            error = message.error()
            if error is not None and error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise KafkaException(error)
            if error is None:
                self.records.append(json.loads(message.value() or b"null"))
                self.times.append(message.timestamp()[1] / 1000)
        return len(self.records)

    def of(self, version: str) -> list[dict[str, Any]]:
        """The records that one model version scored, in order of arrival."""
        return [record for record in self.records if record["model_version"] == version]
