"""``run`` and ``explain`` from the command line to the child process, with a runtime that only speaks the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.local.kit import RESOURCE, Said, workspace

Headgate = Callable[..., Said]
FakeRuntime = Callable[[str], None]


def only_log(here: Path) -> str:
    (log,) = here.parent.glob("xdg_state_home/headgate/logs/*.log")
    return log.read_text()


def test_a_run_ends_with_a_summary_on_stdout_and_progress_on_stderr(
    headgate: Headgate, fake_runtime: FakeRuntime, here: Path
) -> None:
    fake_runtime("finish")
    workspace(here)
    (here / "out" / "answers").mkdir(parents=True)
    (here / "out" / "answers" / "part-1").write_text("")
    (here / "out" / "answers" / ".part-2.inprogress").write_text("")
    said = headgate("run", "sums.yaml")
    assert said.status == 0
    first, *facts = said.out.splitlines()
    assert first == "sums finished in 2.0 s"
    assert facts[0].startswith("  revision        sums-")
    assert facts[1:] == [
        "  records in      11",
        "  scored          8",
        "  dead letters    3",
        "    NullFeature   2",
        "    WrongShape    1",
        "  throughput      4 records/s",
        "  output answers  out/answers (1 file)",
        "first rows",
        "  id  probability  label",
        "   1         0.25",
        "   2         0.75  yes",
    ]
    assert "loading the model: done (0.5 s)" in said.err
    assert said.err.splitlines()[-1].startswith("log: ")


def test_the_summary_as_json(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("finish")
    workspace(here)
    told = json.loads(headgate("run", "sums.yaml", "-o", "json").out)
    assert (told["in"], told["scored"], told["state"]) == (11, 8, "FINISHED")
    assert told["deadLetters"] == {"NullFeature": 2, "WrongShape": 1}
    assert told["firstRows"][0] == {"id": 1, "probability": 0.25, "label": None}
    assert told["outputs"] == {"answers": "out/answers (0 files)"}


def test_the_child_runs_in_the_folder_of_the_resource_with_java_and_without_foreign_settings(
    headgate: Headgate, fake_runtime: FakeRuntime, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_runtime("environment")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("FLINK_HOME", "/nowhere")
    workspace(here / "sub")
    said = headgate("run", "sub/sums.yaml", "--rows", "7", "--watch", "--every", "250ms", "--keep", "kept")
    assert said.status == 0
    variables, cwd, argv = only_log(here).splitlines()[:3]
    assert json.loads(variables) == {
        "JAVA_HOME": str(here.parent / "tools" / "java"),
        "PYTHONPATH": None,
        "FLINK_HOME": None,
    }
    assert cwd == f"cwd {here / 'sub'}"
    job = str(here / "kept" / "job.json")
    assert json.loads(argv.removeprefix("argv ")) == [
        *("environment", "run", "--job", job, "--local", "--rows", "7", "--watch", "250")
    ]
    assert json.loads(Path(job).read_text())["name"] == "sums"


def test_savepoints_are_passed_on(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("environment")
    workspace(here)
    headgate("run", "sums.yaml", "--savepoint-dir", "sp", "--from-savepoint", "file:///old")
    argv = only_log(here).splitlines()[2]
    assert json.loads(argv.removeprefix("argv "))[5:] == [
        *("--savepoint-dir", str(here / "sp"), "--from-savepoint", "file:///old")
    ]


def test_a_field_is_set_before_the_job_is_written(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("finish")
    workspace(here)
    said = headgate("run", "sums.yaml", "--set", "model.version=9", "--set", "spec.flink.parallelism=2", "--keep", "k")
    assert said.status == 0
    job = json.loads((here / "k" / "job.json").read_text())
    assert (job["models"][0]["version"], job["flink"]["parallelism"]) == ("9", 2)


def test_a_resource_from_stdin_counts_paths_from_the_working_directory(
    headgate: Headgate, fake_runtime: FakeRuntime, here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_runtime("finish")
    file = workspace(here)
    with file.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert headgate("run", "-").status == 0


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        pytest.param(
            "refuse",
            "error: The run failed in stage load (ModelRefused): The model needs opset 30. The log is ",
            id="the runtime says why",
        ),
        pytest.param(
            "crash",
            "error: The runtime ended with status 7 and gave no reason. Its last lines:\n  the last thing it said\n",
            id="the runtime breaks down",
        ),
        pytest.param("explain", "error: The runtime ended without a summary.", id="the runtime sums nothing up"),
    ],
)
def test_a_failed_run_is_status_1_with_its_reason(
    headgate: Headgate, fake_runtime: FakeRuntime, here: Path, scenario: str, told: str
) -> None:
    fake_runtime(scenario)
    workspace(here)
    said = headgate("run", "sums.yaml")
    assert (said.status, said.out) == (1, "")
    assert told in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(("uri: model.onnx", "uri: no.onnx"), "no.onnx does not exist.", id="no model"),
        pytest.param(("[a, b, c]", "[a, b]"), "spec.model.inputs", id="columns that do not fit the model"),
        pytest.param(("'filesystem', 'path' = 'in.csv'", "'filesistem'"), "No jar is known", id="an unknown connector"),
        pytest.param(("key: id", "kee: id"), "spec.pipeline", id="an invalid resource"),
    ],
)
def test_what_can_be_known_before_is_told_before_anything_starts(
    headgate: Headgate, fake_runtime: FakeRuntime, here: Path, change: tuple[str, str], told: str
) -> None:
    fake_runtime("vanish")
    workspace(here, RESOURCE.replace(*change))
    said = headgate("run", "sums.yaml")
    assert said.status == 1
    assert told in said.err
    assert not (here.parent / "xdg_state_home").exists()


def test_a_jar_that_is_not_there_is_told(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("finish")
    workspace(here)
    assert "error: --jar my.jar: there is no such file." in headgate("run", "sums.yaml", "--jar", "my.jar").err


def test_jars_of_ones_own_reach_the_runtime(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("environment")
    workspace(here, RESOURCE.replace("'filesystem', 'path' = 'in.csv'", "'mine'"))
    (here / "my.jar").write_text("")
    assert headgate("run", "sums.yaml", "--jar", "my.jar").status == 0
    assert f'"--jars", "{here / "my.jar"}"' in only_log(here)


def test_two_deployments_in_one_file_are_not_run(headgate: Headgate, here: Path) -> None:
    workspace(here, RESOURCE + "---\n" + RESOURCE.replace("name: sums", "name: more"))
    said = headgate("run", "sums.yaml")
    assert said.status == 1
    assert "holds 2 ModelDeployments (sums, more), and one is run at a time" in said.err


def test_all_problems_of_a_resource_are_told_each_on_its_line(headgate: Headgate, here: Path) -> None:
    workspace(here, RESOURCE.replace("key: id", "key: idd").replace('version: "1"', "verzion: 1"))
    said = headgate("run", "sums.yaml")
    assert said.status == 1
    assert said.err.startswith("error: The resource has ")
    assert len([line for line in said.err.splitlines() if line.startswith("  line ")]) >= 2


def test_explain_shows_job_operators_and_plan(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("explain")
    workspace(here)
    said = headgate("explain", "sums.yaml")
    assert said.status == 0
    assert "  input x      a, b, c" in said.out
    assert "operators\n  Source\n    cbc3\n" in said.out
    assert said.out.endswith("plan\n== Plan ==\nSource -> Model\n")


def test_explain_as_json(headgate: Headgate, fake_runtime: FakeRuntime, here: Path) -> None:
    fake_runtime("explain")
    workspace(here)
    told = json.loads(headgate("explain", "sums.yaml", "-o", "json").out)
    assert told["job"]["name"] == "sums"
    assert told["operators"] == [{"id": "cbc3", "name": "Source"}]
