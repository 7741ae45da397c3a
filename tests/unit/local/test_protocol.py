"""Lines of the runtime's stdout as events."""

from __future__ import annotations

import pytest

from headgate.local.protocol import (
    Counts,
    ErrorEvent,
    Event,
    Operator,
    PlanEvent,
    ProgressEvent,
    StageEvent,
    SummaryEvent,
    parse_event,
)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        pytest.param(
            '{"event":"stage","stage":"load","status":"done","seconds":0.12,"message":"ok"}',
            StageEvent("load", "done", 0.12, "ok"),
            id="a stage",
        ),
        pytest.param(
            '{"event":"progress","in":3,"scored":2,"deadLetters":{"NullFeature":1},"seconds":2}',
            ProgressEvent(Counts(3, 2, (("NullFeature", 1),), 2.0)),
            id="progress",
        ),
        pytest.param(
            '{"event":"summary","in":3,"scored":2,"deadLetters":{"A":1,"B":4},"seconds":2,"firstRows":[{"a":1}],'
            '"savepoint":null,"state":"FINISHED"}',
            SummaryEvent(Counts(3, 2, (("B", 4), ("A", 1)), 2.0), "FINISHED", ({"a": 1},), None),
            id="a summary, the most frequent dead letter first",
        ),
        pytest.param(
            '{"event":"plan","text":"x","operators":[{"id":"1","name":"Source"}]}',
            PlanEvent("x", (Operator("1", "Source"),)),
            id="a plan",
        ),
        pytest.param(
            '{"event":"error","stage":null,"reason":"ContractRefused","message":"no"}',
            ErrorEvent("", "ContractRefused", "no"),
            id="an error outside of any stage",
        ),
        pytest.param("plain text", None, id="text is no event"),
        pytest.param("[1]", None, id="a list is no event"),
        pytest.param('{"event":"new"}', None, id="an unknown event is passed over"),
    ],
)
def test_a_line_is_parsed(line: str, event: Event | None) -> None:
    assert parse_event(line) == event


def test_the_rate_counts_scored_records_and_survives_no_time() -> None:
    assert Counts(30, 20, (), 4.0).rate == 5.0
    assert Counts(0, 0, (), 0.0).rate == 0.0
