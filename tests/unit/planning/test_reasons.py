"""The page of reasons and the enum say the same, and nothing is said that is neither."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.api.status import ConditionType, Phase
from headgate.planning import candidate, deletion, savepoints, starting
from headgate.planning.reasons import Reason, reason_or

PAGE = (Path(__file__).parents[3] / "docs" / "status.md").read_text(encoding="utf-8")


def _table(title: str) -> list[str]:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`=]+)", section, re.MULTILINE)


def test_every_reason_stands_on_the_page_in_the_enum_s_order() -> None:
    assert _table("Reasons") == [reason.value for reason in Reason]


def test_every_reason_says_what_to_do() -> None:
    rows = re.findall(r"^\| `\w+` \|([^|]+)\|([^|]+)\|$", PAGE.split("## Reasons\n")[1].split("\n## ")[0], re.MULTILINE)
    assert len(rows) == len(Reason)
    assert all(when.strip() and remedy.strip() for when, remedy in rows)


def test_every_condition_and_phase_stands_on_the_page() -> None:
    assert sorted(_table("Conditions")) == sorted(ConditionType)
    assert sorted(_table("Phase")) == sorted(Phase, key=str)


def test_every_annotation_stands_on_the_page() -> None:
    known = {savepoints.SAVEPOINT, candidate.RETRY, starting.RESTORE_FROM, deletion.FORCE}
    assert set(_table("Annotations")) == known


def test_every_reason_is_used_by_the_planning() -> None:
    folder = Path(candidate.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name != "reasons.py")
    assert [reason.name for reason in Reason if f"Reason.{reason.name}" not in text] == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("ModelTruncated", "ModelTruncated", id="one word of the builder passes through"),
        pytest.param("", "BuildFailed", id="no word is replaced"),
        pytest.param("not a word", "BuildFailed", id="a sentence is replaced"),
        pytest.param("x" * 129, "BuildFailed", id="a word that is too long for the field is replaced"),
    ],
)
def test_a_reason_from_elsewhere_is_one_word_or_replaced(given: str, kept: str) -> None:
    assert reason_or(given, Reason.BUILD_FAILED) == kept
