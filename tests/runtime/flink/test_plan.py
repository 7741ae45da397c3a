"""Plans without running them, in one JVM: what is refused and how it is said, and what a plan always is.

The JVM is this process's own; jobs that run have one each (see the tests beside it).
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import models
from embedded.jobs import Setup, Sql
from embedded.planner import ROWS, SQL, Planner

# ---- what a plan always is --------------------------------------------------------------------------------------------

INPUT = "SELECT id, a, b FROM r WHERE id > 5 AND a < 3"
OUTPUTS = {
    "one insert": "INSERT INTO o SELECT id, y FROM scored",
    "three inserts of different columns": """
        INSERT INTO o SELECT id, y FROM scored WHERE y > 0;
        INSERT INTO o SELECT id, CAST(b AS FLOAT) FROM scored;
        INSERT INTO d SELECT reason, record FROM dead_letters""",
    "an aggregation and a join of the view with itself": """
        INSERT INTO o SELECT id, MAX(y) FROM scored GROUP BY id;
        INSERT INTO o SELECT l.id, l.y + r.y FROM scored AS l JOIN scored AS r ON l.id = r.id""",
}


def _upsert(output: str) -> str:
    return SQL.tables.replace("id BIGINT, y FLOAT)", "id BIGINT, y FLOAT, PRIMARY KEY (id) NOT ENFORCED)")


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_there_is_one_model_step_and_the_filter_stays_before_it(plan: Planner, output: str) -> None:
    ready = plan(Sql(_upsert(output), INPUT, output))
    before, step, after = (part.partition("\n")[2] for part in ready.explanation.split("## ")[1:])
    assert "where=[((id > 5) AND (a < 3))]" in before
    assert step.count("hg_score(") == 1
    assert "id > 5" not in step + after
    assert "hg_score" not in before + after
    names = [operator.name.partition("[")[0] for operator in ready.operators]
    assert names.count("PythonCalc") == 1
    chain = names[names.index("Source: r") :]
    assert chain.index("Calc") < chain.index("PythonCalc")


def test_another_model_keeps_the_ids_of_source_filter_and_step(plan: Planner) -> None:
    first = plan(setup=Setup(version="1"))
    second = plan(setup=Setup(version="2"), make=lambda path: models.linear(path, scale=3))
    assert [o.id for o in first.operators] == [o.id for o in second.operators]
    assert len({o.id for o in first.operators}) == len(first.operators)


def test_one_more_insert_keeps_the_ids_up_to_the_step(plan: Planner) -> None:
    more = OUTPUTS["one insert"] + "; INSERT INTO d SELECT reason, record FROM dead_letters"
    first, second = (plan(replace(SQL, output=output)).operators for output in (OUTPUTS["one insert"], more))
    shared = [o.name.partition("[")[0] for o in first if o.id in {other.id for other in second}]
    assert shared[0] == "Source: r"
    assert "PythonCalc" in shared
    assert len(second) > len(first)


def test_a_model_with_state_keeps_one_id_for_all_versions(plan: Planner) -> None:
    state = [{"input": "h", "output": "hn", "shape": [1, 2], "init": 0.0}]
    sql = replace(SQL, output="INSERT INTO o SELECT id, total FROM scored")
    ids = []
    for version in ("1", "2"):
        ready = plan(sql, Setup(version=version, model={"state": state}), make=models.accumulator)
        ids.append([o.id for o in ready.operators])
        assert sum("headgate model step" in o.task for o in ready.operators) >= 1
    assert ids[0] == ids[1]


def test_rows_arrays_and_nested_arrays_can_feed_and_answers_of_every_kind_can_be_selected(plan: Planner) -> None:
    tables = """
        CREATE TABLE r (id BIGINT, v ROW<x FLOAT, y INT, z FLOAT>, m ARRAY<ARRAY<FLOAT>>, n INT, s STRING, b BOOLEAN,
          image BYTES) WITH ('connector' = 'datagen');
        CREATE TABLE o (id BIGINT, v ROW<x FLOAT, y INT, z FLOAT>, `sum` FLOAT, twice ARRAY<FLOAT>,
          flat ARRAY<ARRAY<FLOAT>>, text STRING, small TINYINT, yes BOOLEAN, best ARRAY<ROW<`index` BIGINT, score FLOAT>>)
          WITH ('connector' = 'blackhole');
        CREATE TABLE d (record STRING) WITH ('connector' = 'blackhole')"""
    outputs = {n: n for n in ("sum", "twice", "flat", "text", "small", "yes")} | {"best": "topk(twice, 2)"}
    ready = plan(
        Sql(
            tables,
            "SELECT * FROM r",
            "INSERT INTO o SELECT id, v, `sum`, twice, flat, text, small, yes, best FROM scored;"
            "INSERT INTO d SELECT record FROM dead_letters",
        ),
        Setup(model={"outputs": outputs}),
        make=models.wide_inputs,
    )
    assert "JSON_OBJECT" in ready.explanation


# ---- refusals -----------------------------------------------------------------------------------------------------------


PARSED = "'filesystem', 'path' = 'x', 'headgate.parse-errors' = 'dead-letter', 'format' = "
MAP = SQL.tables.replace("b DOUBLE", "m MAP<STRING, INT>")
REFUSED = {
    "half a table": ({"tables": "CREATE TABLE r (id BIGINT"}, "spec.pipeline.tables, statement 1: "),
    "the second statement": ({"tables": f"{ROWS}; CREATE TABLE o (x)"}, "spec.pipeline.tables, statement 2: "),
    "a name that SQL has for itself": (
        {"tables": ROWS.replace("a FLOAT", "call FLOAT")},
        'Encountered "call" at line 1, column 28. Where it is a name, write it in backticks',
    ),
    "no such column": ({"input": "SELECT nothing FROM r"}, "spec.pipeline.input: Column 'nothing' not found"),
    "no such table": ({"input": "SELECT id FROM q"}, "spec.pipeline.input: Object 'q' not found"),
    "two queries": ({"input": "SELECT 1; SELECT 2"}, "must be one query, it holds 2 statements"),
    "no such key": (
        {"key": "ids"},
        "'ids' is no column of spec.pipeline.input. There are: id, a, b. Did you mean 'id'?",
    ),
    "a stamp's name": ({"input": "SELECT *, 'x' AS revision FROM r"}, "column 'revision' has the name of a stamp"),
    "an aggregation before the model": (
        {"input": "SELECT id, a, MAX(b) AS b FROM r GROUP BY id, a"},
        "updates or deletes rows",
    ),
    "no insert": ({"output": "SELECT * FROM scored"}, "spec.pipeline.output, statement 1 is no INSERT INTO"),
    "the second insert": (
        {"output": f"{SQL.output}; INSERT INTO o SELECT id, z FROM scored"},
        "spec.pipeline.output, statement 2: Column 'z' not found",
    ),
    "no such sink": (
        {"output": "INSERT INTO q SELECT id, y FROM scored"},
        "Cannot find table '`default_catalog`.`default_database`.`q`'",
    ),
    "nothing to feed": ({"input": "SELECT id, `at` FROM r"}, "nothing feeds the model's input 'x' (float32 [?, 2])"),
    "too few columns": ({"input": "SELECT id, a FROM r"}, "wants 2 columns (float32 [?, 2]), it would get 1: a"),
    "a format that is not parsed": (
        {"tables": SQL.tables.replace("'datagen'", f"{PARSED}'raw'")},
        "works with the formats csv and json",
    ),
    "a type that is not parsed": (
        {"tables": MAP.replace("'datagen'", f"{PARSED}'json'")},
        "table r: column 'm' is MAP<STRING, INT>",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_pipeline_that_cannot_be_planned_says_where_and_why(
    plan: Planner, change: dict[str, str], sentence: str
) -> None:
    failure = plan.refusal(replace(SQL, **change))
    assert sentence in failure.message
    assert failure.stage == "plan"
    assert "\n" not in failure.message
    last = json.loads(plan.said.getvalue().splitlines()[-1])
    assert (last["stage"], last["status"], last["message"]) == ("plan", "failed", failure.message)


# ---- functions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("import no_such_package", "cannot be imported: ModuleNotFoundError: No module named", id="a missing package"),
        pytest.param("def f(", "cannot be imported: SyntaxError", id="no Python"),
        pytest.param("x = 1", "defines no function with pyflink's @udf", id="no function"),
        pytest.param("raise RuntimeError('no luck')", "cannot be imported: RuntimeError: no luck", id="it raises"),
    ],
)  # fmt: skip
def test_a_module_that_cannot_serve_says_why(plan: Planner, tmp_path: Path, text: str, sentence: str) -> None:
    module = tmp_path / f"broken_{abs(hash(text)) % 10**8}.py"
    module.write_text(text)
    assert sentence in plan.refusal(setup=Setup(module=module)).message


# ---- secrets ----------------------------------------------------------------------------------------------------------


def _secret(folder: Path, key: str, value: str) -> Path:
    path = folder / "secrets" / "store" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value + "\n")
    return path.parents[1]


def test_a_secret_is_put_into_a_tables_options_and_told_to_nobody(
    plan: Planner, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="headgate")
    folder = _secret(tmp_path, "name", 'hunter2-"quoted"')
    tables = SQL.tables.replace(
        "'blackhole'", "'filesystem', 'path' = '/tmp/o', 'format' = 'json', "
        "'sink.partition-commit.success-file.name' = '${secret:store/name}'", 1
    )  # fmt: skip
    ready = plan(replace(SQL, tables=tables), secrets=folder)
    wrong = replace(SQL, tables=SQL.tables.replace("'blackhole'", "'${secret:store/name}'"))
    failure = plan.refusal(wrong, secrets=folder)
    told = [ready.explanation, failure.message, plan.said.getvalue(), caplog.text, *capfd.readouterr()]
    assert "***" in failure.message
    assert [text for text in told if "hunter2" in text] == []


def test_a_secret_that_is_not_there_says_where_to_put_it(plan: Planner, tmp_path: Path) -> None:
    tables = SQL.tables.replace("'blackhole'", "'${secret:store/name}'")
    message = plan.refusal(replace(SQL, tables=tables), secrets=tmp_path).message
    assert "option 'connector' wants key 'name' of secret 'store', which is not mounted here" in message
    assert "store/name below the folder that HEADGATE_SECRETS names" in message
