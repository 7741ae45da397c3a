"""Makes ``build/model.onnx`` and ``build/records.csv`` from the NASA shuttle records that the ``river`` wheel carries.

Run by a person, by ``make demo`` and by the test. A forest learns from a fifth of the records; every record is then
written to be scored, and among them eight that nothing can score, so that dead letters show. The same files, byte for
byte, come out of every run; answers of an earlier run (``out/``) are removed, since the sink adds and never replaces.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

HERE = Path(__file__).parent
BUILD = HERE / "build"
FEATURES = [f"f{i}" for i in range(1, 10)]
SEED = 7

BROKEN_LINES = {
    5_000: "90001,50,21,77,0,28",
    15_000: "90002,50,21,seventy-seven,0,28,0,27,48,22",
    25_000: '90003,"50,21,77,0,28,0,27,48,22',
    10_000: "90004,,21,77,0,28,0,27,48,22",
    20_000: "90005,50,21,77,0,28,0,27,48,",
    30_000: "90006,50,21,77,0,,0,27,48,22",
    35_000: "90007,NaN,21,77,0,28,0,27,48,22",
    45_000: "90008,50,21,77,0,28,NaN,27,48,22",
}
"""What a real feed also holds: three unparsable lines, three missing readings, two readings that are not numbers.
The key says before which record the line stands."""


def read_records() -> tuple[np.ndarray, np.ndarray]:
    """The readings (49097, 9) float32 and the truth (49097,) int64: 1 is an anomaly."""
    package = importlib.util.find_spec("river")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("The river package is missing: install the project's `examples` group.")
    path = Path(package.submodule_search_locations[0]) / "datasets" / "shuttle.csv.gz"
    with gzip.open(path, "rt") as lines:
        rows = list(csv.DictReader(lines))
    readings = np.array([[float(row[name]) for name in FEATURES] for row in rows], dtype=np.float32)
    return readings, np.array([int(row["anomaly"]) for row in rows])


def write_records(readings: np.ndarray, path: Path) -> None:
    """One line a record: its number, its nine readings; a header and a comment line first."""
    with path.open("w") as out:
        out.write(",".join(["record_id", *FEATURES]) + "\n")
        out.write("# sensor readings of the space shuttle, Statlog collection\n")
        for number, row in enumerate(readings):
            if number in BROKEN_LINES:
                out.write(BROKEN_LINES[number] + "\n")
            out.write(f"{number}," + ",".join(f"{value:g}" for value in row) + "\n")


def main() -> None:
    """Trains, exports and writes; prints what it made."""
    shutil.rmtree(HERE / "out", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    readings, truth = read_records()
    learn = np.random.default_rng(SEED).permutation(len(readings)) < len(readings) // 5

    forest = RandomForestClassifier(n_estimators=40, max_depth=8, random_state=SEED)
    forest.fit(readings[learn], truth[learn])
    model = to_onnx(
        forest,
        initial_types=[("readings", FloatTensorType([None, len(FEATURES)]))],
        options={"zipmap": False},
        target_opset=17,
    )
    (BUILD / "model.onnx").write_bytes(model.SerializeToString())
    write_records(readings, BUILD / "records.csv")

    held_out = forest.predict_proba(readings[~learn])[:, 1]
    quality = {
        "records": len(readings),
        "anomalies": int(truth.sum()),
        "learnedFrom": int(learn.sum()),
        "rocAuc": round(float(roc_auc_score(truth[~learn], held_out)), 6),
        "averagePrecision": round(float(average_precision_score(truth[~learn], held_out)), 6),
    }
    (BUILD / "quality.json").write_text(json.dumps(quality, indent=2) + "\n")
    print(f"{BUILD / 'model.onnx'}, {BUILD / 'records.csv'}: {json.dumps(quality)}")


if __name__ == "__main__":
    main()
