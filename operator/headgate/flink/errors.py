"""What can go wrong with Flink's REST API.

ClusterError
├── FlinkUnreachable   nobody answers there (the JobManager starts, moves or is gone)
└── FlinkRefused       it answered, and said no: a terminal reason in Flink's own words
"""

from __future__ import annotations

from headgate.errors import ClusterError, Disposition


class FlinkUnreachable(ClusterError):
    """Nobody answers; likely to pass."""

    reason = "FlinkUnreachable"


class FlinkRefused(ClusterError):
    """Flink answered that it cannot do what was asked."""

    reason = "FlinkRefused"
    disposition = Disposition.TERMINAL

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
