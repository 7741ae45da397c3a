"""What is read from the pipeline's SQL."""

from __future__ import annotations

import pytest

from headgate.local.tables import TableOptions, sinks_of, tables_of


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        pytest.param(
            "CREATE TABLE a (x INT) WITH ('connector' = 'print', 'p' = 'it''s');",
            (TableOptions("a", (("connector", "print"), ("p", "it's"))),),
            id="options with a quote inside",
        ),
        pytest.param(
            "-- CREATE TABLE no (x INT) WITH ('connector'='print');\n"
            "CREATE TEMPORARY TABLE IF NOT EXISTS c.d.`my table` (x DECIMAL(4, 2) /* WITH ('a'='b') */) WITH ('k'='v');",
            (TableOptions("my table", (("k", "v"),)),),
            id="comments are skipped, a dotted and quoted name is its last part",
        ),
        pytest.param(
            "CREATE TABLE a (x INT, PRIMARY KEY (x) NOT ENFORCED) PARTITIONED BY (x) WITH ('connector'='kafka');"
            "CREATE VIEW v AS SELECT ';' FROM a; CREATE TABLE b LIKE a",
            (TableOptions("a", (("connector", "kafka"),)), TableOptions("b", ())),
            id="views are none, a table made after another has no options of its own",
        ),
        pytest.param("", (), id="nothing declares nothing"),
    ],
)
def test_tables_and_their_options_are_found(sql: str, tables: tuple[TableOptions, ...]) -> None:
    assert tables_of(sql) == tables


def test_sinks_are_found_once_each_in_order() -> None:
    sql = """INSERT INTO b SELECT 'INSERT INTO no' FROM scored; -- INSERT INTO neither
             INSERT INTO `a` SELECT 1 FROM dead_letters; insert into b select 2 from scored"""
    assert sinks_of(sql) == ("b", "a")
