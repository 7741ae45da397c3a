"""A run's status ConfigMap, as its ``main()`` writes it, read into what the planning judges; nonsense is as good as nothing."""

from __future__ import annotations

import pytest

from headgate.kube.runs import _report
from headgate.planning.observation import RuntimeReport, Signature


def test_a_report_is_read_field_by_field() -> None:
    data = {
        "stage": "goldens",
        "stageStatus": "failed",
        "reason": "GoldensFailed",
        "message": "1 of 2 golden rows",
        "operators": '[{"id": "ab", "name": "Source: c"}]',
        "bounded": "true",
        "signature": '{"inputs": {"x": "float32 [?, 2]"}, "outputs": {"y": "float32 [?, 1]"}}',
    }
    assert _report(data) == RuntimeReport(
        stage="goldens",
        done=False,
        reason="GoldensFailed",
        message="1 of 2 golden rows",
        operators=(("ab", "Source: c"),),
        bounded=True,
        signature=Signature((("x", "float32 [?, 2]"),), (("y", "float32 [?, 1]"),)),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param('{"inputs": {}}', id="half of it"),
        pytest.param('{"inputs": [], "outputs": []}', id="lists inside"),
    ],
)
def test_a_signature_that_cannot_be_read_is_unknown(text: str) -> None:
    assert _report({"signature": text}).signature is None
