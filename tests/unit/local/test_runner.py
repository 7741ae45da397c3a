"""The child process: its events, its ends, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.errors import ToolMissing
from headgate.local.processes import group_alive
from headgate.local.protocol import Counts, ErrorEvent, Event, ProgressEvent, StageEvent, SummaryEvent
from headgate.local.runner import Child, Outcome, Patience, failure, run_child

FAKE = Path(__file__).parent / "fake_runtime.py"


def child(folder: Path, scenario: str) -> Child:
    return Child((sys.executable, str(FAKE), scenario), dict(os.environ), folder, folder / "logs" / "run.log")


class Ears:
    """Keeps what it hears; ``react`` is called with every event. The first silence after progress makes it
    press Ctrl-C."""

    def __init__(self, react: Callable[[Event], None] = lambda event: None) -> None:
        self.events: list[Event] = []
        self.interrupts: list[int] = []
        self.silences = 0
        self.react = react

    def saw(self, event: Event) -> None:
        self.events.append(event)
        self.react(event)

    def interrupted(self, count: int) -> None:
        self.interrupts.append(count)

    def quiet(self) -> None:
        if self.silences == 0 and any(isinstance(event, ProgressEvent) for event in self.events):
            self.silences += 1
            os.kill(os.getpid(), signal.SIGINT)


def run(folder: Path, scenario: str, patience: Patience | None = None) -> tuple[Outcome, list[Event]]:
    ears = Ears()
    return run_child(child(folder, scenario), ears, patience), ears.events


def interrupting(folder: Path, scenario: str, patience: Patience) -> tuple[Outcome, list[int]]:
    """A run in which a person presses Ctrl-C whenever a progress event comes."""

    def react(event: Event) -> None:
        if isinstance(event, ProgressEvent):
            os.kill(os.getpid(), signal.SIGINT)

    ears = Ears(react)
    return run_child(child(folder, scenario), ears, patience), ears.interrupts


def test_a_run_that_finishes_yields_its_events_in_order_and_its_summary(tmp_path: Path) -> None:
    outcome, events = run(tmp_path, "finish")
    counts = Counts(11, 8, (("NullFeature", 2), ("WrongShape", 1)), 2.0)
    assert outcome.status == 0
    assert outcome.summary is not None
    assert outcome.summary.counts == counts
    assert outcome.summary.state == "FINISHED"
    assert outcome.summary.first_rows[1] == {"id": 2, "probability": 0.75, "label": "yes"}
    assert events[0] == StageEvent("verify", "started", None, "")
    assert events[3] == StageEvent("load", "done", 0.5, "one model")
    assert [event.counts.records_in for event in events if isinstance(event, ProgressEvent)] == [6, 11]
    assert isinstance(events[-1], SummaryEvent)
    assert failure(outcome, tmp_path) is None


def test_the_rate_leaves_the_start_out_where_the_run_was_long_enough() -> None:
    def counts(scored: int, seconds: float) -> Counts:
        return Counts(scored, scored, (), seconds)

    summary = SummaryEvent(counts(1000, 10.0), "FINISHED", (), None)
    assert Outcome(0, summary, None, None, 0, counts(100, 6.0), counts(900, 8.0)).rate == 400.0
    assert Outcome(0, summary, None, None, 0, counts(100, 6.0), counts(900, 6.5)).rate == 100.0
    assert Outcome(0, summary, None, None, 0).rate == 100.0


def test_the_first_interrupt_stops_with_a_savepoint(tmp_path: Path) -> None:
    outcome, heard = interrupting(tmp_path, "stop", Patience())
    assert (outcome.status, heard) == (0, [1])
    assert outcome.summary is not None
    assert outcome.summary.savepoint == "/somewhere/savepoint-1"
    assert failure(outcome, tmp_path) is None


def test_silence_is_told_to_the_listener(tmp_path: Path) -> None:
    ears = Ears()
    outcome = run_child(child(tmp_path, "stop"), ears, Patience(quiet=0.5))
    assert outcome.summary is not None
    assert (ears.silences, ears.interrupts) == (1, [1])


def test_the_second_interrupt_cancels(tmp_path: Path) -> None:
    outcome, heard = interrupting(tmp_path, "cancel", Patience())
    assert (outcome.status, heard) == (0, [1, 2])
    assert outcome.summary is not None
    assert outcome.summary.state == "CANCELED"


def test_a_child_that_does_not_stop_is_killed_after_the_deadline(tmp_path: Path) -> None:
    outcome, _ = interrupting(tmp_path, "hang", Patience(stop=0.2, leave=0.2))
    assert outcome.status == -signal.SIGKILL
    error = failure(outcome, tmp_path / "run.log")
    assert str(error) == (
        f"The run was killed, since it did not stop in time when asked to. The log is {tmp_path / 'run.log'}."
    )


def test_the_callers_signal_handlers_are_back_afterwards(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    run(tmp_path, "finish")
    assert [signal.getsignal(number) for number in numbers] == before


def test_an_expected_failure_names_its_stage_and_reason(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "refuse")
    assert outcome.status == 1
    assert outcome.error == ErrorEvent("load", "ModelRefused", "The model needs opset 30.")
    assert str(failure(outcome, Path("a.log"))) == (
        "The run failed in stage load (ModelRefused): The model needs opset 30. The log is a.log."
    )


def test_a_crash_shows_the_last_lines_of_the_log(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "crash")
    log = tmp_path / "logs" / "run.log"
    assert str(failure(outcome, log)) == (
        f"The runtime ended with status 7 and gave no reason. Its last lines:\n  the last thing it said\n The log is {log}."
    )


def test_a_child_killed_from_outside_is_a_failure(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "vanish")
    assert outcome.status == -signal.SIGKILL
    assert str(failure(outcome, tmp_path / "none")).startswith("The runtime was ended by signal 9 and gave no reason.")


def test_stray_lines_go_to_the_log_and_not_to_the_listener(tmp_path: Path) -> None:
    outcome, events = run(tmp_path, "chatter")
    assert outcome.summary is not None
    assert len(events) == 6 * 2 + 1 + 2 + 1 + 1
    assert (tmp_path / "logs" / "run.log").read_text().splitlines() == [
        "a stray print",
        "[1, 2]",
        '{"event": "of a newer runtime"}',
        "no newline at the end",
    ]


def test_nothing_of_the_group_is_left_even_of_children_that_hold_stdout_and_ignore_sigterm(tmp_path: Path) -> None:
    outcome, events = run(tmp_path, "leave_children", Patience(leave=0.3))
    assert outcome.status == 0
    (group,) = [event.counts.records_in for event in events if isinstance(event, ProgressEvent)]
    assert not group_alive(group)


def test_nothing_of_the_group_is_left_when_the_listener_breaks(tmp_path: Path) -> None:
    groups: list[int] = []

    class Broken(Exception):
        pass

    def on_event(event: Event) -> None:
        if isinstance(event, ProgressEvent):
            groups.append(event.counts.records_in)
            raise Broken

    with pytest.raises(Broken):
        run_child(child(tmp_path, "leave_children"), Ears(on_event), Patience(leave=0.3))
    assert not group_alive(groups[0])


def test_a_program_that_is_not_there_is_missing(tmp_path: Path) -> None:
    nothing = Child((str(tmp_path / "python"),), {}, tmp_path, tmp_path / "log")
    with pytest.raises(ToolMissing, match=r"python cannot be started: No such file or directory\."):
        run_child(nothing, Ears())
