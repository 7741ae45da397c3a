"""Programs of the lab are started, watched and ended: an early end is said at once, and none outlives its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.errors import StartError
from lab.network_ports import accepts, free_ports
from lab.places import LAB_FOLDER
from lab.processes import Program, ended, pid_gone, start, stop, wait_ready


def program(folder: Path, script: str, ready: str | None = "never", **more: float) -> Program:
    """A shell script as a program; ``ready`` is its answer to the question."""
    return Program("script", ("/bin/sh", "-c", script), lambda: ready, folder / "script.log", **more)


def test_a_program_that_ends_is_not_waited_for_and_its_last_words_are_told(tmp_path: Path) -> None:
    began = time.monotonic()
    running = start(program(tmp_path, "echo the disk is full; exit 3"))
    with pytest.raises(StartError, match=r"ended with status 3(.|\n)*the disk is full"):
        wait_ready(running)
    assert time.monotonic() - began < 10


def test_a_program_that_is_never_ready_is_given_up_with_what_it_lacks(tmp_path: Path) -> None:
    running = start(program(tmp_path, "echo waiting; exec sleep 60", "the door is closed", start_seconds=0.3))
    try:
        with pytest.raises(StartError, match="not ready after 0 s: the door is closed"):
            wait_ready(running)
    finally:
        stop(running)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="ghost could not be started"):
        start(Program("ghost", (str(tmp_path / "ghost"),), lambda: None, tmp_path / "ghost.log"))


def test_one_that_ignores_the_first_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 60 & echo $! > child; : > ready; wait; wait"
    stubborn = Program(
        "stubborn", ("/bin/sh", "-c", script),
        lambda: None if (tmp_path / "ready").exists() else "not yet",
        tmp_path / "log", folder=tmp_path, stop_seconds=0.3,
    )  # fmt: skip
    running = start(stubborn)
    wait_ready(running)
    stop(running)
    assert ended(running, 0)
    assert pid_gone(int((tmp_path / "child").read_text()), 5)


def test_a_server_does_not_outlive_a_starter_that_is_killed(tmp_path: Path) -> None:
    starter = f"""
import pathlib, signal, sys
sys.path.insert(0, {str(LAB_FOLDER.parent)!r})
from lab.s3 import s3_server
with s3_server(pathlib.Path({str(tmp_path)!r})) as server:
    print(server.endpoint, flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        served = children(process.pid)
        assert len(served) == 1
        os.kill(process.pid, signal.SIGKILL)
    assert pid_gone(served[0], 10)
    assert accepts("127.0.0.1", port)() is not None


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(accepts("127.0.0.1", port)() is not None for port in ports)
