"""Builds against a registry that obeys, one that fails, and a layout: what is sent, what is found, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import zstandard

from headgate.imagebuild.errors import BaseRefused, RegistryBusy, RegistryMissing, RegistryReadOnly, SourceRefused
from headgate.imagebuild.executor import build_image
from headgate.imagebuild.layers import FileContent
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.manifest import Manifest, MediaType, parse_manifest
from headgate.imagebuild.plan import Compression
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.request import BuildRequest, BuildResult, LayerInput, LayerState
from imagekit.faults import Fault
from imagekit.images import (
    BaseImage,
    Heard,
    base_image,
    digest_of,
    layer_of,
    no_index,
    open_repository,
    push_image,
    real_uv,
    request_for,
)
from imagekit.index import Index
from imagekit.registry import FakeRegistry, fake_registry


@pytest.fixture
def repositories(registry: FakeRegistry) -> tuple[Repository, Repository]:
    """Base and target of one registry; the base's image is there, and what was asked so far is forgotten."""
    base = open_repository(registry.address, "headgate/runtime")
    push_image(base, base_image(), "base")
    registry.world.seen.clear()
    return base, open_repository(registry.address, "team/churn")


def _build(request: BuildRequest, tmp_path: Path, heard: Heard | None = None) -> BuildResult:
    work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
    work.mkdir()
    return build_image(request, no_index(tmp_path), work, heard or Heard())


def _manifest(registry: FakeRegistry, digest: str) -> Manifest:
    data, media_type = registry.world.repo("team/churn").manifests[digest]
    parsed = parse_manifest(data, media_type, "it")
    assert isinstance(parsed, Manifest)
    return parsed


def _names(layer: bytes, media_type: str) -> list[str]:
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(layer) if media_type.endswith("zstd") else layer
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return [member.name for member in archive if member.isfile()]


