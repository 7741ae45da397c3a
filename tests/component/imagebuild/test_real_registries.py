"""Whole builds against real registries: one with the referrers API, one without, as most in use are one or the other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from headgate.imagebuild.errors import DigestMismatch, RegistryMissing, RegistryUnreachable
from headgate.imagebuild.executor import build_image
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.manifest import Descriptor, Manifest, parse_manifest
from headgate.imagebuild.registry.repository import Repository
from headgate.imagebuild.request import LayerState
from headgate.imagebuild.sign import KeySigner, verify_image
from headgate.imagebuild.stores import Blob
from imagekit.images import (
    Heard,
    base_image,
    close_opened,
    digest_of,
    no_index,
    open_repository,
    push_image,
    real_uv,
    request_for,
)
from imagekit.index import package_index
from lab.registry import Registry


@pytest.fixture(params=["registry", "referrers_registry"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of the two registries in turn."""
    running: Registry = request.getfixturevalue(request.param)
    yield running.address
    close_opened()


@pytest.fixture
def places(address: str) -> tuple[Repository, Repository]:
    """A repository with a base, and an empty one beside it."""
    name = uuid.uuid4().hex[:8]
    base = open_repository(address, f"{name}/runtime")
    push_image(base, base_image(), "base")
    return base, open_repository(address, f"{name}/churn")


def _work(tmp_path: Path) -> Path:
    work = tmp_path / uuid.uuid4().hex[:8]
    work.mkdir()
    return work


