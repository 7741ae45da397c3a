"""What ``headgate status`` says: told from real plans of made-up worlds, with what to do about a failure."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.cli.remedies import REMEDIES, remedy_for
from headgate.cli.story import Seen, _ago, as_json, as_text
from headgate.planning.revisions import revision_name_of, template_of
from headgate.planning.undo import choose_revision, undone_spec
from scenarios.story import Story
from scenarios.world.cluster import BEGIN, NAME
from scenarios.world.specs import version

STATUS_PAGE = (Path(__file__).parents[3] / "docs" / "status.md").read_text(encoding="utf-8")


def seen(story: Story) -> Seen:
    """The story's world as the command sees it."""
    world = story.world
    return Seen(
        "shop",
        NAME,
        world.generation,
        world.spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True),
        story.status,
        tuple(world.revisions.values()),
        world.now,
    )


def section(text: str, title: str) -> list[str]:
    """The lines of a section."""
    return next(part for part in text.split("\n\n") if part.startswith(title)).splitlines()[1:]


def test_a_stream_that_serves_is_told_with_its_versions_newest_first() -> None:
    story = Story()
    story.given_serving("1").given_serving("2").passes(65)
    text = as_text(seen(story))
    assert section(text, "shop/churn") == ["  phase  Serving", "  ready  yes: Version 2 scores records."]
    header, newest, oldest = section(text, "Versions")
    assert header.split() == ["revision", "version", "is", "model", "image", "served", "since", "failed"]
    assert newest.split()[:3] == ["2", "2", "serving"]
    assert oldest.split()[:3] == ["1", "1", "retired"]
    assert "Last failure" not in text
    stream = "\n".join(section(text, "Stream"))
    assert re.search(r"run +churn-r2 \(Running\)", stream)
    assert re.search(r"records +\d", stream)
    assert re.search(r"last pause +\d+\.\d s", stream)


@pytest.mark.parametrize(
    ("pending", "row"),
    [
        pytest.param(1204, ["  lag          1,204 records"], id="records wait"),
        pytest.param(0, ["  lag          0 records"], id="none waits"),
        pytest.param(None, [], id="nobody knows"),
    ],
)
def test_the_lag_is_told_where_it_is_known(pending: int | None, row: list[str]) -> None:
    look = seen(Story().given_serving("1"))
    look = replace(look, status=look.status.model_copy(update={"pending_records": pending}))
    assert [line for line in section(as_text(look), "Stream") if line.startswith("  lag")] == row
    assert as_json(look)["status"].get("pendingRecords") == pending


def test_a_failed_candidate_is_told_with_its_gate_the_failure_and_the_remedy() -> None:
    story = Story()
    story.given_serving("1").given("2", fails_at="goldens").when_applied("2", goldens="s3://g/2.jsonl").until_settled()
    text = as_text(seen(story))
    (failed, serving) = section(text, "Versions")[1:]
    assert failed.rstrip().endswith("Goldens gate: ModelUnusable")
    assert failed.split()[:3] == ["2", "2", "failed"]
    assert serving.split()[:3] == ["1", "1", "serving"]
    failure = "\n".join(section(text, "Last failure"))
    assert "ago, in stage goldens" in failure
    assert re.search(r"message +goldens failed", failure)
    assert re.search(r"stalled +ModelUnusable: goldens: goldens failed", text)


def test_what_a_person_can_do_about_a_reason_of_ours_is_said() -> None:
    story = Story()
    story.given_serving("1").given("2", hangs_at="load").when_applied("2", rollout={"progress_deadline": "30s"})
    text = as_text(seen(story.until_settled()))
    said = "The message has what its pods say: image, quota, no room; raise the deadline for a large model."
    assert len(re.findall(rf"to do +{re.escape(said)}", text)) == 2
    assert section(text, "Last failure")[-1].split(maxsplit=2)[2] == said
    assert as_json(seen(story))["remedy"] == said


def test_what_holds_a_stream_is_said_with_the_way_on() -> None:
    story = Story()
    story.given_serving("1").when_applied("1", suspend=True, rollout={"paused": True}).until_settled()
    text = as_text(seen(story))
    assert "held   spec.suspend; headgate resume churn goes on" in text
    assert "held   spec.rollout.paused; headgate resume churn goes on" in text
    assert "savepoint" in "\n".join(section(text, "Stream"))


def test_a_spec_that_nobody_looked_at_yet_is_said() -> None:
    story = Story()
    story.given_serving("1").when_applied("2")
    assert "spec   was changed, and the operator has not looked at it yet; is it running?" in as_text(seen(story))


def test_an_object_that_nobody_ever_looked_at_is_told() -> None:
    assert as_text(seen(Story())).splitlines()[:2] == ["shop/churn", "  phase  Pending"]


def test_programs_get_all_of_it() -> None:
    story = Story()
    story.given_serving("1")
    told = as_json(seen(story))
    assert (told["name"], told["namespace"], told["status"]["phase"], told["remedy"]) == (
        "churn",
        "shop",
        "Serving",
        "",
    )
    assert [one["number"] for one in told["revisions"]] == [1]
    assert told["revisions"][0]["status"]["gates"][0]["gate"] == "Loads"


def test_remedies_are_those_of_the_page() -> None:
    table = STATUS_PAGE.split("## Reasons\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]+)\|$", table, re.MULTILINE)
    assert {reason: text.strip() for reason, text in rows if text.strip() not in {"nothing", "wait"}} == REMEDIES
    assert remedy_for("ModelTruncated") == ""


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        pytest.param(0, "0s", id="now"),
        pytest.param(59, "59s", id="seconds"),
        pytest.param(60, "1m", id="a whole minute"),
        pytest.param(3 * 3600 + 61, "3h1m", id="the two largest units"),
        pytest.param(2 * 86_400 + 5, "2d", id="a unit that is nought is left out"),
        pytest.param(-5, "0s", id="clocks that differ"),
    ],
)
def test_how_long_ago(seconds: int, told: str) -> None:
    then = BEGIN.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert _ago(then, BEGIN + timedelta(seconds=seconds)) == told


# ---- undo --------------------------------------------------------------------------------------------------------------


def test_an_undo_goes_back_to_what_served_before_and_makes_the_same_revision() -> None:
    story = Story()
    story.given_serving("1").given_serving("2")
    look = seen(story)
    chosen = choose_revision(look.revisions, story.status.target, None)
    assert chosen is not None
    assert chosen.spec.number == 1
    undone = undone_spec(look.spec | {"flink": {"parallelism": 3}, "suspend": True}, chosen)
    spec = version("1").model_validate(undone)
    assert revision_name_of(NAME, template_of(spec)) == chosen.metadata.name
    assert (spec.flink.parallelism, spec.suspend) == (3, True)


def test_an_undo_of_a_version_that_failed_goes_back_to_what_serves() -> None:
    story = Story()
    story.given_serving("1").given_serving("2").given("3", fails_at="load").when_applied("3").until_settled()
    chosen = choose_revision(seen(story).revisions, story.status.target, None)
    assert chosen is not None
    assert chosen.status.version == "2"


def test_an_undo_to_a_number_goes_there_or_nowhere() -> None:
    story = Story()
    story.given_serving("1").given_serving("2").given_serving("3")
    found = [choose_revision(seen(story).revisions, story.status.target, number) for number in (1, 9)]
    assert [one.spec.number if one is not None else None for one in found] == [1, None]


def test_a_first_version_has_nothing_to_go_back_to() -> None:
    story = Story()
    story.given_serving("1")
    assert choose_revision(seen(story).revisions, story.status.target, None) is None
