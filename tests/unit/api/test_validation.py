"""Validation beside the corpus: what it accepts, what it warns of, what it is given, and what it keeps to itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.api.resources import ModelDeployment
from headgate.api.validation import examine, parse_modeldeployment
from headgate.errors import InvalidResource

TABLES = """
CREATE TABLE customers (id STRING, age DOUBLE, income DOUBLE) WITH ('connector' = 'datagen');
CREATE TABLE predictions (id STRING, probability FLOAT) WITH ('connector' = 'print');
CREATE TABLE rejected (reason STRING, record STRING) WITH ('connector' = 'print');
"""
OUTPUT = """
INSERT INTO predictions SELECT id, probability FROM scored;
INSERT INTO rejected SELECT reason, record FROM dead_letters;
"""


def sound() -> dict[str, Any]:
    """A resource with nothing wrong and nothing odd about it."""
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "churn"},
        "spec": {
            "model": {
                "uri": "s3://models/churn/3/model.onnx",
                "inputs": {"dense": ["age", "income"]},
                "outputs": {"probability": "scores[1]"},
            },
            "pipeline": {
                "tables": TABLES,
                "input": "SELECT id, age, income FROM customers",
                "key": "id",
                "output": OUTPUT,
            },
        },
    }


def with_field(path: str, value: Any) -> dict[str, Any]:
    """The sound resource with one field (dots between names) set."""
    raw = sound()
    parts = path.split(".")
    place = raw
    for part in parts[:-1]:
        place = place.setdefault(part, {})
    place[parts[-1]] = value
    return raw


def test_a_sound_resource_is_a_model_without_a_word_said() -> None:
    findings = examine(sound())
    assert (findings.problems, findings.warnings) == ((), ())
    assert findings.deployment == parse_modeldeployment(sound())
    assert findings.deployment is not None
    assert findings.deployment.spec.model.inputs == {"dense": ("age", "income")}


def test_an_object_of_the_cluster_brings_more_than_a_file_does() -> None:
    raw = sound() | {"status": {"phase": "Serving", "whatever": [1]}}
    raw["metadata"] |= {"uid": "u-1", "generation": 4, "resourceVersion": "12", "managedFields": [{"manager": "x"}]}
    deployment = parse_modeldeployment(raw)
    assert (deployment.metadata.uid, deployment.metadata.generation) == ("u-1", 4)


class View(Mapping[str, Any]):
    """A mapping that is no dict, as an operator's live view of an object is none."""

    def __init__(self, inner: dict[str, Any]) -> None:
        self._inner = inner

    def __getitem__(self, key: str) -> Any:
        value = self._inner[key]
        return View(value) if isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


def test_any_mapping_will_do_and_none_is_changed() -> None:
    raw = with_field("spec.flink.parallelism", 0)
    before = copy.deepcopy(raw)
    assert examine(View(raw)).problems == examine(raw).problems == examine(MappingProxyType(raw)).problems
    assert raw == before


def test_the_error_carries_every_problem_and_the_name() -> None:
    raw = with_field("spec.flink.parallelism", 0)
    del raw["spec"]["pipeline"]["key"]
    with pytest.raises(InvalidResource) as caught:
        parse_modeldeployment(raw)
    assert caught.value.problems == (
        "spec.pipeline.key: is missing",
        "spec.flink.parallelism: must be at least 1, not 0",
    )
    assert str(caught.value).startswith("churn: spec.pipeline.key: is missing; ")


@pytest.mark.parametrize(
    "raw", [{}, {"spec": None}, {"metadata": [], "spec": []}, {"spec": {"model": 1, "pipeline": "x"}}]
)
def test_whatever_is_given_the_answer_is_problems(raw: dict[str, Any]) -> None:
    findings = examine(raw)
    assert findings.deployment is None
    assert findings.problems


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.flink.taskManager", {"cpu": 2, "memory": "4Gi"}),
        ("spec.model.sizeLimit", 1000000),
        ("spec.model.constants", {"sr": 16000, "flags": [[True, False]], "name": "x", "empty": []}),
        ("spec.model.uri", "models/churn.onnx"),
        ("spec.model.uri", "C/models/churn v3.onnx"),
        ("spec.model.uri", "oci://registry.example.com/models/churn:3"),
        ("spec.model.uri", "pvc://models/churn/model.onnx"),
        ("spec.model.uri", "file:///srv/model.onnx"),
        ("spec.model.sha256", "sha256:" + "a" * 64),
        ("spec.model.follow", {"uri": "oci://registry.example.com/models/churn", "semver": ">=3"}),
        (
            "spec.flink.config",
            {"table.exec.state.ttl": "1 d", "restart-strategy.type": "fixed-delay", "rest.portal": "x"},
        ),
        ("spec.flink.storage", {"uri": "file:///state", "claim": "state"}),
        ("spec.flink.storage", {"uri": "abfs://c@a.dfs.core.windows.net/state", "secret": "azure"}),
        ("spec.image.repository", "localhost:5000/models/churn"),
        ("spec.image.base", "registry.example.com/runtime@sha256:" + "0" * 64),
        (
            "spec.pipeline.python",
            {"requirements": ["scikit-learn==1.7.2", "pandas[excel]>=2,<3; python_version<'4'", "x"]},
        ),
        ("spec.pipeline.python", {"module": "python/features.py"}),
        ("spec.rollout", {"strategy": "Canary", "steps": [{"setWeight": 5}, {"pause": {}}, {"setWeight": 5}]}),
        ("spec.rollout", {"strategy": "Shadow", "steps": [{"pause": {"duration": "1h"}}]}),
        ("spec.model.histogram", "probability"),
    ],
)
def test_a_field_may_be(path: str, value: Any) -> None:
    assert examine(with_field(path, value)).problems == ()


@pytest.mark.parametrize(
    ("path", "value", "warning"),
    [
        ("spec.flink.slotsPerTaskManager", 4,
         "spec.flink.slotsPerTaskManager: 4 slots for a parallelism of 1: the others stay empty and still share the memory"),
        ("spec.flink.storage", {"uri": "file:///tmp/state"},
         "spec.flink.storage.uri: fine on a laptop; on Kubernetes the pods share a file:/// directory only on a claim "
         "(storage.claim)"),
        ("spec.pipeline.tables", TABLES + "CREATE TABLE spare (a INT) WITH ('connector' = 'print');",
         'spec.pipeline.tables: line 5, column 14: nothing reads or writes "spare"'),
        ("spec.pipeline.tables", TABLES.replace("'datagen'", "'datagen', 'properties.sasl.password' = 'hunter2'"),
         "spec.pipeline.tables: line 2, column 123: 'properties.sasl.password' stands here for all to read; put it into a "
         "Secret and write ${secret:name/key}"),
    ],
    ids=["slots that stay empty", "a directory of one machine", "a table that nothing uses", "a password for all to read"],
)  # fmt: skip
def test_what_is_odd_is_said_and_not_refused(path: str, value: Any, warning: str) -> None:
    findings = examine(with_field(path, value))
    assert findings.problems == ()
    assert tuple(map(str, findings.warnings)) == (warning,)


def test_dead_letters_that_nobody_keeps_are_worth_a_word() -> None:
    raw = with_field("spec.pipeline.output", "INSERT INTO predictions SELECT id, probability FROM scored")
    assert [str(one) for one in examine(raw).warnings] == [
        'spec.pipeline.tables: line 4, column 14: nothing reads or writes "rejected"',
        "spec.pipeline.output: never reads dead_letters: records that cannot be scored are counted but not kept",
    ]
    raw["spec"]["pipeline"]["onError"] = "Fail"
    assert not any("dead_letters" in str(one) for one in examine(raw).warnings)


def test_state_in_a_canary_is_worth_a_word() -> None:
    raw = with_field("spec.rollout", {"strategy": "Canary", "steps": [{"setWeight": 10}]})
    raw["spec"]["model"]["state"] = [{"input": "h", "output": "hn", "shape": [1]}]
    assert [one.path for one in examine(raw).warnings] == [("spec", "rollout", "strategy")]


def test_a_password_is_never_repeated() -> None:
    tables = TABLES.replace("'datagen'", "'datagen', 'password' = 'hunter2', 'headgate.csv.header' = 'hunter')")
    findings = examine(with_field("spec.pipeline.tables", tables))
    assert "hunter2" not in " ".join(map(str, (*findings.problems, *findings.warnings)))


def test_a_star_over_something_unknown_leads_to_no_conclusion() -> None:
    raw = with_field("spec.pipeline.input", "SELECT * FROM customers JOIN predictions ON TRUE")
    raw["spec"]["pipeline"]["key"] = "anything"
    raw["spec"]["model"]["inputs"] = {"x": ["whatever"]}
    assert examine(raw).problems == ()


