"""Kafka to model to Kafka on a real broker: over a change of the model's version every record is answered exactly once.

The runtime runs on its embedded cluster as ``headgate run`` starts it. Consumers read committed records only, as the docs
of the exactly-once sink tell them to.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from embedded import models
from embedded.child import Child, started
from embedded.jobs import Setup, Sql, write_job
from headgate.local.connectors import classpath, fetch_jars, read_lock
from headgate.local.places import cache_folder, find_runtime_source
from lab.kafka import Kafka

pytestmark = pytest.mark.kafka

_PATIENCE = 60.0
_BAD = b'{"id": 1, "a": "no number"}'

SQL = """
    CREATE TABLE records (
      id BIGINT, a FLOAT, b FLOAT, sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, `partition` INT METADATA VIRTUAL
    ) WITH ({kafka}, 'topic' = '{records}', 'value.format' = 'json', 'properties.group.id' = 'test',
      'scan.startup.mode' = 'earliest-offset', 'headgate.parse-errors' = 'dead-letter');
    CREATE TABLE answers (id BIGINT, y FLOAT, `partition` INT, year_sent BIGINT, model_version STRING) WITH ({kafka},
      'topic' = '{answers}', 'format' = 'json', 'sink.delivery-guarantee' = 'exactly-once',
      'sink.transactional-id-prefix' = '{answers}', 'properties.transaction.timeout.ms' = '600000');
    CREATE TABLE rejected (reason STRING, record STRING, model_version STRING) WITH ({kafka},
      'topic' = '{rejected}', 'format' = 'json', 'sink.delivery-guarantee' = 'exactly-once',
      'sink.transactional-id-prefix' = '{rejected}', 'properties.transaction.timeout.ms' = '600000')
"""


@dataclass(slots=True)
class Topics:
    """Three topics of one test: what comes in, what is answered, what is rejected."""

    broker: Kafka
    folder: Path
    name: str
    sent: int = 0

    def create(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        topics = [NewTopic(f"{self.name}-{part}", 2, 1) for part in ("records", "answers", "rejected")]
        for future in admin.create_topics(topics).values():
            future.result(_PATIENCE)

    def send(self, count: int) -> None:
        """So many records over two partitions, then one that does not parse, one that lacks a feature, and no record."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        topic = f"{self.name}-records"
        for id_ in range(self.sent, self.sent + count):
            value = json.dumps({"id": id_, "a": id_, "b": 1.5}).encode()
            producer.produce(topic, value, partition=id_ % 2)
        for other in (_BAD, json.dumps({"id": -self.sent - 1, "b": 1.5}).encode(), None):
            producer.produce(topic, other, partition=0)
        assert producer.flush(_PATIENCE) == 0
        self.sent += count

    def read(self, part: str, isolation: str = "read_committed") -> Iterable[dict[str, Any]]:
        """All committed records of a topic up to its end."""
        consumer = Consumer({
            "bootstrap.servers": self.broker.bootstrap, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
            "isolation.level": isolation, "enable.auto.commit": False, "enable.partition.eof": True,
        })  # fmt: skip
        consumer.subscribe([f"{self.name}-{part}"])
        ended = 0
        try:
            while ended < 2:
                message = consumer.poll(_PATIENCE)
                assert message is not None, f"nothing more of {part} came"
                error = message.error()
                if error is not None:
                    assert error.name() == "_PARTITION_EOF", error
                    ended += 1
                    continue
                value = message.value()
                assert isinstance(value, bytes)
                yield json.loads(value)
        finally:
            consumer.close()

    def job(self, version: str, scale: float) -> Path:
        kafka = f"'connector' = 'kafka', 'properties.bootstrap.servers' = '{self.broker.bootstrap}'"
        names = {part: f"{self.name}-{part}" for part in ("records", "answers", "rejected")}
        sql = Sql(
            SQL.format(kafka=kafka, **names),
            "SELECT id, a, b, `partition`, sent FROM records",
            "INSERT INTO answers SELECT id, y, `partition`, EXTRACT(YEAR FROM sent), model_version FROM scored;"
            "INSERT INTO rejected SELECT reason, record, model_version FROM dead_letters",
        )
        model = models.linear(self.folder / f"v{version}.onnx", scale=scale)
        inputs = {"inputs": {"x": ["a", "b"]}}
        return write_job(self.folder / version, model, sql, Setup(version=version, model=inputs, checkpoint_ms=500))


@dataclass(frozen=True, slots=True)
class Story:
    """What was sent, what came out, and the two runs."""

    sent: int
    answers: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    runs: tuple[Child, Child]


@pytest.fixture(scope="module")
def story(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Version 1 answers two portions and stops; a third comes meanwhile; version 2 answers it and a fourth."""
    folder = tmp_path_factory.mktemp("runtime-kafka")
    lock = read_lock(find_runtime_source().connectors)
    jars = fetch_jars(lock.needed([{"connector": "kafka"}]), cache_folder(os.environ), print)
    topics = Topics(kafka, folder, f"job-{uuid.uuid4().hex[:8]}")
    topics.create()
    keep = ("--jars", classpath(jars), "--savepoint-dir", str(folder / "savepoints"))
    topics.send(400)
    with started(topics.job("1", 1.0), *keep) as first:
        first.scored(400)
        topics.send(200)
        first.scored(600)
        first.interrupt()
        assert first.ended() == 0, first.tail()
    savepoint = first.only("summary")["savepoint"]
    topics.send(100)
    with started(topics.job("2", 100.0), *keep, "--from-savepoint", savepoint) as second:
        second.scored(100)
        topics.send(300)
        second.scored(400)
        second.interrupt()
        assert second.ended() == 0, second.tail()
    return Story(topics.sent, list(topics.read("answers")), list(topics.read("rejected")), (first, second))


def test_every_record_is_answered_exactly_once(story: Story) -> None:
    assert sorted(row["id"] for row in story.answers) == list(range(story.sent))


def test_each_answer_is_of_the_version_that_was_there(story: Story) -> None:
    for row in story.answers:
        version, scale = ("1", 1) if row["id"] < 600 else ("2", 100)
        assert (row["model_version"], row["y"]) == (version, scale * (row["id"] + 1.5))


def test_metadata_columns_pass_the_parser_and_the_step(story: Story) -> None:
    assert {(row["partition"], row["id"] % 2) for row in story.answers} == {(0, 0), (1, 1)}
    assert min(row["year_sent"] for row in story.answers) >= 2024


def test_what_cannot_be_scored_is_rejected_once_with_its_record(story: Story) -> None:
    by_reason: dict[str, list[dict[str, Any]]] = {}
    for row in story.rejected:
        by_reason.setdefault(row["reason"], []).append(json.loads(row["record"]))
    assert by_reason.keys() == {"UnparsableRecord", "NullFeature"}
    assert [record["line"] for record in by_reason["UnparsableRecord"]] == [_BAD.decode()] * 4
    assert sorted(record["id"] for record in by_reason["NullFeature"]) == [-701, -601, -401, -1]


def test_both_runs_end_with_a_savepoint(story: Story) -> None:
    summaries = [run.only("summary") for run in story.runs]
    assert [s["state"] for s in summaries] == ["FINISHED", "FINISHED"]
    assert all(s["savepoint"] for s in summaries)
    assert sum(s["scored"] for s in summaries) == story.sent
