"""Small real models, and stand-ins for the programs of a local run: Java, uv, the runtime's interpreter.

Used by the tests of ``headgate.local`` and ``headgate.cli``. The stand-ins are scripts, started as the real ones are.
"""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: its exit status, stdout and stderr."""

    status: int
    out: str
    err: str


FAKE_RUNTIME = Path(__file__).parent / "fake_runtime.py"
Shape = Sequence[int | str | None]


def value(name: str, kind: int, shape: Shape | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    *,
    metadata: dict[str, str] | None = None,
    weights: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(weights))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(made, metadata or {})
    return made


def row_sum(width: int | str | None = 3, *, metadata: dict[str, str] | None = None) -> onnx.ModelProto:
    """x [N, width] → total [N, 1]; with a free width, any number of columns is summed."""
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    return model(
        [helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=1)],
        [value("x", TensorProto.FLOAT, ["N", width])],
        [value("total", TensorProto.FLOAT, ["N", 1])],
        metadata=metadata,
        weights=[axes],
    )


def save(made: onnx.ModelProto, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.SerializeToString())
    return path


def script(path: Path, text: str, *, shell: str = "#!/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{shell}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_java(home: Path, version: str) -> Path:
    """A Java home that says it is ``version`` (``17``, ``1.8``), and where it lies."""
    said = f"    java.home = {home}\\n    java.specification.version = {version}\\n"
    script(home / "bin" / "java", f"printf '{said}' >&2\n")
    return home


def fake_runtime_python(
    path: Path, scenario: str, *, version: str = "[3, 11]", runtime: bool = True, jdk: Path | None = None
) -> Path:
    """An interpreter that answers the probe, and whose ``-m headgate_runtime`` plays ``scenario`` of the fake runtime."""
    answer = json.dumps({"version": json.loads(version), "runtime": runtime, "jdk": str(jdk) if jdk else None})
    return script(
        path,
        f"""
if [ "$1" = "-c" ]; then echo '{answer}'; exit 0; fi
[ "$1 $2" = "-m headgate_runtime" ] || {{ echo "unexpected: $*" >&2; exit 9; }}
shift 2
exec {sys.executable} {FAKE_RUNTIME} {scenario} "$@"
""",
    )


RESOURCE = """\
apiVersion: headgate.dev/v1alpha1
kind: ModelDeployment
metadata:
  name: sums
spec:
  model:
    uri: model.onnx
    version: "1"
    inputs:
      x: [a, b, c]
  pipeline:
    tables: |
      CREATE TABLE records (id BIGINT, a FLOAT, b FLOAT, c FLOAT)
        WITH ('connector' = 'filesystem', 'path' = 'in.csv', 'format' = 'csv');
      CREATE TABLE answers (id BIGINT, total FLOAT)
        WITH ('connector' = 'filesystem', 'path' = 'out/answers', 'format' = 'csv');
    input: SELECT id, a, b, c FROM records
    key: id
    output: INSERT INTO answers SELECT id, total FROM scored
"""


def workspace(folder: Path, resource: str = RESOURCE) -> Path:
    """``sums.yaml`` with its model beside it; the resource's path."""
    save(row_sum(), folder / "model.onnx")
    file = folder / "sums.yaml"
    file.write_text(resource)
    return file
