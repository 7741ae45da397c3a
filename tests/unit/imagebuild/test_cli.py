"""``headgate build`` and ``headgate verify`` as a person types them, against a registry and onto a disk."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import TensorProto, helper

from headgate.cli.main import main
from headgate.cli.registries import is_local
from imagekit.images import base_image, open_repository, push_image
from imagekit.registry import FakeRegistry

_RESOURCE = """
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {name: churn}
spec:
  model: {uri: model.onnx, version: "3"}
  pipeline:
    tables: |
      CREATE TABLE rows_in (id BIGINT, x FLOAT) WITH ('connector' = 'datagen');
      CREATE TABLE rows_out (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole');
    input: SELECT id, x FROM rows_in
    key: id
    output: INSERT INTO rows_out SELECT id, y FROM scored
"""


@pytest.fixture(autouse=True)
def _plain_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "HEADGATE_BASE", "COSIGN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def resource(tmp_path: Path) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    path = tmp_path / "churn.yaml"
    path.write_text(_RESOURCE)
    return path


@pytest.fixture
def base(registry: FakeRegistry) -> str:
    push_image(open_repository(registry.address, "headgate/runtime"), base_image(), "base")
    return f"{registry.address}/headgate/runtime:base"


def _keys(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "key.pem", folder / "key.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def test_an_image_is_built_signed_found_again_and_verified(
    resource: Path, base: str, registry: FakeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = _keys(tmp_path)
    push = f"{registry.address}/team/churn"
    arguments = [
        "build",
        str(resource),
        "--push",
        f"{push}:3",
        "--base",
        base,
        "--plain-http",
        "--sign-key",
        str(private),
    ]
    assert main(arguments) == 0
    first = capsys.readouterr()
    assert first.out.startswith(f"{push}@sha256:")
    assert "model 0        uploaded" in first.err
    assert main(arguments) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "was built already" in second.err
    assert main(["verify", f"{push}:3", "--key", str(public), "--plain-http"]) == 0
    verified = capsys.readouterr().out
    assert verified.startswith(first.out.strip() + f" is signed as {push}\n")
    assert "application/vnd.cyclonedx+json" in verified
    assert main(["verify", f"{push}:3", "--key", str(_keys(tmp_path)[1]), "--plain-http"]) == 1
    assert "made with another key" in capsys.readouterr().err


def test_a_dry_run_lists_layers_and_writes_nothing(
    resource: Path, base: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.world.seen.clear()
    push = f"{registry.address}/team/churn"
    assert main(["build", str(resource), "--push", push, "--base", base, "--plain-http", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "would be uploaded: 4 layers" in shown.err
    assert "model 0        missing" in shown.err
    assert registry.world.sent_bytes() == 0


def test_a_layout_is_written_from_a_base_on_disk(
    resource: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from headgate.imagebuild.layout import Layout

    push_image(Layout(tmp_path / "base"), base_image(), "latest")
    arguments = [
        "build",
        str(resource),
        "--oci-layout",
        str(tmp_path / "image"),
        "--base",
        f"oci-layout:{tmp_path / 'base'}",
    ]
    assert main([*arguments, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert Layout(tmp_path / "image").find("latest") == told["digest"]
    assert [layer["name"] for layer in told["layers"]] == ["base", "runtime", "job", "model 0"]
    assert told["models"][0]["version"] == "3"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--base", "r.io/base"], "Where the image goes is not said. Use --push REPO", id="no target"),
        pytest.param(["--push", "r.io/churn"], "No base image is named. Use --base REF", id="no base"),
        pytest.param(["--push", "r.io/Churn", "--base", "r.io/b"], "'Churn' is not a repository", id="a bad name"),
        pytest.param(
            ["--push", "127.0.0.1:1/churn", "--base", "127.0.0.1:1/b", "--plain-http", "--sign-key", "nowhere.pem"],
            "The key nowhere.pem cannot be read: No such file",
            id="no key",
        ),
    ],
)
def test_what_is_missing_is_asked_for(
    arguments: list[str], says: str, resource: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", str(resource), *arguments]) == 1
    assert says in capsys.readouterr().err


def test_the_resource_may_name_repository_and_base(
    resource: Path, base: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    by_digest = f"{base.removesuffix(':base')}@{base_image().digest}"
    image = f"  image: {{repository: '{registry.address}/team/churn', base: '{by_digest}'}}\n"
    resource.write_text(_RESOURCE + image)
    assert main(["build", str(resource), "--plain-http"]) == 0
    assert capsys.readouterr().out.startswith(f"{registry.address}/team/churn@sha256:")


def test_credentials_come_from_dockers_file(
    resource: Path, base: str, registry: FakeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.world.auth = "bearer"
    push = f"{registry.address}/team/churn"
    arguments = ["build", str(resource), "--push", push, "--base", base, "--plain-http"]
    assert main(arguments) == 1
    assert "gives no token without credentials (401)" in capsys.readouterr().err
    auth = tmp_path / "home/.docker/config.json"
    auth.parent.mkdir(parents=True)
    auth.write_text(json.dumps({"auths": {registry.address: {"username": "ada", "password": "lovelace"}}}))
    assert main(arguments) == 0


def test_a_model_behind_a_private_address_is_refused(
    resource: Path, base: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    resource.write_text(_RESOURCE.replace("uri: model.onnx", "uri: 'https://10.0.0.1/model.onnx'"))
    push = f"{registry.address}/team/churn"
    assert main(["build", str(resource), "--push", push, "--base", base, "--plain-http"]) == 1
    assert "leads to 10.0.0.1, an address of a private network" in capsys.readouterr().err


def test_a_model_artifact_of_the_same_registry_is_fetched(
    resource: Path, base: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    push = f"{registry.address}/team/churn"
    arguments = ["build", str(resource), "--push", f"{push}:a", "--base", base, "--plain-http"]
    assert main(arguments) == 0
    # The image that was just built holds the model in its last layer, so it is a source of the same model.
    resource.write_text(_RESOURCE.replace("uri: model.onnx", f"uri: 'oci://{push}:a'"))
    assert (
        main(["build", str(resource), "--push", f"{registry.address}/team/other", "--base", base, "--plain-http"]) == 0
    )
    assert "model 0        mounted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("registry_host", "local"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("[::1]:5000", True),
        ("localhost.evil.io", False),
        ("10.0.0.1:5000", False),
    ],
)
def test_only_this_machine_is_local(registry_host: str, local: bool) -> None:
    assert is_local(registry_host) is local
