"""The command line as a whole: help, versions, exit statuses, errors as sentences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.cli import inspect
from headgate.cli.commands import ENTRIES, Entry, load
from headgate.cli.main import main
from unit.local.kit import Said

Headgate = Callable[..., Said]
COMMANDS = [entry.name for entry in ENTRIES]


@pytest.mark.parametrize("command", [pytest.param(name, id=f"help of {name}") for name in COMMANDS])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_in_plain_text(headgate: Headgate, command: str, option: str) -> None:
    said = headgate(command, option)
    assert said.status == 0
    assert said.out.startswith(f"Usage: headgate {command} ")
    assert "\x1b" not in said.out
    assert not set("╭│╰") & set(said.out)


def test_every_command_says_what_it_does_without_being_cut(headgate: Headgate) -> None:
    said = headgate("--help")
    assert {"init", "inspect", "validate", "run", "explain", "convert", "crd"} <= set(said.out.split())
    assert "..." not in said.out.replace("[ARGS]...", "")


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.name) for entry in ENTRIES])
def test_the_line_of_a_command_begins_its_own_help(entry: Entry) -> None:
    assert load(entry).help.startswith(entry.help)


def test_help_imports_no_heavy_library(here: Path) -> None:
    program = (
        "import sys; from headgate.cli.main import main; main(['--help']); "
        "print(sorted({'onnx', 'onnxruntime', 'jgo', 'sqlglot', 'kubernetes', 'obstore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version(headgate: Headgate) -> None:
    said = headgate("--version")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("headgate 0.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["nonsense"], "No such command 'nonsense'", id="an unknown command"),
        pytest.param(["inspect"], "Missing argument 'MODEL'", id="a missing argument"),
        pytest.param(["run", "x.yaml", "--rows", "0"], "--rows", id="a number out of range"),
        pytest.param(["run", "x.yaml", "--bogus"], "--bogus", id="an unknown option"),
        pytest.param(["inspect", "m", "-o", "xml"], "xml", id="an unknown format"),
        pytest.param(["inspect", "m", "--size-limit", "big"], '"big" is not a quantity', id="an unreadable quantity"),
    ],
)
def test_wrong_usage_is_status_2(headgate: Headgate, arguments: list[str], told: str) -> None:
    said = headgate(*arguments)
    assert said.status == 2
    assert told in said.err
    assert said.out == ""


@pytest.mark.parametrize("command", ["inspect", "init", "convert"])
def test_an_expected_failure_is_status_1_and_one_sentence(headgate: Headgate, command: str) -> None:
    said = headgate(command, "none.onnx")
    assert said.status == 1
    assert "error: none.onnx does not exist." in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--debug", "inspect", "none.onnx"], id="before the command"),
        pytest.param(["inspect", "none.onnx", "--debug"], id="after the command"),
    ],
)
def test_debug_shows_where_an_error_comes_from(headgate: Headgate, arguments: list[str]) -> None:
    said = headgate(*arguments)
    assert said.status == 1
    assert "Traceback" in said.err
    assert said.err.rstrip().splitlines()[-1].startswith("error: none.onnx does not exist.")


def test_an_unexpected_error_is_a_sentence_that_names_debug(
    headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, *, size_limit: int) -> None:
        raise LookupError(f"a fault of ours at {path}\nwith a second line")

    monkeypatch.setattr(inspect, "inspect_model", broken)
    said = headgate("inspect", "m.onnx")
    assert said.status == 1
    assert said.err == (
        "error: Something unexpected happened: LookupError: a fault of ours at m.onnx. "
        "Run again with --debug to see where.\n"
    )
    assert "Traceback" in headgate("inspect", "m.onnx", "--debug").err


def test_an_interrupt_outside_of_a_run_is_status_130(headgate: Headgate, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, *, size_limit: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspect, "inspect_model", interrupted)
    assert headgate("inspect", "m.onnx").status in (1, 130)


def test_completion_is_offered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_HEADGATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "headgate in")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["init", "inspect"]
