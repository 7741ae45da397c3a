"""Milliseconds from a record's way into Kafka to its answer's way out, at 1,000 records per second.

A record carries the time at which it was handed to the producer; the consumer takes the time at which it gets the answer.
Both are in this process, on one clock. ``poll()`` is used on purpose: ``consume(n)`` waits for its batch to fill.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.headgate import running
from benchmarks.pipeline import COLUMNS, FEATURES, NAMES, mlp, with_clause
from benchmarks.places import kafka_jar, print_progress
from benchmarks.report import Cell, Options, Report, percentile
from benchmarks.throughput import default_setup
from embedded.jobs import Setup, Sql, write_job
from headgate.errors import RunFailed
from lab.jars import fetch_jars
from lab.kafka import Kafka, kafka_broker

NAME = "latency"
ABOUT = "Kafka to Kafka at 1,000 records per second"

_RATE = 1_000
_PROBES = 20
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Course:
    """How long the stream runs before it counts, and while it counts, in seconds."""

    warm_s: float
    counted_s: float


def measure(options: Options) -> Report:
    """One run with the default settings, one with ``maxDelay: 20ms``, over the same broker."""
    course = Course(2, 3) if options.quick else Course(15, 20)
    default = default_setup()
    fetch_jars("kafka", print_progress)
    rows: list[tuple[Cell, ...]] = []
    with tempfile.TemporaryDirectory(prefix="headgate-latency-") as scratch, kafka_broker(Path(scratch)) as kafka:
        for label, setup in (
            (f"default settings (maxDelay {default.delay_ms}ms)", default),
            ("maxDelay: 20ms", replace(default, delay_ms=20)),
        ):
            taken = _latencies(Path(scratch, uuid.uuid4().hex), kafka, setup, course)
            figures = [round(percentile(taken, share), 1) for share in (0.5, 0.9, 0.99)]
            rows.append((label, *figures, round(max(taken), 1), len(taken)))
            print_progress(f"{label}: p50 {figures[0]} ms, p99 {figures[2]} ms")
    return Report(
        name=NAME,
        title=f"Kafka to model to Kafka at {_RATE:,} records/s, at-least-once sink, {course.counted_s:.0f} s counted",
        columns=("settings", "p50 ms", "p90 ms", "p99 ms", "most ms", "records"),
        rows=tuple(rows),
        checks=("every record that was sent came back, once",),
        notes=("broker, producer, Flink, Python worker and consumer share this machine",),
    )


def _latencies(folder: Path, kafka: Kafka, setup: Setup, course: Course) -> list[float]:
    """Milliseconds of every record of the counted part; raises ``RunFailed`` where one is lost or comes twice."""
    into, out = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("records", "answers"))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for created in admin.create_topics([NewTopic(into, 1, 1), NewTopic(out, 1, 1)]).values():
        created.result(_PATIENCE_S)
    setup = replace(setup, model={"inputs": {"x": list(FEATURES)}})
    job = write_job(folder, mlp(folder.parent / "mlp.onnx"), _sql(kafka, into, out), setup)
    with running(job, jars=(kafka_jar(),)) as run, Sender(kafka, into) as sender:
        run.until(lambda e: e["event"] == "progress" and e["scored"] > 0)
        sender.rate = _RATE
        receiver = Receiver(kafka, out)
        receiver.read(course.warm_s)
        first = sender.sent
        receiver.read(course.counted_s)
        last = sender.stop()
        receiver.drain(last)
    counted = [receiver.taken[number] for number in range(first, last) if number in receiver.taken]
    if len(counted) != last - first or receiver.repeated:
        raise RunFailed(
            f"{last - first} records were sent, {len(counted)} came back, {receiver.repeated} of them twice."
        )
    return counted


def _sql(kafka: Kafka, into: str, out: str) -> Sql:
    shared = {"connector": "kafka", "properties.bootstrap.servers": kafka.bootstrap, "format": "json"}
    source = shared | {"topic": into, "scan.startup.mode": "earliest-offset", "properties.group.id": "benchmark"}
    sink = shared | {"topic": out, "sink.delivery-guarantee": "at-least-once"}
    return Sql(
        tables=f"CREATE TABLE records ({COLUMNS}, sent BIGINT) WITH ({with_clause(source)});"
        f"CREATE TABLE answers (id BIGINT, sent BIGINT, score FLOAT, model_version STRING) WITH ({with_clause(sink)})",
        input=f"SELECT id, sent, {NAMES} FROM records",
        output="INSERT INTO answers SELECT id, sent, score, model_version FROM scored",
    )


class Sender:
    """Sends numbered records at an even ``rate`` from a thread of its own, from entry to exit.

    It begins with a few a second, so that no heap of records waits for the job when it starts.
    """

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.sent = 0
        self.rate = _PROBES
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 0})
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Send no more; the number of records sent."""
        self._over.set()
        self._thread.join()
        self._producer.flush(_PATIENCE_S)
        return self.sent

    def _send(self) -> None:
        features = dict.fromkeys(FEATURES, 0.1)
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            record = {"id": self.sent, "sent": time.monotonic_ns(), **features}
            self._producer.produce(self._topic, json.dumps(record).encode())
            self._producer.poll(0)
            self.sent += 1
            due += 1 / self.rate


class Receiver:
    """Reads answers and notes, by number, how many milliseconds each was under way."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.taken: dict[int, float] = {}
        self.repeated = 0
        self._consumer = Consumer({
            "bootstrap.servers": kafka.bootstrap,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        })  # fmt: skip
        self._consumer.subscribe([topic])

    def read(self, seconds: float) -> None:
        """Read for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._take(left)

    def drain(self, count: int) -> None:
        """Read until ``count`` records are there, and close."""
        until = time.monotonic() + _PATIENCE_S
        while len(self.taken) < count and time.monotonic() < until:
            self._take(1)
        self._consumer.close()

    def _take(self, patience: float) -> None:
        message = self._consumer.poll(patience)
        if message is None:
            return
        if message.error() is not None:
            raise RunFailed(f"Kafka: {message.error()}")
        value = message.value()
        assert isinstance(value, bytes)
        answer = json.loads(value)
        now = time.monotonic_ns()
        self.repeated += answer["id"] in self.taken
        self.taken[answer["id"]] = (now - answer["sent"]) / 1e6
