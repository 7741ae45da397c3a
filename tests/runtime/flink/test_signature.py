"""What a model takes and gives is told, and a statement that reads an answer which is not there is told what there is."""

from __future__ import annotations

from pathlib import Path

from embedded import models
from embedded.child import finished
from embedded.jobs import Sql, write_job


def test_an_answer_that_this_version_does_not_give_is_told_with_those_that_it_gives(tmp_path: Path) -> None:
    sql = Sql(
        "CREATE TABLE r (id BIGINT, a FLOAT, b FLOAT) WITH ('connector' = 'datagen'); "
        "CREATE TABLE o (id BIGINT, y FLOAT) WITH ('connector' = 'blackhole')",
        "SELECT id, a, b FROM r",
        "INSERT INTO o SELECT id, yy FROM scored",
    )
    child = finished(write_job(tmp_path / "job", models.linear(tmp_path / "m.onnx"), sql), verb="explain", status=1)
    signature = child.only("signature")
    assert (signature["inputs"], signature["outputs"]) == ({"x": "float32 [?, 2]"}, {"y": "float32 [?, 1]"})
    error = child.only("error")
    assert (error["stage"], error["reason"]) == ("plan", "PlanRefused")
    assert "Column 'yy' not found in any table" in error["message"]
    assert "The view scored does not have it, nor has the model such an answer. There are: id, " in error["message"]
    assert error["message"].endswith("Did you mean 'y'?")
