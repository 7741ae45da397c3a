"""Which object a line of the log is about: said once around a round, and then part of every record.

``handlers`` opens :func:`about` around a round. kopf's formatters look for the reference that is put on a record here: its
JSON lines get a field ``object`` with namespace and name, its text lines a prefix.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from headgate.api.resources import API_VERSION, KIND

_ABOUT: ContextVar[tuple[str, str] | None] = ContextVar("headgate_about", default=None)


@contextmanager
def about(namespace: str, name: str) -> Iterator[None]:
    """Records that are logged inside, in this thread or task, are about that ModelDeployment."""
    token = _ABOUT.set((namespace, name))
    try:
        yield
    finally:
        _ABOUT.reset(token)


def install(*loggers: str) -> None:
    """Put the reference on the records of these loggers; twice is once."""
    for name in loggers:
        logger = logging.getLogger(name)
        if _refer not in logger.filters:
            logger.addFilter(_refer)


def _refer(record: logging.LogRecord) -> bool:
    found = _ABOUT.get()
    if found is not None and not hasattr(record, "k8s_ref"):
        record.k8s_ref = {"apiVersion": API_VERSION, "kind": KIND, "namespace": found[0], "name": found[1]}
    return True
