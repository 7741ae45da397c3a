"""Output that is right with and without a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.cli.console import cell, pairs, plural, size, table
from headgate.cli.progress import PlainLines, interruption
from headgate.local.protocol import Counts, ProgressEvent
from unit.local.kit import fake_java, fake_runtime_python, workspace


def test_a_table_is_aligned_numbers_to_the_right() -> None:
    rows = [("a", 1, 0.5), ("long name", 1000, None), ("c", 2, 12.0)]
    assert table(("name", "n", "p"), rows).splitlines() == [
        "  name          n  p",
        "  a             1  0.5",
        "  long name  1000",
        "  c             2  12",
    ]
    assert table(("name",), []) == "  name"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(None, "", id="null is nothing"),
        pytest.param(True, "true", id="a boolean as in SQL"),
        pytest.param(0.1 + 0.2, "0.3", id="a number is short"),
        pytest.param([1, 2], "[1, 2]", id="a list as JSON"),
        pytest.param("a\nb", "a b", id="one line"),
        pytest.param("x" * 60, "x" * 47 + "…", id="long text is cut"),
    ],
)
def test_a_cell(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_small_words() -> None:
    assert [size(one) for one in (0, 1023, 1536, 5 << 20, 3 << 30, 5 << 40)] == [
        *("0 B", "1023 B", "1.5 KiB", "5.0 MiB", "3.0 GiB", "5120.0 GiB")
    ]
    assert (plural(1, "row"), plural(12000, "row"), plural(2, "entry", "entries")) == (
        "1 row",
        "12,000 rows",
        "2 entries",
    )
    assert pairs([("a", 1), ("long", "x")]) == "  a     1\n  long  x"
    assert len({interruption(count) for count in (1, 2, 3)}) == 3


def test_plain_lines_hold_counts_back_and_never_lose_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines()
    for records, seconds in ((0, 0.5), (10, 1.0), (20, 2.0), (30, 3.0)):
        lines.saw(ProgressEvent(Counts(records, records, (), seconds)))
    lines.quiet()
    lines.quiet()
    assert capsys.readouterr().err == "10 of 10 scored, 10/s\n30 of 30 scored, 10/s\n"


def on_a_terminal(folder: Path, arguments: list[str], **variables: str) -> str:
    """What a person sees who runs the command on a terminal: stdout and stderr together."""
    leader, follower = pty.openpty()
    environ = os.environ | {
        "TERM": "xterm-256color",
        "COLUMNS": "120",
        "XDG_CACHE_HOME": str(folder / "c"),
        "XDG_STATE_HOME": str(folder / "s"),
        **variables,
    }
    program = "import sys; from headgate.cli.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=folder, stdout=follower, stderr=follower, env=environ
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 65_536):
            seen += chunk
    except OSError:
        pass  # the terminal is gone with its last writer
    finally:
        os.close(leader)
        process.wait()
    return seen.decode()


def test_a_run_on_a_terminal_moves_one_line_and_leaves_the_summary(tmp_path: Path) -> None:
    workspace(tmp_path)
    variables = {
        "HEADGATE_RUNTIME_PYTHON": str(fake_runtime_python(tmp_path / "python", "finish")),
        "JAVA_HOME": str(fake_java(tmp_path / "java", "21")),
    }
    seen = on_a_terminal(tmp_path, ["run", "sums.yaml", "--rows", "8"], **variables)
    assert "running" in seen
    assert "\x1b[2K" in seen
    assert "sums finished in 2.0 s" in seen
    assert "loading the model: done" not in seen


def test_an_error_is_coloured_on_a_terminal_unless_no_color_is_set(tmp_path: Path) -> None:
    assert "\x1b[31;1merror:\x1b[0m none.onnx" in on_a_terminal(tmp_path, ["inspect", "none.onnx"])
    plain = on_a_terminal(tmp_path, ["inspect", "none.onnx"], NO_COLOR="1")
    assert plain.startswith("error: none.onnx does not exist.")
    assert "\x1b" not in plain
