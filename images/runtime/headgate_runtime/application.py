"""The start order: contract, verify, load, smoke, plan, goldens, ready, wait, execute.

The same on a laptop and in a cluster; only the place and who says *go* differ. A version that is bad fails in here, before it
meets a record, and the failure names its stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyflink.common import Configuration, JobClient
from pyflink.datastream import StreamExecutionEnvironment

from headgate_runtime.bridge import JAVA_ERRORS, cause_of, columns_of
from headgate_runtime.contract import Job, read_job
from headgate_runtime.environment import create_environment
from headgate_runtime.errors import PlanRefused, Stage
from headgate_runtime.events import Events
from headgate_runtime.goldens import check_goldens
from headgate_runtime.model import Model, has_free_shapes, load_model, smoke, verify_files
from headgate_runtime.operators import Operator, operators_of
from headgate_runtime.planner import Planned, plan_pipeline
from headgate_runtime.secrets import HIDDEN
from headgate_runtime.signature import explain_missing, signature_of
from headgate_runtime.tables import Place


@dataclass(frozen=True, slots=True)
class Ready:
    """A job that only waits for *go*: planned, with the ids that a savepoint will be matched by."""

    job: Job
    env: StreamExecutionEnvironment
    planned: Planned
    operators: tuple[Operator, ...]
    explanation: str


def prepare(
    path: Path,
    events: Events,
    place: Place,
    options_of: Callable[[Job], dict[str, str]],
    *,
    row_limit: int | None = None,
    explain: bool = False,
) -> Ready:
    """Everything up to *ready*; raises the :class:`RuntimeFailure` of the stage that fails."""
    with events.stage(Stage.CONTRACT, path.name):
        job = read_job(path)
    model = _usable_model(job, events)
    with events.stage(Stage.PLAN):
        env, t_env = create_environment(options_of(job))
        try:
            planned = plan_pipeline(t_env, job, model, place, row_limit=row_limit)
        except PlanRefused as error:
            raise PlanRefused(explain_missing(t_env, error.message)) from error
        try:
            explanation = HIDDEN.hide(planned.explain()) if explain else ""
            planned.statements.attach_as_datastream()
            operators = operators_of(env)
        except JAVA_ERRORS as error:
            raise PlanRefused(f"Flink cannot plan the pipeline: {cause_of(error)}") from error
    if job.model.goldens is not None:
        # After the plan, since only the plan says which columns feed the model and how.
        with events.stage(Stage.GOLDENS, f"version {job.model.version}"):
            (_, source), *_rest = planned.parts
            check_goldens(planned.step, model, columns_of(source), job.pipeline.key)
    with events.stage(Stage.READY, f"{len(operators)} operators"):
        return Ready(job, env, planned, operators, explanation)


def _usable_model(job: Job, events: Events) -> Model:
    for model in job.models:
        label = f"version {model.version}"
        with events.stage(Stage.VERIFY, label):
            verify_files(model)
    with events.stage(Stage.LOAD, f"version {job.model.version}"):
        loaded = load_model(job.model)
        events.emit("signature", **signature_of(loaded))
    with events.stage(Stage.SMOKE, f"version {job.model.version}"):
        # A model whose shapes the columns decide is smoke-tested with them, in the plan.
        if not has_free_shapes(loaded):
            smoke(loaded)
    return loaded


def execute(ready: Ready, savepoint: str | None, *, drop_state: bool = False) -> JobClient:
    """Start the job, from ``savepoint`` where one is given.

    ``drop_state``: go on where the savepoint holds state of operators that the plan does not have.
    """
    if savepoint:
        configuration = Configuration()
        configuration.set_string("execution.state-recovery.path", savepoint)
        configuration.set_string("execution.state-recovery.ignore-unclaimed-state", str(drop_state).lower())
        ready.env.configure(configuration)
    return ready.env.execute_async(f"{ready.job.namespace}/{ready.job.name}")
