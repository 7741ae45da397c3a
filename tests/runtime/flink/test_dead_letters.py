"""One job with every way in which a record can be wrong: two sources, one model step, three statements that read from it.

What is asked of it: each bad record leaves with its reason and as it was, all others are scored once, records that the query
filtered out are never seen, and event time passes through the step.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedded import models
from embedded.child import Child, finished, json_rows
from embedded.jobs import Setup, Sql, sha256, write_job

SQL = Sql(
    tables="""
        CREATE TABLE csv_rows (
          id BIGINT, i BIGINT, n INT, a FLOAT, b FLOAT, c FLOAT, `at` TIMESTAMP(3), keep BOOLEAN,
          WATERMARK FOR `at` AS `at` - INTERVAL '1' SECOND
        ) WITH ('connector' = 'filesystem', 'path' = 'in/rows.csv', 'format' = 'csv',
          'headgate.csv.header' = 'true', 'csv.allow-comments' = 'true');
        CREATE TABLE json_rows (
          id BIGINT, i BIGINT, n INT, v ARRAY<FLOAT>, seen TIMESTAMP_LTZ(3), keep BOOLEAN,
          `at` AS CAST(seen AS TIMESTAMP(3)),  -- a computed column; the session's zone is UTC
          WATERMARK FOR `at` AS `at` - INTERVAL '1' SECOND
        ) WITH ('connector' = 'filesystem', 'path' = 'in/rows.json', 'format' = 'json',
          'headgate.parse-errors' = 'dead-letter');
        CREATE TABLE answers (
          id BIGINT, y FLOAT, twice ARRAY<FLOAT>, model_version STRING, model_digest STRING, revision STRING
        ) WITH ('connector' = 'filesystem', 'path' = 'out/answers', 'format' = 'json');
        CREATE TABLE windows (since TIMESTAMP(3), records BIGINT, total DOUBLE)
          WITH ('connector' = 'filesystem', 'path' = 'out/windows', 'format' = 'json');
        CREATE TABLE rejected (
          reason STRING, column_name STRING, detail STRING, record STRING, model_version STRING, revision STRING
        ) WITH ('connector' = 'filesystem', 'path' = 'out/rejected', 'format' = 'json');
    """,
    input="""
        SELECT *, CAST(ROW(n, 'ä') AS ROW<n INT, t STRING>) AS more, ENCODE('ä', 'UTF-8') AS raw_bytes
        FROM (
          SELECT id, i, n, v, `at` FROM json_rows WHERE keep
          UNION ALL
          SELECT id, i, n, ARRAY[a, b, c] AS v, `at` FROM csv_rows WHERE keep
        )
    """,
    output="""
        INSERT INTO answers SELECT id, y, twice, model_version, model_digest, revision FROM scored;
        INSERT INTO windows SELECT window_start, COUNT(*), SUM(CAST(y AS DOUBLE))
          FROM TABLE(TUMBLE(TABLE scored, DESCRIPTOR(`at`), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
        INSERT INTO rejected SELECT reason, column_name, detail, record, model_version, revision FROM dead_letters;
    """,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One record as its source holds it, and why it is no record (None: it is scored)."""

    text: bytes
    reason: str | None = None
    column: str = ""
    detail: str = ""


def _csv(id_: int, rest: str = "1,2,0.5,1,2", *, keep: str = "true", **bad: str) -> Line:
    second = id_ % 100
    return Line(f"{id_},{rest},2026-01-01 00:00:{second:02d},{keep}".encode(), **bad)


def _json(id_: int, *, keep: bool = True, bad: dict[str, str] | None = None, **fields: Any) -> Line:
    seen = f"2026-01-01T00:00:{id_ % 100:02d}Z"
    row = {"id": id_, "i": 2, "n": 1, "v": [1.5, 2.5, -1], "seen": seen, "keep": keep} | fields
    return Line(json.dumps(row).encode(), **(bad or {}))


def _bad(reason: str, column: str = "", detail: str = "") -> dict[str, str]:
    return {"reason": reason, "column": column, "detail": detail}


CSV = [
    Line(b"id,i,n,a,b,c,at,keep", "header"),
    Line(b"# nobody scores a comment", "header"),
    *[_csv(100 + at) for at in range(20)],
    _csv(121, "99,2,0.5,1,2", **_bad("InferenceError")),
    _csv(122, ",2,0.5,1,2", **_bad("NullFeature", "i", "the feature is null")),
    _csv(123, "1,2,,1,2", **_bad("NullFeature", "v", "the feature is null or holds a null")),
    _csv(124, "1,2,0.5,NaN,2", **_bad("NanFeature", "v", "the feature holds NaN")),
    _csv(125, "1,300,0.5,1,2", **_bad("OutOfRange", "n", "300 does not fit int8 (-128 to 127)")),
    _csv(126, "1,x,0.5,1,2", **_bad("UnparsableRecord", "n", "'x' is not INT: not a whole number")),
    Line(b'127,"1,2', **_bad("UnparsableRecord", "", "unexpected end of data")),
    Line(b"128,\xff,2,1,1,1,2026-01-01 00:00:28,true", **_bad("UnparsableRecord", "", "not UTF-8 at byte 5")),
    *[_csv(130 + at, "99,300,,,", keep="false", reason="filtered") for at in range(5)],
    *[_csv(140 + at) for at in range(10)],
]
JSON = [
    *[_json(200 + at) for at in range(20)],
    _json(221, v=[1.0], bad=_bad("WrongShape", "v", "its shape is [1], the model wants [3]")),
    _json(222, v=[1.0, None, 2.0], bad=_bad("NullFeature", "v", "the feature is null or holds a null")),
    _json(223, v=None, bad=_bad("NullFeature", "v", "the feature is null or holds a null")),
    _json(224, i=-5, n=None, bad=_bad("NullFeature", "n", "the feature is null")),
    Line(b'{"id": 225,', **_bad("UnparsableRecord", "", "not JSON: ")),
    Line(b"[226]", **_bad("UnparsableRecord", "", "a JSON array, not an object")),
    _json(227, i="two", bad=_bad("UnparsableRecord", "i", "'two' is not BIGINT: not a whole number")),
    _json(230, keep=False, i=99, bad={"reason": "filtered"}),
    *[_json(240 + at) for at in range(10)],
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    child: Child
    folder: Path
    digest: str

    def rows(self, sink: str) -> list[dict[str, Any]]:
        return json_rows(self.folder / "out" / sink)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("letters")
    model = models.picky(folder / "picky.onnx")
    setup = Setup(version="7", model={"nan": "DeadLetter"}, batch_rows=64)
    job = write_job(folder / "job", model, SQL, setup)
    (job.parent / "in").mkdir()
    for name, lines in (("rows.csv", CSV), ("rows.json", JSON)):
        (job.parent / "in" / name).write_bytes(b"".join(line.text + b"\n" for line in lines))
    return Result(finished(job), job.parent, sha256(model))


def _ids(lines: list[Line], of: Callable[[Line], bool]) -> list[int]:
    return [int(line.text[:3]) if line.text[:1] != b"{" else json.loads(line.text)["id"] for line in lines if of(line)]


GOOD = sorted(_ids(CSV + JSON, lambda line: line.reason is None))
BAD = [line for line in CSV + JSON if line.reason not in (None, "header", "filtered")]


def test_every_good_record_is_scored_once_with_its_stamp(result: Result) -> None:
    rows = sorted(result.rows("answers"), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == GOOD
    stamp = {"model_version": "7", "model_digest": result.digest, "revision": "job-7"}
    of_csv = {"y": 200 + 2 + 3.5, "twice": [1.0, 2.0, 4.0]} | stamp
    of_json = {"y": 300 + 1 + 3.0, "twice": [3.0, 5.0, -2.0]} | stamp
    assert rows == [{"id": id_} | (of_csv if id_ < 200 else of_json) for id_ in GOOD]


def test_the_step_scored_each_row_once_although_three_statements_read_it(result: Result) -> None:
    summary = result.child.only("summary")
    assert summary["scored"] == len(GOOD)
    assert summary["deadLetters"] == dict(sorted(Counter(line.reason for line in BAD).items()))
    assert summary["in"] == len(GOOD) + len(BAD)
    assert (summary["state"], summary["savepoint"]) == ("FINISHED", None)
    assert len(summary["firstRows"]) == 5


def test_every_bad_record_leaves_with_its_reason_and_column(result: Result) -> None:
    wanted = Counter((line.reason, line.column) for line in BAD)
    assert Counter((row["reason"], row["column_name"]) for row in result.rows("rejected")) == wanted
    assert {(row["model_version"], row["revision"]) for row in result.rows("rejected")} == {("7", "job-7")}
    details = sorted(row["detail"] for row in result.rows("rejected"))
    for line in BAD:
        assert any(detail.startswith(line.detail) for detail in details), line


def test_the_record_of_a_dead_letter_is_the_row_that_was_to_be_scored(result: Result) -> None:
    records = [json.loads(row["record"]) for row in result.rows("rejected") if row["reason"] != "UnparsableRecord"]
    by_id = {record["id"]: record for record in records}
    beside = {"at": "2026-01-01 00:00:21.000", "raw_bytes": base64.b64encode("ä".encode()).decode()}
    assert by_id[121] == {"id": 121, "i": 99, "n": 2, "v": [0.5, 1, 2], "more": {"n": 2, "t": "ä"}} | beside
    assert by_id[123]["v"] == [None, 1, 2]
    assert by_id[122]["i"] is None
    assert by_id[221] == {"id": 221, "i": 2, "n": 1, "v": [1], "more": {"n": 1, "t": "ä"}} | beside
    assert by_id[224]["more"] == {"n": None, "t": "ä"}
    assert by_id[223]["v"] is None


def test_a_line_that_does_not_parse_is_kept_as_it_was(result: Result) -> None:
    lines = [
        json.loads(row["record"])["line"] for row in result.rows("rejected") if row["reason"] == "UnparsableRecord"
    ]
    wanted = [line.text.decode(errors="replace") for line in BAD if line.reason == "UnparsableRecord"]
    assert sorted(lines) == sorted(wanted)


def test_event_time_passes_through_the_step_into_windows(result: Result) -> None:
    scored = {row["id"]: row["y"] for row in result.rows("answers")}
    wanted: dict[str, list[float]] = {}
    for id_ in GOOD:
        wanted.setdefault(f"2026-01-01 00:00:{id_ % 100 // 10}0", []).append(scored[id_])
    got = {row["since"]: (row["records"], row["total"]) for row in result.rows("windows")}
    assert got == {since: (len(values), sum(values)) for since, values in wanted.items()}
    assert len(got) >= 3


def test_the_stages_come_in_their_order_and_each_ends(result: Result) -> None:
    stages = [(e["stage"], e["status"]) for e in result.child.events if e["event"] == "stage"]
    names = ["contract", "verify", "load", "smoke", "plan", "ready", "execute"]
    assert stages == [(name, status) for name in names for status in ("started", "done")]
