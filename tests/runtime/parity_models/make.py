"""``python make.py OUTDIR [NAME …]``: makes the models of the parity test, with rows and expected answers.

Run by the test's own fixture in the operator's environment (scikit-learn, skl2onnx, onnx, onnxruntime); what it writes
is read in the runtime's, by ``parity_case.load``. Every run gives the same rows and answers (some exporters put arbitrary
names into a graph, so its bytes may differ).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import network_models
import sklearn_models
from making import finish
from parity_case import save


def main(arguments: list[str]) -> int:
    """Make all cases, or those named; 2 for a wrong call."""
    makers = sklearn_models.MAKERS | network_models.MAKERS
    names = arguments[1:] or sorted(makers)
    unknown = [name for name in names if name not in makers]
    if not arguments or unknown:
        print(f"usage: make.py OUTDIR [NAME …]; names: {', '.join(sorted(makers))}", file=sys.stderr)
        return 2
    for name in names:
        folder = Path(arguments[0]) / name
        folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's advice on convergence is no matter here
            case = finish(name, folder, makers[name](folder))
        save(case)
        shapes = ", ".join(f"{output} {values.dtype}{list(values.shape)}" for output, values in case.expected.items())
        print(f"{name}: {shapes}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
