"""What the runtime tells its caller: one JSON object a line on standard output; logs go to standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from headgate_runtime.errors import RuntimeFailure, Stage

log = logging.getLogger("headgate")


class Events:
    """A writer of events."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.stream = stream

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event."""
        self.stream.write(json.dumps({"event": event, **fields}, default=str) + "\n")
        self.stream.flush()

    @contextmanager
    def stage(self, stage: Stage, message: str = "") -> Iterator[None]:
        """Report a stage's start, and its end with the seconds that it took; a failure passes through."""
        started = time.monotonic()
        log.info("stage %s started %s", stage, message)
        self.emit("stage", stage=stage, status="started", seconds=0.0, message=message)
        try:
            yield
        except RuntimeFailure as error:
            seconds = round(time.monotonic() - started, 3)
            log.error("stage %s failed after %.3f s: %s", stage, seconds, error)
            self.emit("stage", stage=stage, status="failed", seconds=seconds, message=str(error))
            raise
        seconds = round(time.monotonic() - started, 3)
        log.info("stage %s done in %.3f s", stage, seconds)
        self.emit("stage", stage=stage, status="done", seconds=seconds, message=message)
