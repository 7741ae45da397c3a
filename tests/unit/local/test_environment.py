"""Which interpreter runs the runtime, and how one is made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from headgate.errors import ToolMissing
from headgate.local.environment import environment_key, find_environment
from headgate.local.install import Workshop, requirements_folder
from headgate.local.places import RuntimeSource, cache_folder, find_runtime_source, state_folder
from unit.local.kit import fake_runtime_python, script

# A stand-in for uv: `venv` makes an interpreter that answers the probe, `pip` notes that it was called.
FAKE_UV = """
case "$1" in
  venv)
    for last in "$@"; do :; done
    mkdir -p "$last/bin" "$last/lib/python3.11/site-packages"
    echo made >> "$FAKE_UV_LOG"
    cat > "$last/bin/python" <<'PYTHON'
#!/bin/sh
echo '{"version": [3, 11], "runtime": true, "jdk": null}'
PYTHON
    chmod +x "$last/bin/python" ;;
  pip)
    echo "$@" >> "$FAKE_UV_LOG"
    [ -z "$FAKE_UV_FAILS" ] || { echo "no such package: $FAKE_UV_FAILS"; exit 2; }
    case "$*" in *--target*) while [ "$1" != "--target" ]; do shift; done; mkdir -p "$2" ;; esac ;;
  *) echo "unexpected: $*"; exit 9 ;;
