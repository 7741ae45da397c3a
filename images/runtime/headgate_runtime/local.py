"""A run on the embedded cluster: starts it, follows its counts, stops it cleanly on a signal, sums it up."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyflink.common import JobClient

from headgate_runtime.application import execute, prepare
from headgate_runtime.bridge import JAVA_ERRORS, cause_of
from headgate_runtime.contract import Job
from headgate_runtime.environment import LocalPlace, job_options, local_options
from headgate_runtime.errors import DeadLetterReason, JobFailed, Stage
from headgate_runtime.events import Events, log
from headgate_runtime.tables import Place
from headgate_runtime.tally import FOLDER_VARIABLE, read_tallies

_POLL_S = 0.25
_STOP_ATTEMPTS = 20
_STOP_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How the job ended: FINISHED, CANCELED or FAILED with its reason."""

    state: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class LocalRun:
    """What the caller asked for."""

    job: Path
    tally: Path | None = None
    rows: int | None = None
    watch_ms: int | None = None
    jars: tuple[Path, ...] = ()
    savepoint_dir: Path | None = None
    from_savepoint: str | None = None


@dataclass(slots=True)
class Interruptions:
    """Signals received so far; the first asks for a clean stop, the second for the end."""

    count: int = 0
    wake: threading.Event = field(default_factory=threading.Event)

    def install(self) -> None:
        """Count SIGINT and SIGTERM from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._received)

    def _received(self, *_: Any) -> None:
        self.count += 1
        self.wake.set()


def run_locally(run: LocalRun, events: Events) -> None:
    """Run to the end (or the first signal); raises a :class:`RuntimeFailure` where the job fails."""
    interruptions = Interruptions()
    interruptions.install()
    with tempfile.TemporaryDirectory(prefix="headgate-run-") as scratch:
        work = Path(scratch)
        tally = run.tally or work / "tally"
        tally.mkdir(parents=True, exist_ok=True)
        (work / "tmp").mkdir()
        os.environ[FOLDER_VARIABLE] = str(tally)
        os.environ.setdefault("FLINK_LOG_DIR", str(work))
        ready = prepare(
            run.job, events, Place(Path.cwd(), run.watch_ms), lambda job: _options(job, run, work), row_limit=run.rows
        )
        started = time.monotonic()
        if interruptions.count:
            none = read_tallies(tally)
            none.pop("sample")
            events.emit("summary", **none, firstRows=[], seconds=0.0, state="CANCELED", savepoint=None)
            return
        with events.stage(Stage.EXECUTE):
            client = execute(ready, run.from_savepoint)
            stopper = Stopper(client, run.savepoint_dir or work / "savepoints", drain=run.savepoint_dir is None)
            ending = _follow(client, stopper, run, tally, interruptions, events, started)
            counts = read_tallies(tally)
            seconds = round(time.monotonic() - started, 3)
            events.emit(
                "summary",
                **{k: v for k, v in counts.items() if k != "sample"},
                firstRows=counts["sample"],
                seconds=seconds,
                state=ending.state,
                savepoint=stopper.savepoint if run.savepoint_dir else None,
            )
            if ending.failure is not None:
                raise JobFailed(ending.failure)


def _options(job: Job, run: LocalRun, work: Path) -> dict[str, str]:
    options = local_options(job, LocalPlace(work, run.jars)) | job_options(job)
    return options | {"parallelism.default": "1"} if run.rows is not None else options


@dataclass(slots=True)
class Stopper:
    """Stops a job with a savepoint, in the background, so that progress goes on meanwhile."""

    client: JobClient
    folder: Path
    drain: bool
    savepoint: str | None = None
    problem: str | None = None
    asked: bool = False

    def ask(self) -> None:
        """Stop with savepoint; asking twice is asking once."""
        if self.asked:
            return
        self.asked = True
        self.folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        # A job whose tasks are not all up yet refuses a savepoint; it is asked again until they are.
        for _ in range(_STOP_ATTEMPTS):
            try:
                job, formats = self.client._j_job_client, _savepoint_format()
                self.savepoint = str(job.stopWithSavepoint(self.drain, self.folder.as_uri(), formats).get())
            except JAVA_ERRORS as error:
                problem = cause_of(error)
                time.sleep(_STOP_AGAIN_S)
            else:
                return
        self.problem = problem


def _savepoint_format() -> Any:
    from pyflink.java_gateway import get_gateway

    return get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.CANONICAL


def _cancel(client: JobClient) -> None:
    try:
        client._j_job_client.cancel()
    except JAVA_ERRORS as error:
        # Too early, or over already: the job's own end tells, and the next look cancels again.
        log.info("cancelling: %s", cause_of(error))


def _follow(
    client: JobClient,
    stopper: Stopper,
    run: LocalRun,
    tally: Path,
    interruptions: Interruptions,
    events: Events,
    started: float,
) -> Ending:
    result = client._j_job_client.getJobExecutionResult()
    seen: dict[str, Any] = {}
    while not result.isDone():
        counts = {k: v for k, v in read_tallies(tally).items() if k != "sample"}
        if counts != seen:
            seen = counts
            events.emit("progress", **counts, seconds=round(time.monotonic() - started, 3))
        # A line that does not parse never reaches the step, so it is none of the rows that were asked for.
        reached = counts["in"] - counts["deadLetters"].get(DeadLetterReason.UNPARSABLE_RECORD, 0)
        enough = run.rows is not None and reached >= run.rows
        if interruptions.count or enough:
            stopper.ask()
        if interruptions.count > 1 or stopper.problem:
            _cancel(client)
        interruptions.wake.wait(_POLL_S)
        interruptions.wake.clear()
    try:
        result.get()
    except JAVA_ERRORS as error:
        cancelled = interruptions.count > 1 or stopper.problem is not None
        return Ending("CANCELED", None) if cancelled else Ending("FAILED", cause_of(error))
    return Ending("FINISHED", None)
