"""A first job that nobody sees, so that the real one is not the first: a waiting run's JVMs load their classes, and its worker
starts, while another version still serves.

It scores a few made-up rows with the real step and throws the answers away. It reads no table and writes none, keeps no
checkpoint, and is no job of the application: whatever becomes of it, the run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pyflink.common import JobClient, JobStatus
from pyflink.datastream import StreamExecutionEnvironment

from headgate_runtime.bridge import cause_of, columns_of, submit_apart, without_checkpoints
from headgate_runtime.columns import Column
from headgate_runtime.contract import Job
from headgate_runtime.environment import cluster_options, create_environment
from headgate_runtime.events import log
from headgate_runtime.planner import Planned, plan_discarded

NAME = "headgate warm-up"
"""The job's name: the operator passes it over by it."""
ROWS = 16
_OPTIONS = {"restart-strategy.type": "none"}
_POLL_S = 0.2
_PATIENCE_S = 60.0
_ENDING_S = 20.0
_ENDED = {JobStatus.FINISHED, JobStatus.FAILED, JobStatus.CANCELED}


def warm_up(job: Job, planned: Planned, unwanted: Callable[[], bool]) -> None:
    """Run the job to its end; it is cancelled as soon as it is ``unwanted``, and after a minute. Failures are only logged."""
    try:
        client = submit_apart(plan_warm_up(job, planned, cluster_options(job)), NAME)
        if not _ends(client, _PATIENCE_S, unwanted):
            client.cancel().result()
            # The real job wants the slots.
            _ends(client, _ENDING_S)
    except Exception as error:  # noqa: BLE001  # a version must never fail by what it could have done without
        log.warning("the warm-up failed, which harms nothing: %s", cause_of(error))


def plan_warm_up(job: Job, planned: Planned, options: dict[str, str]) -> StreamExecutionEnvironment:
    """The job, attached to an environment of its own that has ``options`` of the cluster."""
    (_, source), *_rest = planned.parts
    env, t_env = create_environment(options | _OPTIONS)
    rows = ", ".join(["(0)"] * ROWS)
    fields = ", ".join(f"{_value(column)} AS {column.quoted}" for column in columns_of(source))
    made_up = t_env.sql_query(f"SELECT {fields} FROM (VALUES {rows}) AS hg_rows (hg_row)")
    plan_discarded(t_env, job, planned.step, made_up).attach_as_datastream()
    # Whoever looks for the run's snapshots must find none of this job. Attaching has set what the options say.
    without_checkpoints(env)
    return env


_VALUES = {
    "CHAR": "'0'", "VARCHAR": "'0'", "BOOLEAN": "FALSE", "TINYINT": "0", "SMALLINT": "0", "INTEGER": "0", "BIGINT": "0",
    "FLOAT": "0", "DOUBLE": "0", "DECIMAL": "0",
}  # fmt: skip


def _value(column: Column) -> str:
    # What has no simple value is missing: the record becomes a dead letter, on the same way through the job.
    value = f"CAST({_VALUES.get(column.root, 'NULL')} AS {column.sql})"
    # A value that may be missing must not look like a constant, or the planner decides what the step is to find out.
    return f"CASE WHEN RAND() < 2 THEN {value} END" if column.nullable else value


def _ends(client: JobClient, seconds: float, unwanted: Callable[[], bool] = lambda: False) -> bool:
    """Whether the job comes to its end within so long, and before it is unwanted."""
    until = time.monotonic() + seconds
    while client.get_job_status().result() not in _ENDED:
        if unwanted() or time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True
