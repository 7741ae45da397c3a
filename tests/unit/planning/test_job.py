"""The job contract as Headgate writes it: the golden files that the runtime's own tests read.

``HEADGATE_GOLDENS=write`` writes them anew; whoever does so looks at the difference and raises the contract's version
where an older runtime would misread it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from headgate.api.load import load_modeldeployments
from headgate.planning.job import ResolvedModel, render_job

CONTRACT = Path(__file__).parents[2] / "contract"
MINIMAL = ResolvedModel("sha256:" + "ab" * 32, "model.onnx", (("model.onnx", "sha256:" + "ab" * 32),))
FULL = ResolvedModel(
    "sha256:" + "cd" * 32,
    "voice.onnx",
    (("weights/voice.bin", "sha256:" + "02" * 32), ("voice.onnx", "sha256:" + "01" * 32)),
)


def _render(name: str, **changes: str) -> dict[str, Any]:
    text = (CONTRACT / f"{name}.yaml").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (deployment,) = load_modeldeployments(text, source=f"{name}.yaml")
    if name == "minimal":
        return render_job(deployment, MINIMAL, ())
    return render_job(deployment, FULL, ("silence", "speech"), module="features.py", goldens="sha256:" + "03" * 32)


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_the_contract_is_what_the_golden_file_says(name: str) -> None:
    rendered = json.dumps(_render(name), indent=2, ensure_ascii=False) + "\n"
    golden = CONTRACT / f"{name}.job.json"
    if os.environ.get("HEADGATE_GOLDENS") == "write":
        golden.write_text(rendered, encoding="utf-8")
    assert rendered == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "renamed"),
    [
        pytest.param("scores[1]", "scores[0]", True, id="another output expression is another revision"),
        pytest.param("[level, pitch]", "[pitch, level]", True, id="another order of features is another revision"),
        pytest.param("parallelism: 4", "parallelism: 8", False, id="scaling keeps the revision"),
        pytest.param("idle-timeout: 10 s", "idle-timeout: 20 s", False, id="a setting of Flink keeps the revision"),
        pytest.param("scipy==1.15.0", "scipy==1.15.1", True, id="another dependency is another revision"),
        pytest.param("# Every field", "# Each field", False, id="a comment keeps the revision"),
    ],
)
def test_the_revision_follows_what_shapes_answers(old: str, new: str, renamed: bool) -> None:
    changed = _render("full", **{old: new})["revision"]
    assert (changed != _render("full")["revision"]) is renamed
