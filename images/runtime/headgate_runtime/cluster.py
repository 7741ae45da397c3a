"""The job's ``main()`` on Kubernetes: everything up to *ready*, a warm-up, then wait for *go*, then execute.

Started by Flink's Python driver in the JobManager (``-pym headgate_runtime.cluster``). Two ConfigMaps of the run are its only
tie to the operator: it reports its stages into ``<run>-status`` and reads ``<run>-go``. *Go* lasts, because main() runs
again after the JobManager was lost; Flink then restores its own last checkpoint and the savepoint path is of no account.

While another run of the same deployment has its *go*, this one has time: it warms up. The first run of a stream does not.

Environment: ``HEADGATE_JOB`` (the job.json), ``HEADGATE_RUN`` (the ConfigMaps' prefix) and, outside of Kubernetes,
``HEADGATE_GO_FILE`` (a file that holds the savepoint path, or nothing, once the job may start).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from headgate_runtime.application import execute, prepare
from headgate_runtime.configmaps import ConfigMaps
from headgate_runtime.environment import cluster_options
from headgate_runtime.errors import RuntimeFailure, Stage
from headgate_runtime.events import Events
from headgate_runtime.snapshots import find_snapshot
from headgate_runtime.tables import Place
from headgate_runtime.warmup import warm_up

DEFAULT_JOB = "/opt/headgate/job/job.json"
_DEPLOYMENT_LABEL = "headgate.dev/deployment"
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Go:
    """The word that a run may start. ``place``: from where, see :mod:`headgate_runtime.snapshots`."""

    place: str
    drop_state: bool = False


class Run(Protocol):
    """Where a run reports to and learns that it may start."""

    def report(self, status: dict[str, str]) -> None:
        """Tell the latest status; keys are replaced."""

    def go(self) -> Go | None:
        """From where to start, or None while the run must wait."""

    def waits_for_another(self, deployment: str, /) -> bool:
        """Whether another run of the deployment may be serving."""


class KubernetesRun:
    """A run whose status and *go* are ConfigMaps."""

    def __init__(self, name: str, config_maps: ConfigMaps) -> None:
        self.name, self.config_maps = name, config_maps

    def report(self, status: dict[str, str]) -> None:
        """Merge into ``<run>-status``."""
        self.config_maps.merge(f"{self.name}-status", status)

    def go(self) -> Go | None:
        """The keys ``savepoint`` and ``dropState`` of ``<run>-go``, which the operator creates."""
        data = self.config_maps.read(f"{self.name}-go")
        return None if data is None else Go(data.get("savepoint", ""), data.get("dropState") == "true")

    def waits_for_another(self, deployment: str, /) -> bool:
        """There is the *go* of another run."""
        names = self.config_maps.names(f"{_DEPLOYMENT_LABEL}={deployment}")
        return any(name.endswith("-go") and name != f"{self.name}-go" for name in names)


class FileRun:
    """A run outside of Kubernetes: *go* is a file, the status a line in the log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def report(self, status: dict[str, str]) -> None:
        """Leave it to the log."""
        logging.getLogger("headgate").info("status %s", json.dumps(status))

    def go(self) -> Go | None:
        """The file's content once it is there."""
        return Go(self.path.read_text(encoding="utf-8").strip()) if self.path.exists() else None

    def waits_for_another(self, _deployment: str, /) -> bool:
        """Nobody knows."""
        return False


class ReportingEvents(Events):
    """Events that the operator can read as well: the stage, and the failure where there is one."""

    def __init__(self, run: Run, stream: TextIO) -> None:
        super().__init__(stream)
        self.run = run

    def emit(self, event: str, **fields: object) -> None:
        """Write the event, and report stages and errors."""
        super().emit(event, **fields)
        if event == "stage":
            self.run.report({"stage": str(fields["stage"]), "stageStatus": str(fields["status"])})
        elif event == "signature":
            self.run.report({"signature": json.dumps(fields)})
        elif event == "error":
            self.run.report({"reason": str(fields["reason"]), "message": str(fields["message"])})


def main() -> None:
    """Run the start order; a failure is reported and ends the JobManager with a non-zero exit."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    go_file = os.environ.get("HEADGATE_GO_FILE")
    run: Run = FileRun(Path(go_file)) if go_file else KubernetesRun(os.environ["HEADGATE_RUN"], ConfigMaps.in_cluster())
    events = ReportingEvents(run, sys.stdout)
    try:
        start(Path(os.environ.get("HEADGATE_JOB", DEFAULT_JOB)), run, events)
    except RuntimeFailure as failure:
        events.emit("error", stage=failure.stage, reason=failure.reason, message=str(failure))
        raise SystemExit(1) from failure


def start(path: Path, run: Run, events: Events) -> None:
    """Everything up to *ready*, wait, execute."""
    run.report({"reason": "", "message": ""})
    ready = prepare(path, events, Place(), cluster_options)
    if run.go() is None and run.waits_for_another(ready.job.name):
        with events.stage(Stage.WARM_UP):
            warm_up(ready.job, ready.planned, lambda: run.go() is not None)
    operators = [{"id": o.id, "name": o.name} for o in ready.operators]
    run.report({"operators": json.dumps(operators), "revision": ready.job.revision})
    with events.stage(Stage.WAIT):
        while (go := run.go()) is None:
            time.sleep(_POLL_S)
        savepoint = find_snapshot(go.place)
    with events.stage(Stage.EXECUTE, f"from {savepoint}" if savepoint else "from the beginning"):
        execute(ready, savepoint, drop_state=go.drop_state)


if __name__ == "__main__":
    main()
