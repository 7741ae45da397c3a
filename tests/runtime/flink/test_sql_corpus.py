"""Flink itself takes every statement of the corpus that Headgate's validation must never refuse.

The corpus is ``tests/unit/api/corpus/valid_sql.yaml``, and the operator's tests hold validation to it; here it is held
against Flink, so that a statement which Flink stops taking does not stay there as an example.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.child import java_home
from headgate_runtime.statements import split_statements

CORPUS: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "unit/api/corpus/valid_sql.yaml").read_text(encoding="utf-8")
)
STAMP = "'3' AS model_version, 'sha256:00' AS model_digest, 'churn-1' AS revision"
CHECKED = {
    part: [pytest.param(case, id=case["name"]) for case in CORPUS[part] if "unchecked" not in case]
    for part in ("inputs", "outputs", "table_statements")
}


@pytest.fixture(scope="module")
def tables() -> Any:
    """A table environment with the corpus' tables and views like those that the model step gives."""
    os.environ["JAVA_HOME"] = str(java_home())
    from pyflink.table import EnvironmentSettings, TableEnvironment

    t_env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for statement in split_statements(CORPUS["tables"]):
        t_env.execute_sql(statement)
    scored = f"SELECT *, CAST(0.5 AS DOUBLE) AS probability, 'yes' AS label, {STAMP} FROM ({CORPUS['scored']})"
    dead = f"SELECT 'NullFeature' AS reason, 'age' AS column_name, '' AS detail, '{{}}' AS record, {STAMP}"
    t_env.execute_sql(f"CREATE TEMPORARY VIEW scored AS {scored}")
    t_env.execute_sql(f"CREATE TEMPORARY VIEW dead_letters AS {dead}")
    return t_env


@pytest.mark.parametrize("case", CHECKED["inputs"])
def test_flink_takes_the_query_and_yields_its_key(tables: Any, case: dict[str, str]) -> None:
    (statement,) = split_statements(case["sql"])
    assert case["key"] in tables.sql_query(statement).get_schema().get_field_names()


@pytest.mark.parametrize("case", [*CHECKED["outputs"], *CHECKED["table_statements"]])
def test_flink_takes_the_statement(tables: Any, case: dict[str, str]) -> None:
    parser = tables._j_tenv.getParser()
    for statement in split_statements(case["sql"]):
        assert parser.parse(statement).size() == 1
