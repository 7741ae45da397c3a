"""Specs for stories: one pipeline, versions told apart by their label."""

from __future__ import annotations

from typing import Any

from headgate.api.load import load_modeldeployments
from headgate.api.model import GoldensSpec
from headgate.api.resources import ModelDeploymentSpec

_RESOURCE = """
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {name: churn, namespace: shop}
spec:
  model: {uri: s3://models/churn.onnx, version: "0"}
  pipeline:
    tables: |
      CREATE TABLE customers (id BIGINT, x FLOAT) WITH ('connector' = 'datagen');
      CREATE TABLE predictions (id BIGINT, y FLOAT) WITH ('connector' = 'print');
    input: SELECT id, x FROM customers
    key: id
    output: INSERT INTO predictions SELECT id, y FROM scored
  flink: {storage: {uri: "s3://state/churn"}}
  image: {repository: registry.example.com/churn}
"""

(_BASE,) = load_modeldeployments(_RESOURCE, source="story")


def version(label: str, **changes: Any) -> ModelDeploymentSpec:
    """The spec of a version. ``changes``: fields of it, ``rollout`` and ``parallelism`` by their parts, ``goldens`` by its address."""
    goldens = GoldensSpec(uri=uri) if (uri := changes.pop("goldens", "")) else None
    model = _BASE.spec.model.model_copy(update={"version": label, "goldens": goldens})
    flink = _BASE.spec.flink.model_copy(update={"parallelism": changes.pop("parallelism", 1)})
    rollout = _BASE.spec.rollout.model_copy(update=changes.pop("rollout", {}))
    return _BASE.spec.model_copy(update={"model": model, "flink": flink, "rollout": rollout, **changes})
