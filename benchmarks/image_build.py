"""From a model file to a pushed digest: ``headgate build`` in a fresh process against a Dockerfile build by buildah from a cold store.

Both push to one registry on this machine, with nothing kept but what that registry holds. The base is the real runtime image where
buildah has it (``make image-runtime``), else one of random bytes; notes say which. buildah is left out where it is not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from benchmarks.places import print_progress
from benchmarks.report import Cell, Options, Report, spread
from headgate.errors import ToolMissing
from headgate.imagebuild.dependencies import uv_program
from imagekit.images import base_image, close_opened, open_repository, push_image
from lab.registry import Registry, registry_server

NAME = "image"
ABOUT = "a new model version as a pushed image, against a Dockerfile build"

_REAL_BASE = "localhost/headgate/runtime:0.1.0"
_PACKAGES = ("scikit-learn", "joblib")
_ADDED = (*_PACKAGES, "scipy", "threadpoolctl")
"""Those and what they need beyond the base, as ``headgate build`` finds out itself."""
_RESOURCE = """
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata: {{name: bench}}
spec:
  model: {{uri: {model}, version: "{version}", sizeLimit: 4Gi}}
  pipeline:
    tables: |
      CREATE TABLE rows_in (id BIGINT, x FLOAT) WITH ('connector' = 'datagen');
      CREATE TABLE rows_out (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole');
    input: SELECT id, x FROM rows_in
    key: id
    output: INSERT INTO rows_out SELECT id, y FROM scored
    python: {{requirements: [{requirements}]}}
"""


@dataclass(frozen=True, slots=True)
class Built:
    """One build: wall time of the whole process, bytes over the wire, and the most memory that it had at once."""

    seconds: float
    sent: int
    received: int
    resident_mb: float


def measure(options: Options) -> Report:
    """Build, push, build again with another model; then the same by buildah."""
    size = 1_000_000 if options.quick else 10_000_000
    repeat = 1 if options.quick else options.repeat
    notes, checks, rows = [], [], []
    with tempfile.TemporaryDirectory(prefix="headgate-image-") as scratch:
        folder = Path(scratch)
        with registry_server(folder / "registry") as registry:
            base, what = _push_base(registry, options.quick)
            notes.append(f"base: {what}; model: {size / 1e6:.0f} MB; one registry on this machine")
            resource = folder / "bench.yaml"
            first = _headgate(resource, registry, base, folder, size, 0, packages=not options.quick)
            rows.append(_row("first build" + ("" if options.quick else ", packages resolved and fetched"), [first]))
            again = [
                _headgate(resource, registry, base, folder, size, turn + 1, packages=not options.quick)
                for turn in range(repeat)
            ]
            rows.append(_row("new model, same packages", again))
            for built in again:
                assert size < built.sent < size * 1.01 + 50_000, f"{built.sent} bytes were sent for a model of {size}"
            checks.append("a new model sent at most its size + 1 % + 50 kB")
            same = [_run(resource, registry, base) for _ in range(repeat)]
            rows.append(_row("the same model again", same))
            if not options.quick:
                rows.append(
                    _row("new model of 2 GB, weights beside it", [_two_gigabytes(resource, registry, base, folder)])
                )
            if shutil.which("buildah"):
                cold = [_buildah(registry, base, folder, turn, packages=not options.quick) for turn in range(repeat)]
                rows.append(_row("Dockerfile build by buildah, cold store", cold))
                ratio = spread([one.seconds for one in cold]).median / spread([one.seconds for one in again]).median
                notes.append(f"the Dockerfile build took {ratio:.0f} times as long as the new model's")
            else:
                notes.append("buildah is not installed: nothing to compare with")
    return Report(
        name=NAME,
        title="from a model file to a pushed digest, whole processes",
        columns=("build", "seconds", "least", "most", "MB sent", "MB received", "resident MB"),
        rows=tuple(rows),
        notes=tuple(notes),
        checks=tuple(checks),
    )


def _row(label: str, built: list[Built]) -> tuple[Cell, ...]:
    print_progress(f"{label}: {built[-1].seconds:.1f} s")
    found = spread([one.seconds for one in built])
    last = built[-1]
    known = last.sent >= 0
    return (
        label,
        round(found.median, 2),
        round(found.low, 2),
        round(found.high, 2),
        round(last.sent / 1e6, 3) if known else None,
        round(last.received / 1e6, 3) if known else None,
        round(last.resident_mb) if last.resident_mb else None,
    )


def _push_base(registry: Registry, quick: bool) -> tuple[str, str]:
    name = f"{registry.address}/headgate/runtime"
    present = (
        shutil.which("buildah") and not quick and _quiet("buildah", "images", "--quiet", _REAL_BASE).returncode == 0
    )
    if present:
        print_progress("pushing the real base")
        pushed = _quiet("buildah", "push", "--quiet", "--tls-verify=false", _REAL_BASE, f"docker://{name}:base")
        if pushed.returncode:
            raise ToolMissing(f"buildah cannot push the base: {pushed.stderr.strip()[-300:]}")
        return f"{name}:base", f"the real runtime image {_REAL_BASE}"
    push_image(open_repository(registry.address, "headgate/runtime"), base_image(layer_size=50_000_000), "base")
    close_opened()
    return f"{name}:base", "a stand-in with one layer of 50 MB of zeros"


def _headgate(
    resource: Path, registry: Registry, base: str, folder: Path, size: int, turn: int, *, packages: bool
) -> Built:
    model = folder / "model.onnx"
    onnx.save(_model(size // 4, turn), model)
    _write_resource(resource, model, turn, packages=packages)
    return _run(resource, registry, base)


def _write_resource(resource: Path, model: Path, turn: int, *, packages: bool) -> None:
    requirements = ", ".join(_PACKAGES) if packages else ""
    resource.write_text(_RESOURCE.format(model=model.name, version=turn, requirements=requirements))


def _run(resource: Path, registry: Registry, base: str) -> Built:
    command = [
        sys.executable, "-m", "benchmarks.inside.headgate_cli", "build", str(resource), "--push",
        f"{registry.address}/team/bench", "--base", base, "--plain-http", "-o", "json",
    ]  # fmt: skip
    # As it is installed: with its bytecode, which some environments keep Python from writing.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise ToolMissing(f"headgate build failed: {done.stderr.strip()[-500:]}")
    told = json.loads(done.stdout)
    resident = next(line.split()[1] for line in done.stderr.splitlines() if line.startswith("VmHWM:"))
    return Built(seconds, told["bytesSent"], told["bytesReceived"], int(resident) / 1000)


def _two_gigabytes(resource: Path, registry: Registry, base: str, folder: Path) -> Built:
    """A model whose weights lie beside it, as any of that size must: protobuf holds 2 GiB at most."""
    model = _model(1, 0)
    count = 499_000_000
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    del weight.dims[:]
    weight.dims.append(count)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights.data")
    path = folder / "large.onnx"
    path.write_bytes(model.SerializeToString())
    with (folder / "weights.data").open("wb") as file:
        file.truncate(4 * count)
    _write_resource(resource, path, 0, packages=True)
    return _run(resource, registry, base)


def _model(weights: int, seed: int) -> onnx.ModelProto:
    data = np.random.default_rng(seed).standard_normal(weights, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["w"], ["s"], keepdims=0),
            helper.make_node("Add", ["x", "s"], ["y"]),
        ],
        "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor("w", TensorProto.FLOAT, [weights], data.tobytes(), raw=True)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _buildah(registry: Registry, base: str, folder: Path, turn: int, *, packages: bool) -> Built:
    """What a Dockerfile would do for the same version and packages, with an empty store, as in a fresh build pod."""
    store = folder / f"store-{turn}"
    context = folder / f"context-{turn}"
    context.mkdir()
    onnx.save(_model(2_500_000, 100 + turn), context / "model.onnx")
    (context / "job.json").write_text("{}")
    site = "COPY site /opt/headgate/site\n" if packages else ""
    (context / "Dockerfile").write_text(
        f"FROM {base}\n{site}COPY job.json /opt/headgate/job/job.json\n"
        "COPY model.onnx /opt/headgate/job/models/0/model.onnx\n"
    )
    root = ("--root", str(store / "root"), "--runroot", str(store / "run"))
    name = f"{registry.address}/team/rival:{turn}"
    begun = time.perf_counter()
    # What the base has is not installed again, as a careful Dockerfile would see to.
    install = (
        uv_program(),
        "pip",
        "install",
        "--quiet",
        "--no-cache",
        "--no-deps",
        "--target",
        str(context / "site"),
        *_ADDED,
    )
    for command in (
        *((install,) if packages else ()),
        (
            "buildah",
            *root,
            "build",
            "--quiet",
            "--isolation",
            "chroot",
            "--tls-verify=false",
            "--tag",
            name,
            str(context),
        ),
        ("buildah", *root, "push", "--quiet", "--tls-verify=false", name),
    ):
        done = _quiet(*command)
        if done.returncode:
            raise ToolMissing(f"{' '.join(command[:1])} failed: {done.stderr.strip()[-300:]}")
    seconds = time.perf_counter() - begun
    _quiet("buildah", *root, "rmi", "--all", "--force")
    return Built(seconds, -1, -1, 0.0)


def _quiet(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
