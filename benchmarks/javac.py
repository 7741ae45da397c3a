"""Compiles the JVM rival with Eclipse's compiler on the runtime's JRE: a machine without a JDK measures the same thing."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from benchmarks.places import flink_home, java_home, rival_jars
from headgate.errors import ToolMissing

_SOURCE = Path(__file__).parent / "java" / "OnnxPerRecord.java"


def compiled_rival(folder: Path) -> tuple[Path, Path]:
    """A jar with the function, made in ``folder``, and onnxruntime's jar."""
    compiler, onnxruntime = rival_jars()
    classes = folder / "classes"
    classpath = ":".join(map(str, [*sorted((flink_home() / "lib").glob("*.jar")), onnxruntime]))
    java = (str(java_home() / "bin" / "java"), "-jar", str(compiler), "-source", "17", "-target", "17", "-nowarn")
    done = subprocess.run(
        [*java, "-classpath", classpath, "-d", str(classes), str(_SOURCE)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolMissing(f"{_SOURCE.name} does not compile:\n{(done.stdout + done.stderr).strip()}")
    jar = folder / "rival.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))
    return jar, onnxruntime
