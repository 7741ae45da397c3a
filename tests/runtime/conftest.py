"""What the runtime's tests share: settings (the machine may be busy, so hypothesis has no deadline) and real models."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize="CI" in os.environ,
)
settings.load_profile("steady")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def parity_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with rows and onnxruntime's answers, made in the operator's environment (scikit-learn is there)."""
    folder = tmp_path_factory.mktemp("parity")
    make = [ROOT / ".venv" / "bin" / "python", ROOT / "tests" / "runtime" / "parity_models" / "make.py", folder]
    done = subprocess.run(make, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder
