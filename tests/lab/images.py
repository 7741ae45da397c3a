"""The project's own images in the lab: built once for each recipe, kept outside the tree, pushed to the lab's registry.

``images/build.sh`` does the building, with buildah on a Debian base made by mmdebstrap. What goes into an image is hashed;
the hash names the OCI layout in the cache, so that a second build is none and a fresh lab only pushes. Called by
``python -m lab image``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from lab.build import Say
from lab.errors import BuildError, LabError
from lab.places import REPOSITORY, cache_folder
from lab.store import locked, publish

IMAGES = REPOSITORY / "images"
_INPUTS = {
    # The runtime's own source is left out: every job image brings the builder's, above the base's.
    "runtime": (
        "images/runtime/Dockerfile", "images/runtime/image.lock", "images/runtime/*.lock.json", "images/runtime/*.sh",
        "images/runtime/bin/*", "images/runtime/check_jars.py", "images/runtime/fetch_jars.py", "images/build.sh",
    ),
    "operator": (
        "images/operator/*", "operator/headgate/**/*", "images/runtime/headgate_runtime/**/*.py",
        "images/runtime/requirements.lock", "images/runtime/connectors.lock.json", "images/runtime/pyproject.toml",
        "images/build.sh", ".dockerignore",
    ),
}  # fmt: skip
IMAGE_NAMES = tuple(_INPUTS)
PACKAGES = {
    "buildah": Path("/usr/bin/buildah"),
    "mmdebstrap": Path("/usr/bin/mmdebstrap"),
    "debian-archive-keyring": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
}
_LONGEST_BUILD_S = 3600
_CHUNK = 1 << 20


def recipe_key(name: str) -> str:
    """12 hex digits over all files that decide an image."""
    digest = hashlib.sha256()
    for path in _inputs(name):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(REPOSITORY)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def build_image(name: str, say: Say) -> Path:
    """An OCI layout with the image, built if the cache lacks it: minutes the first time. Needs root."""
    key = recipe_key(name)

    def make(folder: Path) -> None:
        # One at a time: a build begins by removing what an earlier one has left in the storage, and would remove another's.
        with locked(cache_folder() / "containers" / "lock"):
            _build(name, key, folder, say)

    return publish(cache_folder() / "images" / name / key, make)


def push_image(name: str, layout: Path, registry: str) -> str:
    """Send what ``registry`` (host:port, plain http) lacks of the image; gives its reference by digest."""
    repository = f"headgate/{name}"
    digest, manifest = _manifest(layout)
    media_type = json.loads(manifest)["mediaType"]
    with httpx.Client(base_url=f"http://{registry}/v2/{repository}", trust_env=False, timeout=120) as client:
        if client.head(f"/manifests/{digest}", headers={"accept": media_type}).status_code != httpx.codes.OK:
            content = json.loads(manifest)
            for descriptor in (content["config"], *content["layers"]):
                _push_blob(client, _blob(layout, descriptor["digest"]), descriptor["digest"])
            for reference in (digest, layout.name):
                headers = {"content-type": media_type}
                client.put(f"/manifests/{reference}", content=manifest, headers=headers).raise_for_status()
    return f"{registry}/{repository}@{digest}"


def _inputs(name: str) -> Iterator[Path]:
    found = {path for pattern in _INPUTS[name] for path in REPOSITORY.glob(pattern)}
    yield from sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _build(name: str, key: str, folder: Path, say: Say) -> None:
    say(f"building the {name} image (its log: {_log(name)})")
    started = time.monotonic()
    storage = cache_folder() / "containers"
    storage.mkdir(parents=True, exist_ok=True)
    # A storage of its own, that keeps the Debian base alone: what the machine's user has in buildah is left alone.
    config = storage / "storage.conf"
    config.write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{storage / "run"}"\ngraphroot = "{storage / "storage"}"\n'
    )
    own = {"CONTAINERS_STORAGE_CONF": str(config), "HEADGATE_CACHE": str(cache_folder()), "LAYERS": "false"}
    environment = os.environ | own
    tag = f"localhost/headgate-{name}:{key}"
    push = ["buildah", "push", "--quiet", "--format", "oci", "--compression-format", "zstd", tag, f"oci:{folder}:lab"]
    _log(name).unlink(missing_ok=True)
    try:
        # What a build that was killed has left mounted.
        _run(name, ["buildah", "rm", "--all"], environment)
        if name == "runtime":
            _run(name, [sys.executable, str(IMAGES / "runtime" / "fetch_jars.py")], environment)
        _run(name, ["nice", "-n", "10", "sh", str(IMAGES / "build.sh"), name, tag], environment)
        _run(name, ["nice", "-n", "10", *push], environment)
        _run(name, ["buildah", "rmi", "--force", tag], environment)
    finally:
        # buildah mounts the folder upon itself, and leaves it so.
        subprocess.run(["umount", "--quiet", str(storage / "storage" / "overlay")], check=False)
    _forget_all_but_the_newest(folder.parent)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    say(f"built the {name} image in {time.monotonic() - started:.0f} s, {size / 1e6:.0f} MB")


def _forget_all_but_the_newest(folder: Path) -> None:
    """Each image is half a gigabyte: of earlier ones, the last that was made is kept."""
    earlier = sorted(
        (path for path in folder.glob("[0-9a-f]*") if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for path in earlier[:-1]:
        shutil.rmtree(path)


def _run(name: str, command: list[str], environment: dict[str, str]) -> None:
    log = _log(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        try:
            done = subprocess.run(
                command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, check=False, timeout=_LONGEST_BUILD_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"the {name} image is not built after {_LONGEST_BUILD_S} s; its log: {log}") from error
    if done.returncode != 0:
        raise BuildError(f"the {name} image could not be built; the end of {log}:\n{log.read_text()[-2000:]}")


def _log(name: str) -> Path:
    return cache_folder() / "images" / f"{name}.log"


def _manifest(layout: Path) -> tuple[str, bytes]:
    index: dict[str, Any] = json.loads((layout / "index.json").read_text())
    digest = str(index["manifests"][0]["digest"])
    return digest, _blob(layout, digest).read_bytes()


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _push_blob(client: httpx.Client, path: Path, digest: str) -> None:
    if client.head(f"/blobs/{digest}").status_code == httpx.codes.OK:
        return
    started = client.post("/blobs/uploads/")
    if started.is_error:
        raise LabError(f"the registry refuses an upload: {started.status_code} {started.text}")
    place = httpx.URL(started.headers["location"]).copy_merge_params({"digest": digest})
    headers = {"content-length": str(path.stat().st_size), "content-type": "application/octet-stream"}
    client.put(place, content=_chunks(path), headers=headers).raise_for_status()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk
