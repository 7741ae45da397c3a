"""Servers in this process for the builder's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagekit.images import close_opened
from imagekit.index import Index, package_index
from imagekit.registry import FakeRegistry, fake_registry


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_opened()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """An empty registry that obeys until a test adds faults."""
    with fake_registry() as running:
        yield running


@pytest.fixture
def index() -> Iterator[Index]:
    """An empty Python package index."""
    with package_index() as running:
        yield running
