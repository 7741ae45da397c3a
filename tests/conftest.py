"""For all tests: property tests are judged by what they find, never by how fast a shared machine is."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# CI looks at the same examples every time; whoever works on the code looks at new ones.
settings.register_profile(
    "headgate",
    deadline=None,
    print_blob=True,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("headgate")
