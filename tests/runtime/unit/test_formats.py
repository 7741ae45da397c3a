"""A table's format options: read whichever prefix they have, and refused where the parser does not know them."""

from __future__ import annotations

import pytest

from headgate_runtime.columns import Column
from headgate_runtime.errors import PlanRefused
from headgate_runtime.formats import plan_format
from headgate_runtime.lines import RecordFormat

NUMBER_AND_TEXT = (Column("Id", "BIGINT", "BIGINT"), Column("text", "VARCHAR", "STRING"))
INSTANTS = Column("a", "ARRAY", "ARRAY<…>", True, Column("", "TIMESTAMP_WITH_LOCAL_TIME_ZONE", "TIMESTAMP_LTZ(3)"))


def test_the_options_of_a_value_format_are_read_as_those_of_a_format() -> None:
    options = {
        "csv.field-delimiter": "\\t", "csv.disable-quote-character": "true", "csv.null-literal": "-",
        "csv.array-element-delimiter": "|", "csv.escape-character": "!", "csv.allow-comments": "true",
    }  # fmt: skip
    plain = plan_format("t", {"format": "csv", **options}, NUMBER_AND_TEXT)
    of_value = plan_format(
        "t", {"value.format": "csv", **{f"value.{k}": v for k, v in options.items()}}, NUMBER_AND_TEXT
    )
    assert plain == of_value
    assert plain == RecordFormat("csv", NUMBER_AND_TEXT, False, True, "\t", None, "!", "-", "|")


@pytest.mark.parametrize(
    ("options", "columns", "sentence"),
    [
        pytest.param({"headgate.parse-errors": "skip"}, NUMBER_AND_TEXT, "'skip' is not known", id="another mode"),
        pytest.param({"format": "avro"}, NUMBER_AND_TEXT, "works with the formats csv and json, not with 'avro'", id="avro"),
        pytest.param({"key.format": "json"}, NUMBER_AND_TEXT, "does not go together with key.format", id="a key format"),
        pytest.param({"csv.ignore-parse-errors": "true"}, NUMBER_AND_TEXT, "'csv.ignore-parse-errors' = 'true' does not", id="ignored"),
        pytest.param({"csv.field-delimiter": ";;"}, NUMBER_AND_TEXT, "delimiter must be a 1-character string", id="a long delimiter"),
        pytest.param({"csv.trim": "true"}, NUMBER_AND_TEXT, "'csv.trim' does not go together", id="an unknown option"),
        pytest.param({}, (Column("m", "MAP", "MAP<STRING, INT>"),), "column 'm' is MAP<STRING, INT>, which", id="a map"),
        pytest.param({}, (Column("r", "ROW", "ROW<`a` INT>"),), "declare it STRING and take it apart with JSON_VALUE", id="a row"),
        pytest.param({}, (INSTANTS,), "an array of TIMESTAMP_LTZ", id="instants"),
    ],
)  # fmt: skip
def test_what_the_parser_does_not_know_is_refused_when_the_job_is_planned(
    options: dict[str, str], columns: tuple[Column, ...], sentence: str
) -> None:
    with pytest.raises(PlanRefused) as caught:
        plan_format("t", {"format": "csv", **options}, columns)
    assert caught.value.message.startswith("table t: ")
    assert sentence in caught.value.message