def test_an_image_is_built_found_again_and_verified(places: tuple[Repository, Repository], tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = request_for(*places, model=os.urandom(6_000_000), signer=KeySigner(key), tags=("3",))
    heard = Heard()
    first = build_image(request, no_index(tmp_path), _work(tmp_path), heard)
    # A registry that keeps blobs of all repositories together has the base's already.
    assert heard.layers["base"] in {LayerState.MOUNTED, LayerState.PRESENT}
    assert heard.layers["model 0"] is LayerState.UPLOADED
    again = build_image(request, no_index(tmp_path), _work(tmp_path), heard)
    assert (again.digest, again.built) == (first.digest, False)
    assert verify_image(places[1], "it", first.digest, key.public_key()) == "registry.test/team/churn"
    kinds = sorted(item.artifact_type for item in places[1].referrers(first.digest) if item.artifact_type)
    assert kinds == ["application/vnd.cyclonedx+json", "application/vnd.in-toto+json"]
    assert places[1].find("3") == first.digest


def test_a_new_model_sends_little_more_than_itself(places: tuple[Repository, Repository], tmp_path: Path) -> None:
    build_image(request_for(*places, model=os.urandom(5_000_000)), no_index(tmp_path), _work(tmp_path), Heard())
    traffic = places[1].session.traffic
    before = traffic.sent
    build_image(request_for(*places, model=os.urandom(5_000_000)), no_index(tmp_path), _work(tmp_path), Heard())
    assert 5_000_000 < traffic.sent - before < 5_000_000 * 1.01 + 50_000


def test_every_blob_can_be_pulled_with_its_digest(places: tuple[Repository, Repository], tmp_path: Path) -> None:
    with package_index() as index:
        index.add_wheel("numpy", "2.1.3")
        index.add_wheel("forest", "1.0", requires=("numpy",))
        request = request_for(*places, requirements=("forest",))
        result = build_image(request, real_uv(index.url, tmp_path), _work(tmp_path), Heard())
    fetched = places[1].manifest(result.digest)
    manifest = parse_manifest(fetched.data, fetched.media_type, "it")
    assert isinstance(manifest, Manifest)
    assert len(manifest.layers) == 5
    for blob in (manifest.config, *manifest.layers):
        assert sum(len(chunk) for chunk in places[1].stream(blob)) == blob.size


def test_registry_and_layout_give_the_same_digest(places: tuple[Repository, Repository], tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    digests = {
        build_image(request_for(places[0], target, copy_base=True), no_index(tmp_path), _work(tmp_path), Heard()).digest
        for target in (places[1], layout)
    }
    assert len(digests) == 1


def test_a_base_moves_to_another_registry_by_copying(
    registry: Registry, referrers_registry: Registry, tmp_path: Path
) -> None:
    name = uuid.uuid4().hex[:8]
    base, target = (
        open_repository(registry.address, f"{name}/b"),
        open_repository(referrers_registry.address, f"{name}/t"),
    )
    push_image(base, base_image(layer_size=500_000), "base")
    heard = Heard()
    request = request_for(base, target, copy_base=True)
    assert build_image(request, no_index(tmp_path), _work(tmp_path), heard).built
    assert heard.layers["base"] is LayerState.COPIED
    close_opened()


def test_wrong_bytes_are_refused_by_the_registry(places: tuple[Repository, Repository]) -> None:
    for size in (100, 5_000_000):
        wrong = Blob(digest_of(b"other"), size, lambda size=size: iter([bytes(size)]))  # type: ignore[misc]  # a default
        with pytest.raises(DigestMismatch):
            places[1].upload(wrong)


def test_what_is_not_there_is_said(places: tuple[Repository, Repository]) -> None:
    assert places[1].find("nothing") == ""
    with pytest.raises(RegistryMissing):
        places[1].manifest("nothing")
    with pytest.raises(RegistryMissing):
        places[1].blob(Descriptor("x", digest_of(b"nothing"), 7))


class _Cutter:
    """A relay to a registry that breaks the first connection that carries much."""

    def __init__(self, target: str, after: int) -> None:
        self._target, self._after, self.cut = target, after, False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            host, _, port = self._target.rpartition(":")
            upstream = socket.create_connection((host, int(port)))
            threading.Thread(target=self._pump, args=(client, upstream, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(upstream, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        count = 0
        try:
            while data := source.recv(65536):
                count += len(data)
                if counted and not self.cut and count > self._after:
                    self.cut = True
                    break
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
            source.close()


def test_an_upload_that_is_cut_off_is_finished(address: str) -> None:
    cutter = _Cutter(address, 3_000_000)
    name = f"{uuid.uuid4().hex[:8]}/cut"
    data = os.urandom(12_000_000)
    blob = Blob(digest_of(data), len(data), lambda: (data[at : at + 65536] for at in range(0, len(data), 65536)))
    try:
        open_repository(cutter.address, name, attempts=6).upload(blob)
    finally:
        close_opened()
        cutter.close()
    assert cutter.cut
    assert b"".join(open_repository(address, name).stream(Descriptor("x", blob.digest, blob.size))) == data


def test_a_registry_that_stopped_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(RegistryUnreachable):
        open_repository(address, "x", attempts=2).find("y")
    close_opened()


_LARGE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from headgate.imagebuild.dependencies import hash_file
from headgate.imagebuild.executor import build_image
from headgate.imagebuild.layers import FileContent
from headgate.imagebuild.plan import Compression, PlannedFile, PlannedLayer
from headgate.imagebuild.request import LayerInput
from imagekit.images import Heard, no_index, open_repository, request_for
address, folder = sys.argv[1], Path(sys.argv[2])
base, target = (open_repository(address, name, timeout_s=120) for name in ("large/runtime", "large/churn"))
path = "opt/headgate/job/models/0/model.onnx"
sha256, size = hash_file(folder / "model.onnx")
layer = LayerInput(
    PlannedLayer("model 0", Compression.NONE, (PlannedFile(path, sha256, size),)), {path: FileContent(folder / "model.onnx")}
)
(folder / "work").mkdir()
build_image(request_for(base, target, layers=(layer,)), no_index(folder), folder / "work", Heard())
# Not getrusage: its peak is inherited from the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_a_model_of_two_gigabytes_takes_less_than_200_megabytes_of_memory(registry: Registry, tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    push_image(open_repository(registry.address, "large/runtime"), base_image(), "base")
    close_opened()
    with (tmp_path / "model.onnx").open("wb") as file:
        file.truncate(2_000_000_000)
    answer = subprocess.run(
        [sys.executable, "-c", _LARGE, registry.address, str(tmp_path), str(root / "operator"), str(root / "tests")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) < 200 * 1024, f"{int(answer.stdout) / 1024:.0f} MiB resident at most"
