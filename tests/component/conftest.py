"""Real servers for the component tests, each started when the first test asks for it and stopped at the end.

What a server needs must have been built before (``make lab-build``); a fixture says so when it is not.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.apiserver import KubeApi, kube_api
from lab.kafka import Kafka, kafka_broker
from lab.registry import Registry, registry_server, registry_with_referrers
from lab.s3 import S3Server, s3_server


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """etcd and kube-apiserver, with nothing stored."""
    with kube_api(tmp_path_factory.mktemp("kubernetes")) as api:
        yield api


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker without topics; each test takes topics of its own."""
    with kafka_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server without buckets; each test takes a bucket of its own."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty image registry; each test takes a repository of its own."""
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="session")
def referrers_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty image registry that has the referrers API."""
    with registry_with_referrers(tmp_path_factory.mktemp("referrers")) as server:
        yield server