def test_an_image_is_the_base_and_the_layers_in_their_order(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    result = _build(request_for(*repositories, labels=(("a", "b"),)), tmp_path)
    manifest = _manifest(registry, result.digest)
    assert manifest.layers[0].digest == digest_of(base_image().layers[0])
    blobs = registry.world.blobs
    assert [_names(blobs[layer.digest], layer.media_type) for layer in manifest.layers[1:]] == [
        ["opt/headgate/runtime/headgate_runtime/__init__.py"],
        ["opt/headgate/job/job.json"],
        ["opt/headgate/job/models/0/model.onnx"],
    ]
    assert manifest.layers[-1].media_type == MediaType.OCI_LAYER
    config = json.loads(blobs[manifest.config.digest])
    assert config["rootfs"]["diff_ids"][-1] == manifest.layers[-1].digest
    assert len(config["rootfs"]["diff_ids"]) == len(manifest.layers) == 4
    assert "PYTHONPATH=/opt/headgate/site:/opt/headgate/runtime" in config["config"]["Env"]
    assert config["config"]["Labels"]["a"] == "b"
    assert config["config"]["Entrypoint"] == ["/opt/headgate/entrypoint"]
    assert manifest.annotation("dev.headgate.plan") == result.plan.key


def test_a_built_image_is_found_by_one_request_and_nothing_is_sent(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    first = _build(request_for(*repositories), tmp_path)
    registry.world.seen.clear()
    heard = Heard()
    again = _build(request_for(*repositories, selector=base_image().digest), tmp_path, heard)
    assert (again.digest, again.built, heard.layers) == (first.digest, False, {})
    assert [seen.line for seen in registry.world.seen if "team/churn" in seen.line] == [
        f"HEAD /v2/team/churn/manifests/{first.plan.tag}"
    ]
    assert registry.world.sent_bytes() == 0


def test_a_new_model_sends_the_model_and_little_else(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    _build(request_for(*repositories, model=b"1" * 1_000_000), tmp_path)
    registry.world.seen.clear()
    heard = Heard()
    _build(request_for(*repositories, model=b"2" * 1_000_000), tmp_path, heard)
    assert heard.layers == {
        "base": LayerState.PRESENT,
        "runtime": LayerState.PRESENT,
        "job": LayerState.PRESENT,
        "model 0": LayerState.UPLOADED,
    }
    assert 1_000_000 < registry.world.sent_bytes() < 1_000_000 * 1.01 + 50_000


def test_the_bases_layers_are_never_downloaded(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    _build(request_for(*repositories), tmp_path)
    layer = digest_of(base_image().layers[0])
    assert registry.world.lines(rf"GET .*/blobs/{layer}") == []
    assert len(registry.world.lines(rf"POST .*mount={layer}&from=headgate/runtime")) == 1


def test_a_registry_that_does_not_mount_gets_the_bases_layers_by_copying(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.world.mounts = False
    heard = Heard()
    result = _build(request_for(*repositories), tmp_path, heard)
    assert heard.layers["base"] == "copied"
    assert result.built


def test_a_base_in_another_registry_is_copied_only_when_told(
    repositories: tuple[Repository, Repository], tmp_path: Path
) -> None:
    with fake_registry() as other:
        target = open_repository(other.address, "team/churn")
        says = r"lies in another registry than .*, which lacks 1 of its layers \(0 MB\).*Say --copy-base"
        with pytest.raises(BaseRefused, match=says):
            _build(request_for(repositories[0], target), tmp_path)
        heard = Heard()
        assert _build(request_for(repositories[0], target, copy_base=True), tmp_path, heard).built
        assert heard.layers["base"] == "copied"
        # Once they are there, nothing has to be copied or allowed.
        assert _build(request_for(repositories[0], target, model=b"2"), tmp_path, heard).built
        assert heard.layers["base"] == "present"


def test_a_base_in_dockers_format_gives_an_oci_image(registry: FakeRegistry, tmp_path: Path) -> None:
    base = open_repository(registry.address, "headgate/runtime")
    push_image(base, base_image(docker=True), "base")
    target = open_repository(registry.address, "team/churn")
    manifest = _manifest(registry, _build(request_for(base, target), tmp_path).digest)
    assert [layer.media_type for layer in manifest.layers[:2]] == [MediaType.OCI_LAYER_GZIP, MediaType.OCI_LAYER_ZSTD]
    assert (manifest.media_type, manifest.config.media_type) == (MediaType.OCI_MANIFEST, MediaType.OCI_CONFIG)


def _index(images: dict[str, BaseImage]) -> bytes:
    entries = [
        {
            "mediaType": MediaType.OCI_MANIFEST,
            "digest": image.digest,
            "size": len(image.manifest),
            "platform": {"os": "linux", "architecture": name},
        }
        for name, image in images.items()
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": entries}).encode()


def test_a_base_for_several_machines_is_chosen_from_its_index(registry: FakeRegistry, tmp_path: Path) -> None:
    base = open_repository(registry.address, "headgate/runtime")
    images = {"arm64": base_image(architecture="arm64"), "amd64": base_image()}
    for name, image in images.items():
        push_image(base, image, name)
    base.put_manifest("base", _index(images), MediaType.OCI_INDEX)
    result = _build(request_for(base, open_repository(registry.address, "team/churn")), tmp_path)
    assert result.plan.base_digest == digest_of(_index(images))
    base.put_manifest("base", _index({"arm64": images["arm64"]}), MediaType.OCI_INDEX)
    with pytest.raises(BaseRefused, match=r"is not made for linux/amd64; it offers linux/arm64"):
        _build(request_for(base, open_repository(registry.address, "team/churn")), tmp_path)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        pytest.param(base_image({}), "was not made for Headgate", id="a base without the expected labels"),
        pytest.param(base_image(architecture="arm64"), "is made for linux/arm64", id="a base for another architecture"),
    ],
)
def test_a_base_that_does_not_fit_is_refused_before_anything_is_sent(
    image: BaseImage, says: str, registry: FakeRegistry, tmp_path: Path
) -> None:
    base = open_repository(registry.address, "headgate/runtime")
    push_image(base, image, "base")
    registry.world.seen.clear()
    with pytest.raises(BaseRefused, match=says):
        _build(request_for(base, open_repository(registry.address, "team/churn")), tmp_path)
    assert registry.world.sent_bytes() == 0


def test_a_base_that_is_not_there_is_named(repositories: tuple[Repository, Repository], tmp_path: Path) -> None:
    with pytest.raises(
        RegistryMissing, match=r"There is no base image registry.test/base:base. Name another with --base"
    ):
        _build(request_for(*repositories, selector="nowhere"), tmp_path)


def test_a_dry_run_tells_what_would_be_sent_and_sends_nothing(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    heard = Heard()
    planned = _build(request_for(*repositories, dry_run=True), tmp_path, heard)
    assert set(heard.layers.values()) == {LayerState.MISSING}
    assert {seen.method for seen in registry.world.seen} == {"HEAD", "GET"}
    assert _build(request_for(*repositories), tmp_path).digest == planned.digest


@pytest.mark.parametrize("api", [pytest.param(True, id="with the referrers API"), pytest.param(False, id="by the tag")])
def test_sbom_and_provenance_travel_beside_the_image(
    api: bool, repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.world.referrers_api = api
    result = _build(request_for(*repositories), tmp_path)
    found = {item.artifact_type: item for item in repositories[1].referrers(result.digest)}
    assert sorted(found) == ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]
    manifest = _manifest(registry, found["application/vnd.cyclonedx+json"].digest)
    sbom = json.loads(registry.world.blobs[manifest.layers[0].digest])
    assert ("churn", "machine-learning-model") in [(item["name"], item["type"]) for item in sbom["components"]]
    fallback = f"PUT /v2/team/churn/manifests/{result.digest.replace(':', '-')}"
    assert len(registry.world.lines(fallback)) == (0 if api else 1)


def test_tags_are_set_on_new_images_and_moved_to_those_that_exist(
    repositories: tuple[Repository, Repository], tmp_path: Path
) -> None:
    first = _build(request_for(*repositories, tags=("v1",)), tmp_path)
    second = _build(request_for(*repositories, model=b"2", tags=("v1",)), tmp_path)
    assert repositories[1].find("v1") == second.digest != first.digest
    _build(request_for(*repositories, tags=("v1", "old")), tmp_path)
    assert repositories[1].find("v1") == repositories[1].find("old") == first.digest


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"^PATCH|^PUT .*/blobs/", id="while a layer is sent"),
        pytest.param(r"^PUT .*/manifests/sha256:", id="before the manifest"),
        pytest.param(r"^PUT .*/manifests/v1$", id="before the tag that was asked for"),
        pytest.param(r"^PUT .*/manifests/plan-", id="before the plan's tag"),
    ],
)
def test_a_build_that_breaks_is_taken_up_again_and_leaves_no_half_image_to_be_found(
    pattern: str, repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.world.faults.append(Fault(pattern, times=4, status=500))
    with pytest.raises(RegistryBusy):
        _build(request_for(*repositories, tags=("v1",)), tmp_path)
    assert not [tag for tag in registry.world.repo("team/churn").tags if tag.startswith("plan-")]
    result = _build(request_for(*repositories, tags=("v1",)), tmp_path)
    assert result.built
    assert len(repositories[1].referrers(result.digest)) == 2


def test_a_read_only_repository_is_named(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.world.faults.append(Fault(r"^(POST|PUT|PATCH) /v2/team", status=405))
    with pytest.raises(RegistryReadOnly, match=r"mount a blob from headgate/runtime into team/churn: .* read-only"):
        _build(request_for(*repositories), tmp_path)


def test_a_model_that_changes_during_the_build_is_refused(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    planned = layer_of("model 0", {"opt/headgate/job/models/0/model.onnx": b"before"}, Compression.NONE).planned
    layer = LayerInput(planned, {"opt/headgate/job/models/0/model.onnx": FileContent(path)})
    path.write_bytes(b"after!")
    with pytest.raises(SourceRefused, match="changed while the image was built"):
        _build(request_for(*repositories, layers=(layer,)), tmp_path)
    assert registry.world.repo("team/churn").tags == {}


def test_a_models_layer_is_mounted_from_where_it_came(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, tmp_path: Path
) -> None:
    _build(request_for(*repositories), tmp_path)
    other = open_repository(registry.address, "team/other")
    heard = Heard()
    _build(request_for(repositories[0], other, mount_from=("team/churn",)), tmp_path, heard)
    assert heard.layers["model 0"] is LayerState.MOUNTED


def _with_packages(index: Index) -> None:
    index.add_wheel("numpy", "2.1.3")
    index.add_wheel("forest", "1.0", requires=("numpy",))


def test_dependencies_are_resolved_once_and_found_again_without_uv(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, index: Index, tmp_path: Path
) -> None:
    _with_packages(index)
    (tmp_path / "w").mkdir()
    request = request_for(*repositories, requirements=("forest",))
    heard = Heard()
    first = build_image(request, real_uv(index.url, tmp_path), tmp_path / "w", heard)
    assert heard.layers["dependencies"] == "uploaded"
    assert "forest==1.0" in first.lock
    manifest = _manifest(registry, first.digest)
    assert "opt/headgate/site/forest/__init__.py" in _names(
        registry.world.blobs[manifest.layers[1].digest], manifest.layers[1].media_type
    )
    kinds = sorted(item.artifact_type for item in repositories[1].referrers(first.digest))
    assert "application/vnd.headgate.lock.v1+text" in kinds
    # A fresh machine, another model: no uv (it would fail), no index, the same layer.
    second = _build(request_for(*repositories, requirements=("forest",), model=b"2"), tmp_path, heard)
    assert heard.layers["dependencies"] == "present"
    assert _manifest(registry, second.digest).layers[1] == manifest.layers[1]
    assert second.lock == first.lock


def test_a_base_made_anew_with_the_same_packages_keeps_the_dependencies(
    repositories: tuple[Repository, Repository], index: Index, tmp_path: Path
) -> None:
    _with_packages(index)
    (tmp_path / "w").mkdir()
    request = request_for(*repositories, requirements=("forest",))
    first = build_image(request, real_uv(index.url, tmp_path), tmp_path / "w", Heard())
    push_image(repositories[0], base_image(layer_size=3000), "base")
    heard = Heard()
    second = _build(request, tmp_path, heard)
    assert (second.digest != first.digest, second.lock) == (True, first.lock)
    assert heard.layers["dependencies"] == "present"


def test_a_given_lock_counts_and_gives_the_same_layer(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, index: Index, tmp_path: Path
) -> None:
    _with_packages(index)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    uv = real_uv(index.url, tmp_path)
    first = build_image(request_for(*repositories, requirements=("forest",)), uv, tmp_path / "a", Heard())
    index.add_wheel("forest", "1.1", requires=("numpy",))
    other = open_repository(registry.address, "team/other")
    request = request_for(repositories[0], other, requirements=("forest",), lock=first.lock)
    second = build_image(request, uv, tmp_path / "b", Heard())
    assert second.digest == first.digest


def test_requirements_that_the_base_meets_add_no_layer(
    repositories: tuple[Repository, Repository], registry: FakeRegistry, index: Index, tmp_path: Path
) -> None:
    _with_packages(index)
    (tmp_path / "w").mkdir()
    request = request_for(*repositories, requirements=("numpy",))
    result = build_image(request, real_uv(index.url, tmp_path), tmp_path / "w", Heard())
    assert len(_manifest(registry, result.digest).layers) == 4


def test_a_layout_holds_the_whole_image(repositories: tuple[Repository, Repository], tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    result = _build(request_for(repositories[0], layout, copy_base=True, tags=("latest",)), tmp_path)
    fetched = layout.manifest("latest")
    assert fetched.digest == result.digest
    manifest = parse_manifest(fetched.data, fetched.media_type, "it")
    assert isinstance(manifest, Manifest)
    for blob in (manifest.config, *manifest.layers):
        assert sum(len(chunk) for chunk in layout.stream(blob)) == blob.size
    assert sorted(item.artifact_type for item in layout.referrers(result.digest)) == [
        "application/vnd.cyclonedx+json",
        "application/vnd.in-toto+json",
    ]
    assert not _build(request_for(repositories[0], layout, copy_base=True, tags=("latest",)), tmp_path).built


def test_a_layout_and_a_registry_hold_the_same_image(
    repositories: tuple[Repository, Repository], tmp_path: Path
) -> None:
    layout = Layout(tmp_path / "image")
    into_layout = _build(request_for(repositories[0], layout, copy_base=True), tmp_path)
    assert into_layout.digest == _build(request_for(*repositories), tmp_path).digest


def test_a_base_may_lie_in_a_layout(tmp_path: Path) -> None:
    base, target = Layout(tmp_path / "base"), Layout(tmp_path / "image")
    push_image(base, base_image(), "base")
    heard = Heard()
    assert _build(request_for(base, target), tmp_path, heard).built
    assert heard.layers["base"] is LayerState.MOUNTED
