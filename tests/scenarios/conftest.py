"""A fresh world for every story."""

from __future__ import annotations

import pytest

from scenarios.story import Story


@pytest.fixture
def story() -> Story:
    """Version 1 is applied, and nothing has happened yet."""
    return Story()
