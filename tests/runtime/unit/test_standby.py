"""A standby and its clients as real processes: a fork runs what was asked for, as a plain Python would have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headgate_runtime import standby, standby_client

CLIENT = Path(standby_client.__file__)
ROOT = CLIENT.parents[1]


@contextmanager
def serving(address: Path, modules: str = "()") -> Iterator[subprocess.Popen[str]]:
    """A standby that listens."""
    code = f"from pathlib import Path; from headgate_runtime.standby import serve; serve(Path({str(address)!r}), {modules})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        while not address.exists():
            assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where one that loaded ``json.tool`` listens."""
    path = tmp_path_factory.mktemp("standby") / "socket"
    with serving(path, "('json.tool',)"):
        yield path


def start(address: Path | None, *argv: str, **more: str) -> subprocess.Popen[str]:
    """The client, as ``bin/worker-python`` starts it; ``python3`` on its path is this one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, **({standby.ADDRESS: str(address)} if address else {}), **more}
    command = [sys.executable, "-I", "-S", str(CLIENT), *argv]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def run(address: Path | None, *argv: str, text: str = "", **more: str) -> tuple[int, str, str]:
    """Exit status, output and complaints of a client."""
    process = start(address, *argv, **more)
    out, complaints = process.communicate(text, timeout=60)
    return process.returncode, out, complaints


WHO = "import os, sys; print(os.getppid(), sorted(m for m in sys.modules if m == 'json.tool'))"


def test_a_worker_is_a_fork_that_has_what_the_standby_loaded(tmp_path: Path) -> None:
    with serving(tmp_path / "socket", "('json.tool',)") as process:
        assert run(tmp_path / "socket", "-c", WHO) == (0, f"{process.pid} ['json.tool']\n", "")


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(("-c", "import os; print(os.getcwd(), os.environ['SAID'], 'BEAM' in os.environ)"), id="place and environment"),
        pytest.param(("-c", "import sys; print(sys.stdin.read()); print('no', file=sys.stderr); sys.exit(3)"), id="files and status"),
        pytest.param(("-c", "import sys; sys.exit('it is late')"), id="a reason to end"),
        pytest.param(("-m", "json.tool", "--no-indent"), id="a module that is loaded already"),
        pytest.param(("-m", "base64", "-e"), id="a module that is not"),
    ],
)  # fmt: skip
def test_it_is_like_a_plain_python(address: Path, argv: tuple[str, ...]) -> None:
    assert run(address, *argv, text="[1, 2]", SAID="x") == run(None, *argv, text="[1, 2]", SAID="x")


def test_what_it_raises_is_told_as_always(address: Path) -> None:
    status, _, complaints = run(address, "-c", "1 / 0")
    assert (status, complaints.splitlines()[-1]) == (1, "ZeroDivisionError: division by zero")


def test_the_workers_path_is_the_environments(address: Path, tmp_path: Path) -> None:
    (tmp_path / "hg_only_here.py").write_text("print('found')")
    assert run(address, "-m", "hg_only_here", PYTHONPATH=str(tmp_path)) == (0, "found\n", "")


def test_without_a_standby_it_is_a_plain_python(tmp_path: Path) -> None:
    assert run(tmp_path / "nobody", "-c", "print('alone')") == (0, "alone\n", "")


def test_a_client_that_came_before_everything_was_loaded_goes_on_alone_where_loading_fails(tmp_path: Path) -> None:
    with serving(tmp_path / "socket", "('no_such_module',)"):
        assert run(tmp_path / "socket", "-c", "print('alone')") == (0, "alone\n", "")


def test_a_worker_that_is_killed_is_a_failure_and_the_standby_goes_on(address: Path) -> None:
    status, _, _ = run(address, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert status == 1
    assert run(address, "-c", "print('next')") == (0, "next\n", "")


def test_a_worker_ends_with_its_client(address: Path) -> None:
    client = start(address, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    assert client.stdout is not None
    worker = int(client.stdout.readline())
    client.send_signal(signal.SIGKILL)
    # The worker holds the other end: reading ends when it does.
    assert client.stdout.read() == ""
    client.communicate()
    assert not Path(f"/proc/{worker}/fd/0").exists()


def test_nobody_else_may_ask(address: Path) -> None:
    assert address.stat().st_mode & 0o777 == 0o600


def test_what_is_loaded_leaves_one_thread_to_fork() -> None:
    code = (
        "import importlib, os\nfrom headgate_runtime.standby import MODULES\n"
        "for name in MODULES: importlib.import_module(name)\n"
        "import threading; print(threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr[-2000:]
