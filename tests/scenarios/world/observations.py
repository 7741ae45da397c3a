"""Observations as hypothesis makes them up: most could never be, and a plan has an answer to every one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from headgate.api.revision import ModelRevision, ModelRevisionStatus, RevisionPhase
from headgate.api.status import (
    CandidateStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    FailureStatus,
    HandOverPurpose,
    HandOverStage,
    HandOverStatus,
    ModelDeploymentStatus,
    Phase,
    RunStatus,
    SavepointRequestStatus,
    SavepointStatus,
    ServingStatus,
)
from headgate.planning.deletion import FINALIZER
from headgate.planning.observation import (
    BuildResult,
    BuildState,
    FlinkState,
    JobManagerState,
    Observation,
    ObservedBuild,
    ObservedRun,
    ObservedSavepoint,
    RuntimeReport,
)
from headgate.planning.revisions import new_revision, revision_name_of, template_of
from scenarios.world.behaviour import OPERATORS
from scenarios.world.specs import version

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LABELS = ("1", "2", "3")
REVISIONS = tuple(revision_name_of("churn", template_of(version(label))) for label in LABELS)
RUNS = ("churn-r1", "churn-r2", "churn-r3", "churn-r99")

_IMAGE = "registry.example.com/churn@sha256:" + "0" * 64
_revision_names = st.sampled_from((*REVISIONS, "churn-gone"))
_run_names = st.sampled_from((*RUNS, "", "other"))
_times = st.one_of(
    st.integers(-30, 4000).map(lambda ago: (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")),
    st.sampled_from(("2026-03-01T11:00:00.123+01:00", "2026-03-01T11:00:00", "yesterday", "9999-12-31T23:59:59Z")),
)
_paths = st.sampled_from(("", "s3://state/sp1", "s3://state/folder/", "s3://a/\ns3://b", "s3://a/\n"))
_texts = st.sampled_from(("", "something went wrong", "x" * 40_000, "ünïcode\n\ttext"))
_reasons = st.sampled_from(("", "ModelUnusable", "not one word", "SavepointFailed", "x" * 500))
_digits = st.sampled_from(("", "0" * 32))


def _maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


_serving = st.builds(
    ServingStatus, revision=_revision_names, version=st.sampled_from(("", "1")), image=st.sampled_from(("", _IMAGE)), since=_maybe(_times)
)  # fmt: skip
_candidates = st.builds(
    CandidateStatus, revision=_revision_names, run=_run_names, since=_maybe(_times), paused=st.booleans()
)  # fmt: skip
_hand_overs = st.builds(
    HandOverStatus, purpose=st.sampled_from(HandOverPurpose), stage=st.sampled_from(HandOverStage), from_run=_run_names,
    to_run=_run_names, to_revision=_revision_names, job_id=_digits, trigger=_digits, savepoint=_paths, drop_state=st.booleans(),
    asked=_maybe(_times), since=_times,
).filter(lambda made_up: made_up.from_run != made_up.to_run)  # fmt: skip
_run_statuses = st.builds(
    RunStatus, name=_run_names, job_id=_digits, restarts=st.integers(0, 5), unstable_since=_maybe(_times),
    state=st.sampled_from(("", "Running", "Finished", "Ended")),
)  # fmt: skip
_failures = st.builds(
    FailureStatus, reason=st.sampled_from(("SavepointFailed", "ModelUnusable", "RunLost")),
    stage=st.sampled_from(("build", "run", "start", "handOver", "load")), message=_texts.map(lambda t: t[:30_000]), time=_times,
    revision=_revision_names,
)  # fmt: skip
_conditions = st.lists(
    st.builds(
        Condition, type=st.sampled_from(ConditionType), status=st.sampled_from(ConditionStatus), last_transition_time=_times,
        reason=st.sampled_from(("Serving", "StateUnknown", "DeletionWaits")),
    ),
    unique_by=lambda c: c.type, max_size=6,
).map(tuple)  # fmt: skip

statuses = st.builds(
    ModelDeploymentStatus, phase=st.sampled_from(Phase), conditions=_conditions, serving=_maybe(_serving), candidate=_maybe(_candidates),
    run=_maybe(_run_statuses), hand_over=_maybe(_hand_overs), last_run=st.integers(0, 5), target=st.one_of(_revision_names, st.just("")),
    checkpoint=_paths, last_failure=_maybe(_failures),
    savepoint=_maybe(st.builds(SavepointStatus, path=_paths, time=_times, revision=_revision_names)),
    savepoint_request=_maybe(st.builds(SavepointRequestStatus, run=_run_names, job_id=_digits, trigger=_digits, since=_times)),
)  # fmt: skip


@st.composite
def _known_revisions(draw: st.DrawFn) -> tuple[ModelRevision, ...]:
    known: list[ModelRevision] = []
    for label, name in zip(LABELS, REVISIONS, strict=True):
        if draw(st.booleans()):
            revision = new_revision("churn", "shop", name, template_of(version(label)), tuple(known))
            status = ModelRevisionStatus(
                phase=draw(st.sampled_from(RevisionPhase)),
                image=draw(st.sampled_from(("", _IMAGE))),
                served_at=draw(st.none() | _times),
                last_failure=draw(st.none() | _failures),
            )
            known.append(revision.model_copy(update={"status": status}))
    return tuple(known)


_reports = st.builds(
    RuntimeReport, stage=st.sampled_from(("", "verify", "load", "plan", "ready", "warm-up", "wait", "execute")),
    done=st.booleans(), reason=_reasons, message=_texts, operators=st.sampled_from(((), OPERATORS, OPERATORS[:1])), bounded=st.booleans(),
)  # fmt: skip
_savepoints = st.builds(ObservedSavepoint, found=st.booleans(), done=st.booleans(), path=_paths, failure=_texts)


@st.composite
def _runs(draw: st.DrawFn) -> tuple[ObservedRun, ...]:
    found = draw(st.lists(st.sampled_from(RUNS), unique=True, max_size=3))
    return tuple(draw(_run(name)) for name in found)


def _run(name: str) -> st.SearchStrategy[ObservedRun]:
    return st.builds(
        ObservedRun, name=st.just(name), revision=_revision_names, job_manager=st.sampled_from(JobManagerState),
        job_manager_restarts=st.integers(0, 5), intact=st.booleans(), restarts=st.integers(0, 5), pods=st.integers(0, 3),
        pods_ready=st.integers(0, 2), pods_wanted=st.integers(0, 2), pod_problem=_texts, report=_reports,
        go=_maybe(_paths), flink=st.sampled_from(FlinkState), job_id=_digits, failure=_texts,
        running_since=_maybe(st.integers(-5, 500).map(lambda ago: NOW - timedelta(seconds=ago))),
        checkpoints=st.none() | st.integers(0, 4), steady_checkpoints=st.integers(0, 4),
        failed_checkpoints=st.integers(0, 4), newest_checkpoint=_paths,
        parallelism=st.integers(0, 4), wanted_parallelism=st.integers(0, 4), savepoint=_maybe(_savepoints),
        records_per_second=st.none() | st.floats(0, 1e6), pending_records=st.none() | st.integers(0, 10**12),
    )  # fmt: skip


@st.composite
def _builds(draw: st.DrawFn) -> tuple[ObservedBuild, ...]:
    found = draw(st.lists(_revision_names, unique=True, max_size=2))
    result = BuildResult(_IMAGE, "1", "sha256:" + "0" * 64)
    return tuple(
        ObservedBuild(
            name, draw(st.sampled_from(BuildState)), draw(st.none() | st.just(result)), draw(_reasons), draw(_texts),
            draw(st.booleans()), draw(st.none() | st.integers(0, 100).map(lambda ago: NOW - timedelta(seconds=ago))),
        )
        for name in found
    )  # fmt: skip


_specs = st.builds(
    lambda label, parallelism, suspend, paused: version(label, parallelism=parallelism, suspend=suspend, rollout={"paused": paused}),
    st.sampled_from(LABELS), st.sampled_from((1, 2)), st.booleans(), st.booleans(),
)  # fmt: skip

_annotations = st.dictionaries(
    st.sampled_from(("restore-from", "force-delete", "savepoint", "retry")).map("headgate.dev/{}".format),
    st.sampled_from(("", "true", "s3://other/savepoint")),
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Any observation whatsoever."""
    spec = draw(st.none() | _specs)
    deleting = draw(st.none() | st.integers(0, 1000).map(lambda ago: NOW - timedelta(seconds=ago)))
    return Observation(
        now=NOW,
        name="churn",
        namespace="shop",
        uid=draw(st.sampled_from(("", "5b0e6f0e-1111"))),
        generation=draw(st.integers(0, 9)),
        deleting=deleting,
        finalizers=draw(st.sampled_from(((), (FINALIZER,), ("other",)))),
        annotations=tuple(sorted(draw(_annotations).items())),
        spec=spec,
        problems=() if spec is not None else draw(st.sampled_from(((), ("spec.model: no such model",)))),
        status=draw(statuses),
        revisions=draw(_known_revisions()),
        builds=draw(_builds()),
        runs=draw(_runs()),
        free_builders=draw(st.integers(-1, 2)),
    )


def later(seen: Observation, seconds: int) -> Observation:
    """The same world at a later time."""
    return replace(seen, now=seen.now + timedelta(seconds=seconds))
