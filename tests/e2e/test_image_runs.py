"""A built image as a Flink application on a real Kubernetes: answers, hand-over, a lost JobManager, a model that cannot load.

The runs are made by hand from the objects that the operator applies, in a namespace that takes restricted pods only.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import obstore
import pytest

from e2e.cluster import apply, delete, eventually
from e2e.models import answers, classifier, unloadable
from e2e.runs import PATIENCE_S, Run, build
from e2e.stopwatch import STOPWATCH
from e2e.stores import bucket
from e2e.stream import Feed, Scored, feeding, make_topics
from headgate.models.reader import read_model
from lab.cluster.layout import KAFKA, REGISTRY, S3, S3_ACCESS_KEY, S3_SECRET_KEY

_RECORDS_PER_SECOND = 100
_MOST_STORED = 4_000_000
_FRESH = 400
"""As many records scored after a change prove that the stream flows again."""

_RESOURCE = """\
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {{name: {name}}}
spec:
  model:
    uri: {model}
    version: "{version}"
    inputs: {{features: [a, b, c, d]}}
  pipeline:
    tables: |
      CREATE TABLE records (id BIGINT, a FLOAT, b FLOAT, c FLOAT, d FLOAT) WITH (
        'connector' = 'kafka', 'topic' = '{name}-in', 'properties.bootstrap.servers' = '${{secret:{name}-kafka/address}}',
        'properties.group.id' = '{name}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
      CREATE TABLE scores (id BIGINT, probability FLOAT, model_version STRING, model_digest STRING, revision STRING) WITH (
        'connector' = 'kafka', 'topic' = '{name}-out', 'properties.bootstrap.servers' = '${{secret:{name}-kafka/address}}',
        'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{name}',
        'properties.transaction.timeout.ms' = '600000', 'format' = 'json');
    input: SELECT id, a, b, c, d FROM records
    key: id
    output: INSERT INTO scores SELECT id, probability, model_version, model_digest, revision FROM scored
  flink:
    checkpointInterval: 3s
    jobManager: {{cpu: 200m, memory: 1Gi}}
    taskManager: {{cpu: 200m, memory: 1536Mi}}
    storage: {{uri: "s3://flink/{name}", secret: {name}-storage}}
    config:
      s3.endpoint: {s3}
      s3.region: us-east-1
      s3.path-style-access: "true"
  image: {{repository: {registry}/e2e/{name}}}
"""


class Deployment:
    """One name with its Secrets, topics and files; versions are files beside one another."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.name = f"e2e-{uuid.uuid4().hex[:6]}"
        self.folder, self.namespace = folder, namespace
        self.runs: list[Run] = []
        self.secrets = (
            _secret(namespace, f"{self.name}-kafka", "address", KAFKA),
            _secret(namespace, f"{self.name}-storage", "credentials", _CREDENTIALS),
        )
        apply(*self.secrets)
        make_topics(f"{self.name}-in", f"{self.name}-out")

    def version(self, version: str, make: Callable[[Path], Path]) -> tuple[Path, Path]:
        """The resource's file and the model's."""
        model = make(self.folder / f"model-{version}.onnx")
        file = self.folder / f"version-{version}.yaml"
        text = _RESOURCE.format(name=self.name, model=model.name, version=version, s3=S3, registry=REGISTRY)
        file.write_text(text)
        return file, model

    def run(self, file: Path, base: str, label: str) -> Run:
        """Build the image and apply the run's objects."""
        run = Run(file, build(file, base), self.namespace, label)
        self.runs.append(run)
        run.apply()
        return run

    def delete(self) -> None:
        """All that it has on the cluster."""
        for run in self.runs:
            run.delete()
        delete(self.namespace, self.secrets)


_CREDENTIALS = f"[default]\naws_access_key_id = {S3_ACCESS_KEY}\naws_secret_access_key = {S3_SECRET_KEY}\n"


def _secret(namespace: str, name: str, key: str, value: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {key: value}}


@pytest.fixture
def deployment(tenant: str, tmp_path: Path) -> Iterator[Deployment]:
    """A name of its own; what runs under it is deleted at the end."""
    made = Deployment(tmp_path, tenant)
    yield made
    made.delete()


def test_every_record_is_scored_once_through_a_crash_and_a_hand_over_to_the_next_version(
    deployment: Deployment, runtime_image: str
) -> None:
    first_file, first_model = deployment.version("1", lambda path: classifier(path, seed=1))
    second_file, second_model = deployment.version("2", lambda path: classifier(path, seed=2))

    with feeding(f"{deployment.name}-in", _RECORDS_PER_SECOND) as feed, Scored(f"{deployment.name}-out") as scored:
        with STOPWATCH.step("version 1: build to ready"):
            first = deployment.run(first_file, runtime_image, "v1")
            first.await_ready()
        first.go()
        with STOPWATCH.step("version 1: go to first checkpoint"):
            first.await_scoring()
            first.await_checkpoint()
        _await_scored(scored, "1", _FRESH, first)
        assert first.high_availability_maps()
        assert 0 < _stored_bytes(first) < _MOST_STORED, "a job uploads what its image has"

        with STOPWATCH.step("version 1: JobManager killed to next checkpoint"):
            before = first.kill_job_manager()
            _await_another_job_manager(first, before)
            first.await_scoring()
            first.await_checkpoint()
        _await_scored(scored, "1", len(scored.of("1")) + _FRESH, first)

        with STOPWATCH.step("version 2: build to ready, beside version 1"):
            second = deployment.run(second_file, runtime_image, "v2")
            second.await_ready()
        assert (first.warm_ups(), second.warm_ups()) == ([], ["FINISHED"])
        with STOPWATCH.step("version 2, waiting: JobManager killed to ready again"):
            before = second.kill_job_manager()
            _await_another_job_manager(second, before)
            eventually("it has warmed up again", lambda: second.warm_ups() == ["FINISHED"], PATIENCE_S, second.tell)
            second.await_ready()
        asked = time.monotonic()
        with STOPWATCH.step("hand-over: savepoint"):
            savepoint = first.stop(uuid.uuid4().hex)
        second.go(savepoint)
        second.await_scoring()
        STOPWATCH.add("hand-over: stop asked to version 2 running", time.monotonic() - asked)
        first.await_end()
        eventually("Flink forgets a run that ended", lambda: not first.high_availability_maps(), PATIENCE_S, first.tell)
        _await_scored(scored, "2", _FRESH, second)

        feed.stop()
        _await_all(feed, scored, second)
        with STOPWATCH.step("version 2: stop with savepoint"):
            second.stop(uuid.uuid4().hex)
        second.await_end()
        scored.poll()

    _assert_once(feed, scored)
    _assert_answers(scored, "1", first_model, first)
    _assert_answers(scored, "2", second_model, second)


def test_a_model_that_cannot_be_loaded_never_gets_ready_and_says_why(
    deployment: Deployment, runtime_image: str
) -> None:
    file, _ = deployment.version("1", unloadable)
    run = deployment.run(file, runtime_image, "bad")
    run.go()
    with STOPWATCH.step("bad model: applied to reason told"):
        report = eventually(
            "the reason is told",
            lambda: found if (found := run.report()).get("reason") else None,
            PATIENCE_S,
            run.tell,
        )
    assert report["stage"] == "load"
    assert report["stageStatus"] == "failed"
    assert "Gemm" in report["message"]
    assert "operators" not in report
    assert run.job() is None


def _stored_bytes(run: Run) -> int:
    """What lies in the run's high-availability folder."""
    folder = f"{run.spec.folder.removeprefix('s3://flink/')}/ha"
    return sum(one["size"] for page in obstore.list(bucket("flink"), folder) for one in page)


def _await_another_job_manager(run: Run, before: int) -> None:
    eventually(
        "the JobManager is started again",
        lambda: run.job_manager()["status"]["containerStatuses"][0]["restartCount"] > before,
        PATIENCE_S,
        run.tell,
    )


def _await_scored(scored: Scored, version: str, count: int, run: Run) -> None:
    eventually(
        f"{count} records scored by version {version}",
        lambda: scored.poll() and len(scored.of(version)) >= count,
        PATIENCE_S,
        run.tell,
    )


def _await_all(feed: Feed, scored: Scored, run: Run) -> None:
    eventually(
        f"all {feed.sent} records are scored",
        lambda: scored.poll() >= feed.sent,
        PATIENCE_S,
        lambda: f"{len(scored.records)} are\n{run.tell()}",
    )


def _assert_once(feed: Feed, scored: Scored) -> None:
    seen = Counter(record["id"] for record in scored.records)
    assert sorted(seen) == list(range(feed.sent))
    assert {number: count for number, count in seen.items() if count > 1} == {}


def _assert_answers(scored: Scored, version: str, model: Path, run: Run) -> None:
    records = scored.of(version)
    assert {record["model_digest"] for record in records} == {read_model(model, size_limit=model.stat().st_size).digest}
    assert {record["revision"] for record in records} == {run.spec.revision}
    expected = answers(model, np.array([record["id"] for record in records], dtype=np.int64))
    given = np.array([record["probability"] for record in records], dtype=np.float32)
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-6)
