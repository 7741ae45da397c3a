"""A stream that the operator looks after: what a person has on the cluster before it, what they apply, and what they look at."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import obstore

from e2e.cluster import apply, ask_kubectl, delete, eventually, kubectl, listed, read, tell_pods, watching
from e2e.models import FEATURES, answers, features
from e2e.stores import bucket
from e2e.stream import Feed, Scored, make_topics
from headgate.models.reader import read_model
from headgate.planning.runspec import DEPLOYMENT_LABEL
from lab.cluster.layout import KAFKA, REGISTRY, S3, S3_ACCESS_KEY, S3_SECRET_KEY

PATIENCE_S = 240
"""For anything that pods do: the machine may be busy with other things."""

_RESOURCE = "modeldeployments.headgate.dev"
_TABLES = """\
CREATE TABLE records (id BIGINT, a FLOAT, b FLOAT, c FLOAT, d FLOAT) WITH (
  'connector' = 'kafka', 'topic' = '{name}-in', 'properties.bootstrap.servers' = '${{secret:{name}-kafka/address}}',
  'properties.group.id' = '{name}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE scores (id BIGINT, probability FLOAT, model_version STRING, model_digest STRING, revision STRING) WITH (
  'connector' = 'kafka', 'topic' = '{name}-out', 'properties.bootstrap.servers' = '${{secret:{name}-kafka/address}}',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{name}',
  'properties.transaction.timeout.ms' = '600000', 'format' = 'json');
