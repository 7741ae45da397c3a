"""A corpus of broken artifacts: each is refused for its own reason, in a sentence that says what to do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from onnx import helper

from headgate.models.reader import inspect_model, read_model
from headgate.models.refusals import Refusal, all_refusals, refusal_table
from unit.models.builders import LIMIT, linear, save, unary
from unit.models.corpus import CASES, Case

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_is_refused_for_its_own_reason(case: Case, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        read_model(case.make(tmp_path), size_limit=case.limit)
    assert refused.value.reason == case.reason
    assert re.search(case.says, str(refused.value), re.DOTALL), str(refused.value)
    assert str(refused.value).endswith((".", ")."))
    assert refused.value.remedy


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = save(linear(), tmp_path / "m.onnx")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(Refusal, match=r"Permission denied.*read access") as refused:
            read_model(path, size_limit=LIMIT)
    finally:
        os.seteuid(user)
    assert refused.value.reason == "ModelUnreadable"


def test_a_single_file_of_more_than_two_gibibytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with path.open("wb") as stream:
        stream.truncate(3 << 30)
    with pytest.raises(Refusal, match="save_as_external_data") as refused:
        read_model(path, size_limit=4 << 30)
    assert refused.value.reason == "ModelTooLarge"


def test_every_case_of_the_reader_is_in_the_corpus() -> None:
    elsewhere = {"ConversionFailed", "ConversionDisagrees", "NotLocal"}
    assert {case.reason for case in CASES} | elsewhere == {case.reason for case in all_refusals()}


def test_reasons_are_unique_and_every_case_says_what_it_means_and_what_to_do() -> None:
    cases = all_refusals()
    assert len({case.reason for case in cases}) == len(cases)
    assert all(case.meaning.endswith(".") and case.advice.endswith((".", ").")) for case in cases)


def test_the_documentation_has_the_same_table() -> None:
    assert refusal_table() in (REPOSITORY / "docs/models.md").read_text()


def test_all_reasons_of_a_model_are_given_at_once(tmp_path: Path) -> None:
    model = unary("Foo", domain="com.acme", opset=5, extra={"com.acme": 1})
    model.graph.node.append(helper.make_node("Relu", ["x"], ["z"]))
    _, problems = inspect_model(save(model, tmp_path / "m.onnx"), size_limit=LIMIT)
    assert [problem.reason for problem in problems] == ["CustomDomain", "OpsetTooOld"]
