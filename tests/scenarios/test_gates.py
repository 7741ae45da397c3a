"""What the gates found is written into the revision, gate by gate; a failed one says what differs from what serves."""

from __future__ import annotations

from headgate.api.revision import ModelRevision
from headgate.planning.observation import Signature
from headgate.planning.revisions import revision_name_of, template_of
from scenarios.story import Story
from scenarios.world.cluster import NAME
from scenarios.world.specs import version

OTHER = Signature((("x", "float32 [?, 2]"),), (("label", "int64 [?]"),))
DIFFERS = (
    "Against the version that serves: input x was float32 [?, 1] and is float32 [?, 2]; output y (float32 [?, 1]) is gone; "
    "output label (int64 [?]) is new."
)


def _revision(story: Story, label: str, **changes: str) -> ModelRevision:
    return story.world.revisions[revision_name_of(NAME, template_of(version(label, **changes)))]


def _gates(revision: ModelRevision) -> list[str]:
    return [f"{one.gate.value} {one.outcome.value}" for one in revision.status.gates]


def test_a_version_without_goldens_passes_three_gates(story: Story) -> None:
    story.given_serving("1")
    assert _gates(_revision(story, "1")) == ["Loads Passed", "Smoke Passed", "Signature Passed"]
    assert [one.message for one in _revision(story, "1").status.gates] == ["", "", ""]


def test_a_version_that_fails_its_goldens_leaves_what_serves_and_is_told_by_its_gate(story: Story) -> None:
    story.given_serving("1").given("2", fails_at="goldens").when_applied("2", goldens="s3://g/2.jsonl").until_settled()
    story.then_stalled("ModelUnusable", "goldens: goldens failed").then_failed("goldens", "ModelUnusable")
    story.then_serves("1").then_shown_by("1").then_runs("churn-r1")
    failed = _revision(story, "2", goldens="s3://g/2.jsonl")
    assert _gates(failed) == ["Loads Passed", "Smoke Passed", "Signature Passed", "Goldens Failed"]
    assert failed.status.gates[-1].message == "goldens failed"


def test_a_version_passes_its_goldens_before_it_takes_over(story: Story) -> None:
    story.given_serving("1").when_applied("2", goldens="s3://g/2.jsonl").until_settled().then_ready()
    assert _gates(_revision(story, "2", goldens="s3://g/2.jsonl"))[-1] == "Goldens Passed"


def test_a_version_that_warms_up_has_passed_its_gates(story: Story) -> None:
    story.given_serving("1").given("2", hangs_at="warm-up").when_applied("2").passes(40).then_shown_by("1")
    assert _gates(_revision(story, "2")) == ["Loads Passed", "Smoke Passed", "Signature Passed"]


def test_other_goldens_are_another_revision_which_is_tried(story: Story) -> None:
    story.given_serving("1").given("2", fails_at="goldens").when_applied("2", goldens="s3://g/2.jsonl").until_settled()
    story.given("2").when_applied("2", goldens="s3://g/mended.jsonl").until_settled().then_ready()


def test_a_retry_after_failed_goldens_builds_the_image_again(story: Story) -> None:
    story.given_serving("1").given("2", fails_at="goldens").when_applied("2", goldens="s3://g/2.jsonl").until_settled()
    story.given("2").when_annotated("retry", "true").until_settled().then_ready()
    story.then_told_times("BuildStarted", 3).then_told("Retried", "BuildStarted", "ImageBuilt", "Promoted")


def test_a_retry_after_a_crash_in_the_stream_takes_the_image_that_there_is(story: Story) -> None:
    story.given_serving("1").given("2", crash_after=1).when_applied("2").until_settled().then_stalled(
        "RestartingInLoop"
    )
    story.given("2").when_annotated("retry", "true").until_settled().then_ready().then_told_times("BuildStarted", 2)


def test_a_pipeline_that_reads_what_the_new_model_does_not_give_is_told_what_changed(story: Story) -> None:
    story.given_serving("1").given("2", fails_at="plan", signature=OTHER).when_applied("2").until_settled()
    story.then_failed("plan", "ModelUnusable", f"plan failed {DIFFERS}")
    assert _gates(_revision(story, "2"))[-1] == "Signature Failed"


def test_another_signature_that_fits_the_pipeline_is_noted_and_serves(story: Story) -> None:
    story.given_serving("1").given("2", signature=OTHER).when_applied("2").until_settled().then_serves("2").then_ready()
    (noted,) = (one.message for one in _revision(story, "2").status.gates if one.gate.value == "Signature")
    assert noted == DIFFERS


def test_a_version_that_hangs_in_a_stage_has_passed_the_gates_before_it(story: Story) -> None:
    story.given_serving("1").given("2", hangs_at="smoke").when_applied("2", rollout={"progress_deadline": "60s"})
    story.until_settled().then_stalled("ProgressDeadlineExceeded")
    assert _gates(_revision(story, "2")) == ["Loads Passed"]
