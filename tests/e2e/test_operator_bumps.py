"""Many versions in a row over one stream under load: nothing lost, nothing twice, and every pause on the stopwatch.

``HEADGATE_E2E_BUMPS=20 make e2e CASE=tests/e2e/test_operator_bumps.py``: about a minute for each. Without the variable it is left
out, since the other tests change versions four times.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from e2e.models import classifier
from e2e.operated import PATIENCE_S, Stream, assert_once
from e2e.stopwatch import STOPWATCH
from e2e.stream import Scored, feeding

_BUMPS = int(os.environ.get("HEADGATE_E2E_BUMPS", "0"))
_RECORDS_PER_SECOND = 100


@pytest.mark.skipif(not _BUMPS, reason="HEADGATE_E2E_BUMPS says how many")
def test_version_after_version(operator: str, tenant: str, tmp_path: Path) -> None:
    versions = [str(number) for number in range(1, _BUMPS + 2)]
    stream = Stream(tmp_path, tenant)
    for version in versions:
        stream.upload(version, lambda path, seed=int(version): classifier(path, seed=seed))
    with feeding(f"{stream.name}-in", _RECORDS_PER_SECOND) as feed, Scored(f"{stream.name}-out") as scored:
        try:
            stream.apply("1")
            stream.await_ready("1")
            for before, version in pairwise(versions):
                stream.apply(version)
                status = stream.await_ready(version)
                STOPWATCH.add(
                    f"bump {before} to {version}: stop asked to every task running", status["handOverSeconds"]
                )
                stream.await_scored(scored, version, fresh=100)
            feed.stop()
            stream.await_all(feed, scored, PATIENCE_S)
            assert_once(feed, scored)
            assert sorted({r["model_version"] for r in scored.records}, key=int) == versions
            assert stream.status()["run"]["restarts"] == 0
        finally:
            feed.stop()
            stream.clean()
