"""Credentials: which entry of which file counts for a registry, and that none is ever shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from headgate.imagebuild.errors import RegistryUnauthorized
from headgate.imagebuild.registry.credentials import Credential, load_keychain


def _auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def _file(folder: Path, value: object, name: str = "config.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("key", "registry", "repository", "found"),
    [
        pytest.param("ghcr.io", "ghcr.io", "a/b", True, id="the host"),
        pytest.param("https://ghcr.io/v2/", "ghcr.io", "a/b", True, id="a URL"),
        pytest.param("ghcr.io/team", "ghcr.io", "team/churn", True, id="a part of the repositories"),
        pytest.param("ghcr.io/team", "ghcr.io", "teams/churn", False, id="a name that only begins alike"),
        pytest.param("ghcr.io", "ghcr.io:5000", "a/b", False, id="another port"),
        pytest.param("*.example.com", "eu.example.com", "a", True, id="a pattern for a label"),
        pytest.param("*.example.com", "a.b.example.com", "a", False, id="a pattern is one label alone"),
        pytest.param("https://index.docker.io/v1/", "docker.io", "library/python", True, id="Docker Hub's old key"),
    ],
)
def test_an_entry_counts_for_its_registry(
    key: str, registry: str, repository: str, found: bool, tmp_path: Path
) -> None:
    keychain = load_keychain([_file(tmp_path, {"auths": {key: _auth("ada", "secret")}})])
    assert keychain.find(registry, repository) == (Credential("ada", "secret") if found else None)


def test_the_longest_entry_wins(tmp_path: Path) -> None:
    auths = {"r.io": _auth("all", "1"), "r.io/team/churn": _auth("churn", "2"), "r.io/team": _auth("team", "3")}
    keychain = load_keychain([_file(tmp_path, {"auths": auths})])
    assert keychain.find("r.io", "team/churn") == Credential("churn", "2")
    assert keychain.find("r.io", "team/other") == Credential("team", "3")
    assert keychain.find("r.io", "else") == Credential("all", "1")


def test_the_older_form_of_a_pull_secret_is_read(tmp_path: Path) -> None:
    keychain = load_keychain([_file(tmp_path, {"r.io": _auth("ada", "x:y")}, ".dockercfg")])
    assert keychain.find("r.io", "a") == Credential("ada", "x:y")


def test_tokens_are_read(tmp_path: Path) -> None:
    auths = {"a.io": {"identitytoken": "i"}, "b.io": {"registrytoken": "r"}, "c.io": {}}
    keychain = load_keychain([_file(tmp_path, {"auths": auths})])
    assert keychain.find("a.io", "x") == Credential(identity_token="i")
    assert keychain.find("b.io", "x") == Credential(registry_token="r")
    assert keychain.find("c.io", "x") is None


def test_files_that_do_not_exist_are_passed_over(tmp_path: Path) -> None:
    assert load_keychain([tmp_path / "nowhere.json"]).find("r.io", "a") is None


@pytest.mark.parametrize("text", ['{"auths": {"r.io": {"auth": "%%secret%%"}}}', '{"auths": []}', "secret {"])
def test_a_file_that_cannot_be_read_is_named_and_not_quoted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(RegistryUnauthorized) as caught:
        load_keychain([path])
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_credential_shows_no_secret() -> None:
    shown = repr(Credential("ada", "secret-1", "secret-2", "secret-3"))
    assert "ada" in shown
    assert "secret" not in shown


def _helper(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_helper_is_asked_for_its_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _helper(tmp_path, "vault", 'read host; echo "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}"')
    _helper(tmp_path, "token", 'echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"t\\"}"')
    _helper(tmp_path, "broken", "echo credentials not found; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    helpers = {"a.io": "vault", "b.io": "token", "c.io": "broken", "d.io": "missing"}
    keychain = load_keychain([_file(tmp_path, {"credHelpers": helpers})])
    assert keychain.find("a.io", "x") == Credential("a.io", "s")
    assert keychain.find("b.io", "x") == Credential(identity_token="t")
    assert keychain.find("c.io", "x") is None
    assert keychain.find("d.io", "x") is None


def test_a_store_is_asked_for_registries_without_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _helper(tmp_path, "store", 'echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"s\\"}"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    keychain = load_keychain([_file(tmp_path, {"credsStore": "store", "auths": {"a.io": _auth("ada", "1")}})])
    assert keychain.find("a.io", "x") == Credential("ada", "1")
    assert keychain.find("b.io", "x") == Credential("u", "s")


def test_a_helper_name_never_becomes_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _helper(tmp_path, "evil", 'echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"s\\"}"')
    (tmp_path / "docker-credential-").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    keychain = load_keychain([_file(tmp_path, {"credHelpers": {"a.io": "/../docker-credential-evil"}})])
    assert keychain.find("a.io", "x") is None
