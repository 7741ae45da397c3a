"""The same inputs give the same digest on another machine and another day.

Each build runs in a process of its own that differs in everything that could leak into an image: folder, umask, clock, times and
modes of the files, home, language, hash seed, and the order in which files are listed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagekit.images import base_image, open_repository, push_image
from imagekit.index import Index
from imagekit.registry import FakeRegistry

_ROOT = Path(__file__).parents[3]
_BUILD = """
import os, sys, time
from pathlib import Path
umask, clock, reverse, base_folder, out, index = sys.argv[1:]
os.umask(int(umask, 8))
time.time = lambda: float(clock)
time.localtime = lambda *_: (_ for _ in ()).throw(AssertionError("a build looks at the clock"))
if reverse == "yes":
    walk = os.walk
    os.walk = lambda *a, **k: ((d, n, f[::-1]) for d, n, f in walk(*a, **k))
from imagekit.images import layer_of, open_repository, real_uv, request_for, Heard
from headgate.imagebuild.executor import build_image
from headgate.imagebuild.layers import FileContent
from headgate.imagebuild.layout import Layout
from headgate.imagebuild.plan import Compression
from headgate.imagebuild.request import LayerInput
here = Path.cwd()
model = here / "model.onnx"
model.write_bytes(bytes(range(256)) * 5000)
os.utime(model, (float(clock), float(clock)))
path = "opt/headgate/job/models/0/model.onnx"
planned = layer_of("model 0", {path: model.read_bytes()}, Compression.NONE).planned
files = {f"opt/headgate/runtime/headgate_runtime/{name}.py": name.encode() for name in "zyxab"}
if reverse == "yes":
    files = dict(reversed(files.items()))
layers = (layer_of("runtime", files), LayerInput(planned, {path: FileContent(model)}))
work = here / "work"
work.mkdir()
request = request_for(
    Layout(Path(base_folder)), Layout(Path(out)), requirements=("forest",), layers=layers, copy_base=True, tags=("latest",),
)
print(build_image(request, real_uv(index, here), work, Heard()).digest)
"""


@dataclass(frozen=True, slots=True)
class _Machine:
    name: str
    umask: str
    clock: str
    environment: tuple[tuple[str, str], ...]
    reverse: str = "no"


_MACHINES = (
    _Machine("one", "022", "1700000000", (("LANG", "C"), ("TZ", "UTC"), ("PYTHONHASHSEED", "1"))),
    _Machine(
        "another/deeper",
        "077",
        "1900000000",
        (("LANG", "C.UTF-8"), ("TZ", "Asia/Tokyo"), ("PYTHONHASHSEED", "2"), ("SOURCE_DATE_EPOCH", "99")),
        "yes",
    ),
    _Machine("third", "000", "0", (("LANG", "C.UTF-8"), ("PYTHONHASHSEED", "3"), ("LOGNAME", "someone"))),
)


@pytest.fixture
def packages(index: Index) -> Index:
    index.add_wheel("numpy", "2.1.3")
    index.add_wheel("forest", "1.0", requires=("numpy", "leaf"))
    index.add_wheel("leaf", "0.5", body=b"y = 2\n")
    return index


def test_machines_that_differ_in_everything_build_the_same_image(packages: Index, tmp_path: Path) -> None:
    from headgate.imagebuild.layout import Layout

    push_image(Layout(tmp_path / "base"), base_image(), "base")
    digests, blobs = set(), []
    for machine in _MACHINES:
        home = tmp_path / machine.name
        home.mkdir(parents=True)
        out = home / "image"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": f"{_ROOT / 'operator'}:{_ROOT / 'tests'}",
            **dict(machine.environment),
        }
        arguments = (machine.umask, machine.clock, machine.reverse, str(tmp_path / "base"), str(out), packages.url)
        done = subprocess.run(
            [sys.executable, "-c", _BUILD, *arguments],
            cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
        blobs.append(sorted(path.name for path in (out / "blobs/sha256").iterdir()))
    assert len(digests) == 1
    assert blobs[0] == blobs[1] == blobs[2]


def test_the_way_to_the_registry_does_not_show(registry: FakeRegistry, tmp_path: Path) -> None:
    from headgate.imagebuild.executor import build_image
    from imagekit.images import Heard, no_index, request_for

    base = open_repository(registry.address, "headgate/runtime")
    push_image(base, base_image(), "base")
    digests = set()
    for number, name in enumerate(("team/churn", "other/place")):
        work = tmp_path / str(number)
        work.mkdir()
        target = open_repository(registry.address, name)
        digests.add(build_image(request_for(base, target), no_index(tmp_path), work, Heard()).digest)
    assert len(digests) == 1