def test_a_table_of_another_catalog_leads_to_no_conclusion() -> None:
    raw = with_field("spec.pipeline.input", "SELECT id, age, income FROM lake.db.customers")
    assert examine(raw).problems == ()


def test_columns_without_a_name_are_counted_all_the_same() -> None:
    raw = with_field("spec.pipeline.input", "SELECT id, age * 2, income FROM customers")
    raw["spec"]["model"]["inputs"] = {}
    wide = "CREATE TABLE wide (a STRING, b DOUBLE, c DOUBLE, d FLOAT, e STRING, f STRING, g STRING) WITH ('connector' = 'print')"
    raw["spec"]["pipeline"]["tables"] = TABLES + wide
    raw["spec"]["pipeline"]["output"] = "INSERT INTO wide SELECT * FROM scored"
    assert examine(raw).problems == ()


def test_what_stands_behind_an_operator_is_no_name_of_a_column() -> None:
    raw = with_field("spec.pipeline.input", "SELECT id, age, SUM(income) OVER probability, age AND probability, age + probability "
                     "FROM customers WINDOW probability AS (ORDER BY age)")  # fmt: skip
    raw["spec"]["model"]["inputs"] = {}
    assert examine(raw).problems == ()


def test_columns_that_are_only_read_are_not_counted_as_written() -> None:
    sink = (
        "CREATE TABLE sink (id STRING, moment TIMESTAMP(3) METADATA, part INT METADATA VIRTUAL, twice AS id || id) "
        "WITH ('connector' = 'kafka');"
    )
    raw = with_field("spec.pipeline.tables", TABLES + sink)
    raw["spec"]["pipeline"]["output"] = OUTPUT + "INSERT INTO sink SELECT id, CURRENT_TIMESTAMP FROM scored"
    assert examine(raw).problems == ()
    raw["spec"]["pipeline"]["output"] = OUTPUT + "INSERT INTO sink SELECT id FROM scored"
    assert [str(one) for one in examine(raw).problems] == [
        "spec.pipeline.output: line 4, column 13: number of columns: the query gives 1, sink takes 2 (id, moment)"
    ]


names = st.from_regex(r"\A[a-z][a-z0-9_]{0,8}\Z")
durations = st.builds(lambda n, unit: f"{n}{unit}", st.integers(1, 999), st.sampled_from(["ms", "s", "m", "h"]))
quantities = st.builds(lambda n, unit: f"{n}{unit}", st.integers(1, 999), st.sampled_from(["", "m", "Mi", "Gi"]))
specs = st.fixed_dictionaries(
    {},
    optional={
        "flink": st.fixed_dictionaries(
            {},
            optional={
                "parallelism": st.integers(1, 1024),
                "jobManager": st.fixed_dictionaries({}, optional={"cpu": quantities, "memory": quantities}),
                "config": st.dictionaries(names.map(lambda name: f"user.{name}"), st.text(max_size=20), max_size=3),
            },
        ),
        "rollout": st.fixed_dictionaries({}, optional={"progressDeadline": durations, "paused": st.booleans()}),
        "suspend": st.booleans(),
    },
)
models = st.fixed_dictionaries(
    {"uri": names},
    optional={
        "constants": st.dictionaries(names, st.one_of(st.integers(), st.booleans(), st.text(max_size=9)), max_size=3),
        "nan": st.sampled_from(["Allow", "DeadLetter"]),
        "execution": st.fixed_dictionaries(
            {}, optional={"maxDelay": durations, "maxBatchRows": st.integers(1, 100_000)}
        ),
        "state": st.just([{"input": "h", "output": "hn", "shape": [1, 2], "init": 0.5}]),
    },
)


@settings(max_examples=40, deadline=None)
@given(more=specs, model=models)
def test_a_resource_written_out_reads_back_the_same(more: dict[str, Any], model: dict[str, Any]) -> None:
    raw = sound()
    raw["spec"] |= more | {"model": model}
    findings = examine(raw)
    if findings.deployment is None:
        assert any("secret" in str(one) or "fed by" in str(one) for one in findings.problems)
        return
    for unset in (True, False):
        written = findings.deployment.model_dump(mode="json", by_alias=True, exclude_unset=unset, exclude_none=True)
        assert parse_modeldeployment(written) == findings.deployment


def test_a_resource_is_immutable() -> None:
    deployment = parse_modeldeployment(sound())
    assert isinstance(deployment, ModelDeployment)
    with pytest.raises(ValueError, match="frozen"):
        deployment.spec.suspend = True
