"""The data files that a model keeps its weights in: found, checked against the tensors that need them, never left
unbounded.

Called by the reader before anything is hashed. A model comes from somebody else, so a location must stay inside the
folder of the ``.onnx`` file after every link is followed, offsets and lengths must fit the file, and only ordinary
files are opened. Keys of ``external_data`` are those of onnx.proto: ``location``, ``offset``, ``length``.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import onnx

from headgate.models.elements import bits_of, dtype_name
from headgate.models.refusals import ExternalDataInvalid, ExternalDataMissing, ExternalDataOutside, ModelUnreadable


@dataclass(frozen=True, slots=True)
class ExternalFile:
    """One data file: its name relative to the model's folder, where it is, and its size in bytes."""

    name: str
    path: Path
    size: int


def find_external_files(subject: str, folder: Path, tensors: Iterable[onnx.TensorProto]) -> tuple[ExternalFile, ...]:
    """The data files that ``tensors`` refer to, sorted by name.

    Raises ``ExternalDataOutside``, ``ExternalDataMissing``, ``ExternalDataInvalid`` or ``ModelUnreadable``; all
    missing files are named at once.
    """
    found: dict[str, ExternalFile] = {}
    missing: dict[str, str] = {}
    for tensor in tensors:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if location in missing:
            continue
        name = _inside(subject, tensor.name, location)
        if name not in found:
            file = _resolve(subject, folder, name)
            if file is None:
                missing[location] = tensor.name
                continue
            found[name] = file
        _check_extent(subject, tensor, entries, found[name])
    if missing:
        names = ", ".join(f"'{location}'" for location in sorted(missing))
        tensor_name = missing[min(missing)]
        raise ExternalDataMissing(
            f"{subject} keeps weights in {names} (tensor '{tensor_name}'), which is not in {folder}."
        )
    return tuple(found[name] for name in sorted(found))


def _inside(subject: str, tensor: str, location: str) -> str:
    """The location as a clean relative name. ``*/`` begins onnxruntime's tags for addresses in memory, never a file's
    name."""
    if not location or "\0" in location:
        raise ExternalDataInvalid(
            f"{subject}: tensor '{tensor}' keeps its data in another file and does not say which."
        )
    windows = PureWindowsPath(location)
    if (
        Path(location).is_absolute()
        or windows.drive
        or windows.root
        or ".." in windows.parts
        or location.startswith("*/")
    ):
        raise ExternalDataOutside(
            f"{subject}: tensor '{tensor}' keeps its data in '{location}', outside the model's own folder."
        )
    return Path(location).as_posix()


def _resolve(subject: str, folder: Path, name: str) -> ExternalFile | None:
    """The file behind a name, or ``None`` where there is none."""
    path = folder / name
    try:
        real = path.resolve(strict=True)
        inside = real.is_relative_to(folder.resolve())
        status = real.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError) as error:
        raise ModelUnreadable(f"{subject}: its data file '{name}' cannot be read ({_why(error)}).") from error
    if not inside:
        raise ExternalDataOutside(
            f"{subject}: its data file '{name}' is a link to {real}, outside the model's own folder.",
            remedy="Copy the data file itself into the folder ('cp -L').",
        )
    if not stat.S_ISREG(status.st_mode):
        raise ExternalDataInvalid(
            f"{subject}: its data file '{name}' is not an ordinary file.", remedy="Put a file there."
        )
    return ExternalFile(name, path, status.st_size)


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _check_extent(subject: str, tensor: onnx.TensorProto, entries: dict[str, str], file: ExternalFile) -> None:
    """The bytes that a tensor announces must be in the file, and be as many as its shape needs."""
    where = f"{subject}: tensor '{tensor.name}'"
    offset = _number(where, "offset", entries.get("offset", "0"))
    needed = _bytes_needed(tensor)
    length = _number(where, "length", entries["length"]) if "length" in entries else needed
    if needed is not None and length != needed:
        shape = list(tensor.dims)
        raise ExternalDataInvalid(
            f"{where} of shape {shape} needs {needed:,} bytes, and {length:,} are set aside in '{file.name}'."
        )
    if offset + (length or 0) > file.size:
        raise ExternalDataInvalid(
            f"{where} lies at bytes {offset:,} to {offset + (length or 0):,} of '{file.name}', "
            f"which has {file.size:,} bytes."
        )


def _number(where: str, key: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise ExternalDataInvalid(f"{where} has the {key} '{text[:40]}', which is no number of bytes.")


def _bytes_needed(tensor: onnx.TensorProto) -> int | None:
    bits = bits_of(dtype_name(tensor.data_type))
    return None if bits is None else -(-math.prod(tensor.dims) * bits // 8)