esac
"""


@pytest.fixture
def source(tmp_path: Path) -> RuntimeSource:
    root = tmp_path / "runtime"
    (root / "headgate_runtime").mkdir(parents=True)
    (root / "headgate_runtime" / "__init__.py").write_text("x = 1\n")
    (root / "requirements.lock").write_text("numpy==2.1.3 --hash=sha256:00\n")
    return RuntimeSource(root, checkout=False)


@pytest.fixture
def workshop(tmp_path: Path, source: RuntimeSource) -> Workshop:
    environ = {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PATH": "/usr/bin:/bin",
        "FAKE_UV_LOG": str(tmp_path / "uv.log"),
    }
    return Workshop(source, environ, lambda line: None, str(script(tmp_path / "uv", FAKE_UV)))


def installed(tmp_path: Path) -> list[str]:
    return (tmp_path / "uv.log").read_text().splitlines()


def test_the_named_interpreter_comes_first(tmp_path: Path, workshop: Workshop) -> None:
    python = fake_runtime_python(tmp_path / "py", "finish", jdk=tmp_path / "jdk")
    workshop.environ["HEADGATE_RUNTIME_PYTHON"] = str(python)  # type: ignore[index]  # a dict, made above
    found = find_environment(workshop)
    assert (found.python, found.bundled_java) == (python, tmp_path / "jdk")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            {"version": "[3, 13]"}, "is Python 3.13, and Flink's Python is 3.10 to 3.12.", id="a Python too new"
        ),
        pytest.param(
            {"version": "[3, 9]"}, "is Python 3.9, and Flink's Python is 3.10 to 3.12.", id="a Python too old"
        ),
        pytest.param({"runtime": False}, "has no headgate_runtime package.", id="no runtime in it"),
    ],
)
def test_a_named_interpreter_that_does_not_serve_is_refused(
    tmp_path: Path, workshop: Workshop, options: dict[str, object], said: str
) -> None:
    python = fake_runtime_python(tmp_path / "py", "finish", **options)  # type: ignore[arg-type]  # from the table
    workshop.environ["HEADGATE_RUNTIME_PYTHON"] = str(python)  # type: ignore[index]  # a dict, made above
    with pytest.raises(ToolMissing) as caught:
        find_environment(workshop)
    assert str(caught.value).startswith(f"{python} (HEADGATE_RUNTIME_PYTHON) {said}")


def test_a_named_interpreter_that_is_not_there_is_refused(tmp_path: Path, workshop: Workshop) -> None:
    workshop.environ["HEADGATE_RUNTIME_PYTHON"] = str(tmp_path / "nothing")  # type: ignore[index]  # a dict, made above
    with pytest.raises(ToolMissing, match=r"nothing \(HEADGATE_RUNTIME_PYTHON\) cannot be run"):
        find_environment(workshop)


def test_a_checkout_uses_the_environment_beside_the_runtime(tmp_path: Path, workshop: Workshop) -> None:
    source = RuntimeSource(workshop.source.root, checkout=True)
    python = fake_runtime_python(source.root / ".venv" / "bin" / "python", "finish")
    assert find_environment(Workshop(source, workshop.environ, workshop.tell, workshop.uv)).python == python


def test_an_environment_is_made_once_with_hashes_and_the_source_inside(tmp_path: Path, workshop: Workshop) -> None:
    first, second = find_environment(workshop), find_environment(workshop)
    assert first == second
    home = first.python.parents[1]
    assert home.parent == tmp_path / "cache" / "headgate" / "runtime"
    assert (home / "lib/python3.11/site-packages/headgate_runtime/__init__.py").read_text() == "x = 1\n"
    made, install = installed(tmp_path)
    assert made == "made"
    assert install.endswith(f"--require-hashes -r {workshop.source.lock}")


def test_a_failed_installation_leaves_nothing_that_looks_made(tmp_path: Path, workshop: Workshop) -> None:
    workshop.environ["FAKE_UV_FAILS"] = "numpy"  # type: ignore[index]  # a dict, made above
    with pytest.raises(ToolMissing) as caught:
        find_environment(workshop)
    assert str(caught.value) == (
        "The runtime environment could not be made: uv pip ended with status 2. Its last lines:\n"
        "no such package: numpy\n Check what is asked for and that a package index can be reached, then run the command again."
    )
    assert [path.suffix for path in (tmp_path / "cache/headgate/runtime").iterdir()].count("") == 0


def test_two_runs_at_once_make_it_once(tmp_path: Path, workshop: Workshop) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(find_environment(workshop))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert installed(tmp_path).count("made") == 1


def test_the_key_changes_with_lock_source_and_python(source: RuntimeSource) -> None:
    keys = [environment_key(source, (3, 11)), environment_key(source, (3, 12))]
    (source.root / "headgate_runtime" / "__init__.py").write_text("x = 2\n")
    keys.append(environment_key(source, (3, 11)))
    source.lock.write_text("numpy==2.1.2 --hash=sha256:00\n")
    keys.append(environment_key(source, (3, 11)))
    assert len(set(keys)) == 4
    assert all(len(key) == 16 for key in keys)


def test_requirements_are_constrained_by_the_runtimes_lock_and_installed_once(
    tmp_path: Path, workshop: Workshop
) -> None:
    folders = {requirements_folder(("rapidfuzz==3.1",), tmp_path / "py", workshop) for _ in range(2)}
    assert len(folders) == 1
    (line,) = installed(tmp_path)
    assert line.endswith(f"--only-binary :all: --constraints {workshop.source.lock} -- rapidfuzz==3.1")


def test_folders_follow_the_xdg_variables_and_ignore_relative_ones() -> None:
    home = {"HOME": "/home/x"}
    assert cache_folder(home) == Path("/home/x/.cache/headgate")
    assert cache_folder(home | {"XDG_CACHE_HOME": "/c"}) == Path("/c/headgate")
    assert cache_folder(home | {"XDG_CACHE_HOME": "c"}) == Path("/home/x/.cache/headgate")
    assert state_folder(home) == Path("/home/x/.local/state/headgate")
    assert state_folder(home | {"XDG_STATE_HOME": "/s"}) == Path("/s/headgate")


def test_the_runtimes_source_is_found_in_this_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    assert find_runtime_source().checkout
    (tmp_path / "headgate" / "_runtime" / "headgate_runtime").mkdir(parents=True)
    found = find_runtime_source(tmp_path / "headgate")
    assert found == RuntimeSource(tmp_path / "headgate" / "_runtime", checkout=False)


def test_a_broken_installation_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="runtime's source is neither in"):
        find_runtime_source(tmp_path / "a" / "b" / "headgate")