"""


@dataclass
class Stream:
    """One ModelDeployment with its Secrets and topics; its models lie in the lab's S3."""

    folder: Path
    namespace: str
    name: str = field(default_factory=lambda: f"op-{uuid.uuid4().hex[:6]}")
    models: dict[str, Path] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        credentials = f"[default]\naws_access_key_id = {S3_ACCESS_KEY}\naws_secret_access_key = {S3_SECRET_KEY}\n"
        store = {
            "aws_access_key_id": S3_ACCESS_KEY, "aws_secret_access_key": S3_SECRET_KEY, "aws_region": "us-east-1",
            "aws_endpoint": S3, "aws_allow_http": "true", "aws_virtual_hosted_style_request": "false",
        }  # fmt: skip
        self.secrets = (
            self._secret("kafka", {"address": KAFKA}),
            self._secret("storage", {"credentials": credentials}),
            self._secret("models", store),
        )
        apply(*self.secrets)
        make_topics(f"{self.name}-in", f"{self.name}-out")
        self.spec = {
            "model": {"inputs": {"features": ["a", "b", "c", "d"]}, "secret": f"{self.name}-models"},
            "pipeline": {
                "tables": _TABLES.format(name=self.name),
                "input": "SELECT id, a, b, c, d FROM records",
                "key": "id",
                "output": "INSERT INTO scores SELECT id, probability, model_version, model_digest, revision FROM scored",
            },
            "flink": {
                "checkpointInterval": "3s",
                "jobManager": {"cpu": "200m", "memory": "1Gi"},
                "taskManager": {"cpu": "200m", "memory": "1536Mi"},
                "storage": {"uri": "s3://flink", "secret": f"{self.name}-storage"},
                "config": {"s3.endpoint": S3, "s3.region": "us-east-1", "s3.path-style-access": "true"},
            },
            "image": {"repository": f"{REGISTRY}/e2e/{self.name}"},
        }

    def _secret(self, what: str, values: dict[str, str]) -> dict[str, Any]:
        metadata = {"name": f"{self.name}-{what}", "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}

    # ---- what a person does -------------------------------------------------------------------------------------------

    def upload(self, version: str, make: Callable[[Path], Path]) -> None:
        """Put a model where ``apply`` finds it."""
        self.models[version] = make(self.folder / f"{version}.onnx")
        self._put(f"{version}/model.onnx", self.models[version].read_bytes())

    def upload_goldens(self, version: str) -> str:
        """Put rows with the answers of that version's model beside it; gives their address."""
        ids = np.arange(8)
        expected = answers(self.models[version], ids)
        lines = [
            json.dumps(dict(zip(FEATURES, map(float, row), strict=True)) | {"probability": float(answer)})
            for row, answer in zip(features(ids), expected, strict=True)
        ]
        return self._put(f"{version}/goldens.jsonl", "\n".join(lines).encode())

    def _put(self, path: str, content: bytes) -> str:
        obstore.put(bucket("models"), f"{self.name}/{path}", content)
        return self._address(path)

    def _address(self, path: str) -> str:
        return f"s3://models/{self.name}/{path}"

    def apply(self, version: str, **changes: Any) -> None:
        """``kubectl apply`` with that version of the model; ``changes`` of the spec stay."""
        self.spec |= changes
        model = self.spec["model"] | {"uri": self._address(f"{version}/model.onnx"), "version": version}
        self.spec["model"] = model
        metadata = {"name": self.name, "namespace": self.namespace}
        apply(
            {"apiVersion": "headgate.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata, "spec": self.spec}
        )

    def annotate(self, name: str, value: str) -> None:
        """Set one of Headgate's annotations."""
        kubectl("-n", self.namespace, "annotate", "--overwrite", _RESOURCE, self.name, f"headgate.dev/{name}={value}")

    def delete(self) -> None:
        """As a person would, without waiting."""
        kubectl("-n", self.namespace, "delete", _RESOURCE, self.name, "--ignore-not-found", "--wait=false")

    # ---- what a person looks at ---------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The object's status; empty where there is none yet."""
        found = read(self.namespace, _RESOURCE, self.name)
        return dict((found or {}).get("status") or {})

    def condition(self, kind: str) -> dict[str, Any]:
        """One condition; empty where it is not there."""
        return next((one for one in self.status().get("conditions", []) if one["type"] == kind), {})

    def await_ready(self, version: str, seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Until that version serves and the object is Ready for the present spec; gives the status."""

        def ready() -> dict[str, Any] | None:
            found = read(self.namespace, _RESOURCE, self.name)
            status = dict((found or {}).get("status") or {})
            told = next((one for one in status.get("conditions", []) if one["type"] == "Ready"), {})
            current = found is not None and told.get("observedGeneration") == found["metadata"]["generation"]
            serves = (status.get("serving") or {}).get("version") == version
            return status if current and serves and told.get("status") == "True" else None

        return eventually(f"version {version} of {self.name} serves", ready, seconds, self.tell)

    def await_status(self, what: str, holds: Callable[[dict[str, Any]], Any], seconds: float = PATIENCE_S) -> Any:
        """Until something holds of the status; gives what ``holds`` gave."""
        return eventually(what, lambda: holds(self.status()), seconds, self.tell)

    def await_stage(self, stage: str, seconds: float = PATIENCE_S) -> None:
        """Until a hand-over is in that stage; told by a watch, since a stage may be over in a second."""
        with watching(self.namespace, _RESOURCE, self.name, "{.status.handOver.stage}", seconds) as seen:
            assert stage in seen, self.tell()

    def await_scored(self, scored: Scored, version: str, fresh: int = 300, seconds: float = PATIENCE_S) -> None:
        """Until so many more records were scored by a version."""
        scored.poll()
        wanted = len(scored.of(version)) + fresh
        eventually(
            f"{fresh} records scored by version {version}",
            lambda: scored.poll() and len(scored.of(version)) >= wanted,
            seconds,
            self.tell,
        )

    def await_all(self, feed: Feed, scored: Scored, seconds: float = PATIENCE_S) -> None:
        """Until there are as many answers as records."""
        eventually(
            f"all {feed.sent} records are scored",
            lambda: scored.poll() >= feed.sent,
            seconds,
            lambda: f"{len(scored.records)} are\n{self.tell()}",
        )

    def events(self) -> list[str]:
        """Reasons that were told, oldest first."""
        found = listed(self.namespace, "events.events.k8s.io")
        mine = [e for e in found if (e.get("regarding") or {}).get("name") == self.name]
        return [str(e["reason"]) for e in sorted(mine, key=lambda e: str(e.get("eventTime") or ""))]

    def run(self) -> str:
        """The name of the serving run."""
        return str((self.status().get("run") or {}).get("name", ""))

    def pod(self, component: str) -> dict[str, Any]:
        """The serving run's pod of that component."""
        selector = f"headgate.dev/run={self.run()},app.kubernetes.io/component={component}"
        pods = listed(self.namespace, "pods", selector)
        assert pods, self.tell()
        return pods[0]

    def leftovers(self) -> list[str]:
        """Everything on the cluster that was made for the deployment, Flink's own ConfigMaps included."""
        kinds = (
            "jobs,deployments,pods,services,networkpolicies,configmaps,serviceaccounts,roles,rolebindings,"
            "modelrevisions.headgate.dev"
        )
        labelled = kubectl("-n", self.namespace, "get", kinds, "-l", f"{DEPLOYMENT_LABEL}={self.name}", "-o", "name")
        flinks = kubectl("-n", self.namespace, "get", "configmaps", "-l", "type=flink-native-kubernetes", "-o", "name")
        return labelled.split() + [one for one in flinks.split() if f"/{self.name}-r" in one]

    def tell(self) -> str:
        """What a person would look at first."""
        shown = ask_kubectl("-n", self.namespace, "get", _RESOURCE, self.name, "-o", "yaml").stdout
        return f"{shown}\n{tell_pods(self.namespace, f'{DEPLOYMENT_LABEL}={self.name}')}"

    def clean(self) -> None:
        """Nothing of it stays, even where a test failed in the middle."""
        if read(self.namespace, _RESOURCE, self.name) is not None:
            self.annotate("force-delete", "true")
            self.delete()
            eventually(
                "the object is gone", lambda: read(self.namespace, _RESOURCE, self.name) is None, PATIENCE_S, self.tell
            )
        delete(self.namespace, self.secrets)

    # ---- what must hold -----------------------------------------------------------------------------------------------

    def assert_answers(self, scored: Scored, version: str) -> None:
        """Each of a version's records has its digest, and the answer that plain onnxruntime gives."""
        records, model = scored.of(version), self.models[version]
        assert {r["model_digest"] for r in records} == {read_model(model, size_limit=model.stat().st_size).digest}
        expected = answers(model, np.array([r["id"] for r in records], dtype=np.int64))
        given = np.array([r["probability"] for r in records], dtype=np.float32)
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-6)


def assert_once(feed: Feed, scored: Scored) -> None:
    """Every id is there, and none twice."""
    seen = Counter(record["id"] for record in scored.records)
    assert {number: count for number, count in seen.items() if count > 1} == {}
    assert sorted(seen) == list(range(feed.sent))


def longest_gap(scored: Scored, since: float = 0) -> float:
    """Seconds without an answer, by the clock of whoever wrote them into Kafka; ``since``: a time of that clock."""
    times = sorted(one for one in scored.times if one >= since)
    return max((after - before for before, after in pairwise(times)), default=0)


def moment(text: str) -> float:
    """Seconds since the epoch of a status' time."""
    return datetime.fromisoformat(text).timestamp()
