"""Reading YAML: documents, kinds, lines, and the values that YAML would like to be something else."""

from __future__ import annotations

import pytest

from headgate.api.load import Document, load_modeldeployments, read_documents
from headgate.api.problems import Problem
from headgate.api.validation import examine
from headgate.errors import InvalidResource

SOUND = """\
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata:
  name: churn
spec:
  model:
    uri: model.onnx
    version: "3"
    outputs:
      probability: scores[1]
  pipeline:
    tables: |
      CREATE TABLE customers (id STRING, age DOUBLE) WITH ('connector' = 'datagen');
      CREATE TABLE predictions (id STRING, probability FLOAT) WITH ('connector' = 'print');
    input: SELECT id, age FROM customers
    key: id
    output: >
      INSERT INTO predictions
      SELECT id, probability FROM scored
"""


def document(text: str = SOUND) -> Document:
    """The one ModelDeployment of a text."""
    (found,) = read_documents(text)
    return found


def test_a_sound_file_is_read() -> None:
    (deployment,) = load_modeldeployments(SOUND)
    assert deployment.metadata.name == "churn"
    assert document().name == "churn"


def test_other_kinds_beside_it_are_left_alone() -> None:
    text = f"apiVersion: v1\nkind: Secret\n---\n{SOUND}---\n# nothing\n---\nkind: ConfigMap\n---\n{SOUND}"
    assert len(load_modeldeployments(text)) == 2
    assert [one.line for one in read_documents(text)] == [4, 28]


def test_the_file_name_begins_the_message() -> None:
    with pytest.raises(InvalidResource) as caught:
        load_modeldeployments(SOUND.replace("key: id", "key: idd"), source="churn.yaml")
    assert str(caught.value).startswith("churn.yaml: line 16: spec.pipeline.key: ")


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem(("spec", "pipeline", "tables"), "x", 2), 14),
        (Problem(("spec", "pipeline", "tables"), "x"), 12),
        (Problem(("spec", "pipeline", "input"), "x", 1), 15),
        (Problem(("spec", "pipeline", "output"), "x", 2), 17),
        (Problem(("spec", "model", "outputs", "probability"), "x"), 10),
        (Problem(("spec", "model", "sha256"), "x"), 6),
        (Problem(("spec", "flink", "storage", "uri"), "x"), 5),
        (Problem((), "x"), 1),
    ],
    ids=[
        "a line of a block",
        "a block itself",
        "a text in the line of its name",
        "a folded text, whose lines cannot be told",
        "an entry of a map",
        "a field that is not there",
        "a field of an object that is not there",
        "the whole document",
    ],
)
def test_a_problem_has_a_line_of_the_file(problem: Problem, line: int) -> None:
    assert document().line_of(problem) == line
    assert document().describe(problem) == f"line {line}: {problem}"


def test_dates_and_times_stay_what_they_are_written_as() -> None:
    text = SOUND.replace('version: "3"', "version: 2026-03-01")
    text = text.replace("  name: churn", "  name: churn\n  annotations: {at: 2026-3-1 10:00:00}")
    (deployment,) = load_modeldeployments(text)
    assert deployment.spec.model.version == "2026-03-01"
    assert deployment.metadata.annotations == {"at": "2026-3-1 10:00:00"}


def test_a_number_where_a_text_belongs_is_told_with_its_line() -> None:
    with pytest.raises(InvalidResource) as caught:
        load_modeldeployments(SOUND.replace('"3"', "3"))
    assert caught.value.problems == ('line 8: spec.model.version: must be text, not 3; write "3" in quotes',)


def test_anchors_and_merges_work() -> None:
    text = SOUND.replace("    outputs:\n", "    outputs: &outputs\n").replace(
        "  pipeline:", "  flink: {config: {<<: *none}}\n  pipeline:"
    )
    text = text.replace("metadata:\n", "metadata:\n  annotations: &none {}\n")
    assert load_modeldeployments(text)[0].spec.flink.config == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n- b\n", "line 1: a document must be an object with apiVersion, kind, metadata and spec, not a list"),
        (
            "just words\n",
            "line 1: a document must be an object with apiVersion, kind, metadata and spec, not a single value",
        ),
        ("# nothing\n---\n", "there is no ModelDeployment here: the text is empty"),
        ("apiVersion: headgate.dev/v1alpha1\n", "line 1: kind is missing; write kind: ModelDeployment"),
        ("kind: ModelDeployment\n", "line 1: apiVersion is missing; write apiVersion: headgate.dev/v1alpha1"),
        ("apiVersion: headgate.dev/v1alpha1\nkind: Model\n", 'line 1: kind: must be ModelDeployment, not "Model"'),
        ("a: b: c\n", "line 1, column 5: a colon is not expected here; quote the text, or indent as the line above"),
        ("a: [1, 2\nb: 3\n", "line 2, column 2: expected ',' or ']', but got ':'"),
        ("a:\n  - b\n c: d\n", "line 3, column 2: this line is indented unlike the lines beside it"),
        ("a: *b\n", "line 1, column 4: an alias (*name) without its anchor (&name)"),
        ("a: !b c\n", "line 1, column 4: a tag (!name) that means nothing here"),
        ("a: `b`\n", "line 1, column 4: this character cannot begin a value; put the text in quotes"),
        ("a: \x07\n", "the character U+0007 cannot stand in YAML"),
        ("? [a, b]\n: c\n", "line 1, column 3: a name must be a text"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_resource_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(InvalidResource) as caught:
        load_modeldeployments(text)
    assert caught.value.problems == (problem,)


def test_the_raw_document_can_be_changed_before_it_is_examined() -> None:
    raw = dict(document().raw)
    raw["metadata"] = {"name": "another"}
    deployment = examine(raw).deployment
    assert deployment is not None
    assert deployment.metadata.name == "another"
