"""Columns that nobody can read do not pass the model step; whatever could be read does."""

from __future__ import annotations

import pytest

from headgate_runtime.columns import Column
from headgate_runtime.pruning import columns_to_pass

COLUMNS = tuple(Column(name, "FLOAT", "FLOAT") for name in ("id", "age", "wage", "tick`s"))
TIME = Column("at", "TIMESTAMP_WITHOUT_TIME_ZONE", "TIMESTAMP(3)", rowtime=True)


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        pytest.param("SELECT id, score FROM scored", "id tick`s at", id="nothing but the key is read"),
        pytest.param("SELECT score FROM scored", "id tick`s at", id="the key stays unread"),
        pytest.param("SELECT COUNT(*), age FROM scored GROUP BY age", "id age tick`s at", id="a count of all rows reads none"),
        pytest.param("SELECT age * 2, score*3 FROM scored", "id age tick`s at", id="a product is no star"),
        pytest.param("SELECT score FROM scored WHERE (`wage`) > 1", "id age wage tick`s at", id="a name within another is kept too"),
        pytest.param("SELECT '--', age FROM scored", "id age tick`s at", id="a name behind what only looks like a comment"),
    ],
)  # fmt: skip
def test_only_what_is_named_passes(output: str, kept: str) -> None:
    assert [c.name for c in columns_to_pass(f"INSERT INTO o {output}", (*COLUMNS, TIME), "id")] == kept.split()


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("SELECT * FROM scored", id="a star"),
        pytest.param("SELECT DISTINCT* FROM scored", id="a star without a space"),
        pytest.param("SELECT s.* FROM scored AS s", id="the star of an alias"),
        pytest.param("SELECT score, * FROM scored", id="a star after a comma"),
        pytest.param("SELECT /* all */ * FROM scored", id="a star behind a comment"),
        pytest.param("SELECT -- all\n * FROM scored", id="a star behind a comment to the end of the line"),
        pytest.param("SELECT '/*', s.* FROM scored AS s -- */", id="a star in what only looks like a comment"),
        pytest.param("TABLE scored", id="the table by itself"),
        pytest.param("SELECT score FROM scored NATURAL JOIN other", id="a join over common names"),
        pytest.param("SELECT reason FROM `dead_letters`", id="dead letters hold the record"),
        pytest.param("SELECT U&\"\\0061ge\" FROM scored", id="names as code points"),
    ],
)  # fmt: skip
def test_what_asks_for_everything_gets_it(output: str) -> None:
    assert columns_to_pass(f"INSERT INTO o {output}", COLUMNS, "id") == COLUMNS
