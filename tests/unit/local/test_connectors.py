"""Which jars a pipeline needs, and that only the pinned ones are used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from headgate.errors import ToolMissing
from headgate.local.connectors import ConnectorLock, Jar, classpath, fetch_jars, read_lock
from headgate.local.places import find_runtime_source

BYTES = b"a jar"
JAR = Jar("g:thing:1.0", "thing-1.0.jar", hashlib.sha256(BYTES).hexdigest())


class Repository:
    """Gives one file for every request, and counts requests; without a file it has nothing."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.asked: list[str] = []

    def __call__(self, jar: Jar, scratch: Path) -> Path:
        self.asked.append(jar.coordinate)
        if self.content is None:
            raise ToolMissing(f"{jar.coordinate} could not be downloaded.")
        path = scratch / "somewhere" / jar.file
        path.parent.mkdir()
        path.write_bytes(self.content)
        return path


@pytest.fixture
def lock() -> ConnectorLock:
    return read_lock(find_runtime_source().connectors)


def files(lock: ConnectorLock, *tables: dict[str, str]) -> list[str]:
    return [jar.file for jar in lock.needed(tables)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param({"connector": "filesystem", "format": "csv"}, [], id="csv files need no jar"),
        pytest.param({"connector": "print"}, [], id="print needs no jar"),
        pytest.param(
            {"connector": "kafka", "value.format": "json", "key.format": "raw"},
            ["flink-sql-connector-kafka-5.0.0-2.2.jar"],
            id="kafka needs its connector",
        ),
        pytest.param(
            {"connector": "filesystem", "format": "avro"}, ["flink-sql-avro-2.3.0.jar"], id="avro needs its format"
        ),
        pytest.param(
            {"connector": "filesystem", "format": "parquet"},
            ["flink-sql-parquet-2.3.0.jar", "hadoop-client-api-3.4.1.jar", "hadoop-client-runtime-3.4.1.jar"],
            id="parquet needs its format and Hadoop's client",
        ),
        pytest.param({}, [], id="a table without options needs nothing"),
    ],
)
def test_the_jars_of_a_table(lock: ConnectorLock, options: dict[str, str], wanted: list[str]) -> None:
    assert files(lock, options) == wanted


def test_a_jar_that_two_tables_need_is_named_once(lock: ConnectorLock) -> None:
    assert len(files(lock, {"connector": "kafka"}, {"connector": "upsert-kafka"})) == 1


def test_the_lock_names_no_host_and_every_file_that_it_refers_to(lock: ConnectorLock) -> None:
    assert "://" not in find_runtime_source().connectors.read_text()
    named = {file for files in (*lock.connectors.values(), *lock.formats.values()) for file in files}
    assert named == set(lock.jars)
    assert all(jar.file == "-".join(jar.coordinate.split(":")[1:]) + ".jar" for jar in lock.jars.values())


def test_an_unknown_connector_is_told_with_the_known_ones(lock: ConnectorLock) -> None:
    with pytest.raises(ToolMissing) as caught:
        files(lock, {"connector": "kafak"})
    assert str(caught.value) == (
        "No jar is known for the connector 'kafak'. Did you mean 'kafka'? Known: blackhole, datagen, filesystem, kafka, "
        "print, upsert-kafka. To bring a connector or format of your own to a local run, name its jar: --jar connector.jar."
    )


def test_an_unknown_connector_may_come_from_a_jar_of_the_users(lock: ConnectorLock) -> None:
    assert lock.needed([{"connector": "jdbc", "format": "avro"}], own_jars=True)[0].file == "flink-sql-avro-2.3.0.jar"


def test_a_jar_is_downloaded_once_and_kept(tmp_path: Path) -> None:
    repository, told = Repository(BYTES), []
    first = fetch_jars((JAR,), tmp_path, told.append, repository)
    second = fetch_jars((JAR,), tmp_path, told.append, repository)
    assert first == second
    assert first[0].read_bytes() == BYTES
    assert (repository.asked, told) == ([JAR.coordinate], [f"Downloading {JAR.coordinate} …"])


def test_another_file_than_the_pinned_one_is_refused_with_both_digests(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        fetch_jars((JAR,), tmp_path, lambda line: None, Repository(b"something else"))
    other = hashlib.sha256(b"something else").hexdigest()
    assert str(caught.value) == (
        f"g:thing:1.0 is not the file that the lock pins: expected sha256 {JAR.sha256}, got {other}. "
        "Do not use it. Check the repository or proxy that it came from."
    )
    assert not list(tmp_path.rglob("*.jar"))


def test_a_kept_jar_that_was_changed_is_downloaded_anew(tmp_path: Path) -> None:
    repository = Repository(BYTES)
    (kept,) = fetch_jars((JAR,), tmp_path, lambda line: None, repository)
    kept.write_bytes(b"rotten")
    (again,) = fetch_jars((JAR,), tmp_path, lambda line: None, repository)
    assert (again.read_bytes(), len(repository.asked)) == (BYTES, 2)


def test_a_lock_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "connectors.lock.json"
    path.write_text(json.dumps({"version": 2}))
    with pytest.raises(ToolMissing, match="is of version 2, and this Headgate reads version 1"):
        read_lock(path)
    with pytest.raises(ToolMissing, match="cannot be read"):
        read_lock(tmp_path / "none.json")


def test_the_classpath_joins_paths_with_colons() -> None:
    assert classpath((Path("/a.jar"), Path("/b.jar"))) == "/a.jar:/b.jar"
