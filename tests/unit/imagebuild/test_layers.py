"""Layers: the same bytes whoever makes them, and nothing in them that was not planned."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from pathlib import Path

import pytest
import zstandard

from headgate.imagebuild.errors import DiskFull, SourceRefused
from headgate.imagebuild.layers import BytesContent, Content, FileContent, plain_layer, stored_layer, tar_chunks
from headgate.imagebuild.manifest import MediaType
from headgate.imagebuild.plan import Compression, PlannedFile, PlannedLayer


def _planned(
    files: dict[str, bytes], compression: Compression = Compression.NONE, replaces: tuple[str, ...] = ()
) -> tuple[PlannedLayer, dict[str, Content]]:
    planned = tuple(
        PlannedFile(path, hashlib.sha256(data).hexdigest(), len(data), path.endswith(".sh"))
        for path, data in files.items()
    )
    contents: dict[str, Content] = {path: BytesContent(data) for path, data in files.items()}
    return PlannedLayer("it", compression, planned, replaces), contents


def _tar(files: dict[str, bytes], replaces: tuple[str, ...] = ()) -> bytes:
    return b"".join(tar_chunks(*_planned(files, replaces=replaces)))


def test_entries_are_sorted_and_carry_nothing_of_this_machine() -> None:
    data = _tar({"opt/z.sh": b"run", "opt/a/model.onnx": b"model", "b": b""})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert [(m.name, m.isdir(), m.mode) for m in members] == [
            ("b", False, 0o644),
            ("opt", True, 0o755),
            ("opt/a", True, 0o755),
            ("opt/a/model.onnx", False, 0o644),
            ("opt/z.sh", False, 0o755),
        ]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
        extracted = archive.extractfile("opt/a/model.onnx")
        assert extracted is not None
        assert extracted.read() == b"model"
    assert len(data) % tarfile.RECORDSIZE == 0


def test_the_order_of_the_plan_changes_nothing() -> None:
    assert _tar({"a": b"1", "b/c": b"2"}) == _tar({"b/c": b"2", "a": b"1"})


def test_a_long_name_is_written_in_the_gnu_way() -> None:
    name = "opt/" + "n" * 200
    data = _tar({name: b"x"})
    assert data[257:265] == b"ustar  \0"  # GNU's magic, not POSIX's
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert name in archive.getnames()


def test_a_folder_of_the_base_is_replaced_as_a_whole() -> None:
    data = _tar({"opt/runtime/new.py": b"x"}, replaces=("opt/runtime",))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["opt", "opt/runtime", "opt/runtime/.wh..wh..opq", "opt/runtime/new.py"]


def test_times_and_modes_on_disk_change_nothing(tmp_path: Path) -> None:
    made = []
    for number, mode in enumerate((0o600, 0o777)):
        path = tmp_path / str(number)
        path.write_bytes(b"same")
        path.chmod(mode)
        os.utime(path, (number * 1000, number * 1000))
        planned, _ = _planned({"a": b"same"})
        made.append(b"".join(tar_chunks(planned, {"a": FileContent(path)})))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("compression", "media_type"),
    [(Compression.ZSTD, MediaType.OCI_LAYER_ZSTD), (Compression.GZIP, MediaType.OCI_LAYER_GZIP)],
)
def test_a_compressed_layer_unpacks_to_the_plain_one(
    compression: Compression, media_type: MediaType, tmp_path: Path
) -> None:
    files = {"a": bytes(3_000_000), "b": os.urandom(10_000)}
    layer = stored_layer(*_planned(files, compression), tmp_path / "layer")
    data = b"".join(layer.read())
    plain = _tar(files)
    unpacked = (
        zstandard.ZstdDecompressor().decompressobj().decompress(data)
        if compression is Compression.ZSTD
        else zlib.decompress(data, 31)
    )
    assert unpacked == plain
    assert layer.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    assert layer.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (layer.size, layer.media_type) == (len(data), media_type)
    again = stored_layer(*_planned(files, compression), tmp_path / "again")
    assert again.digest == layer.digest


def test_a_plain_layer_is_read_again_from_its_files_each_time() -> None:
    layer = plain_layer(*_planned({"a": b"x" * 100}))
    assert b"".join(layer.read()) == b"".join(layer.read())
    assert layer.digest == layer.diff_id == f"sha256:{hashlib.sha256(b''.join(layer.read())).hexdigest()}"


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(b"other", id="other bytes of the same length"),
        pytest.param(b"longer than before", id="more bytes"),
        pytest.param(b"x", id="fewer bytes"),
    ],
)
def test_a_model_that_changes_while_it_is_read_is_refused(now: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"model")
    planned, _ = _planned({"opt/model.onnx": b"model"})
    layer = plain_layer(planned, {"opt/model.onnx": FileContent(path)})
    path.write_bytes(now)
    with pytest.raises(SourceRefused, match=r"'opt/model.onnx' changed while the image was built"):
        b"".join(layer.read())


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = tmp_path / "layer"
    full.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=f"No space is left in {tmp_path} while writing layer"):
        stored_layer(*_planned({"a": os.urandom(200_000)}, Compression.ZSTD), full)


def test_a_layer_with_a_parent_path_is_refused_before_a_byte_is_made() -> None:
    with pytest.raises(SourceRefused, match="leads out of its folder"):
        next(tar_chunks(*_planned({"../etc/passwd": b"x"})))
