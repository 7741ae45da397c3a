"""What a file is when it is not an ONNX model, told by its first bytes.

Called by the reader for files whose outermost fields are not those of a model. A table of marks, each with the
refusal that names the format and the way out; nothing is unpacked, unpickled or executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from headgate.models.refusals import (
    CompressedFile,
    DataPointer,
    EncryptedFile,
    ErrorBody,
    ForeignModel,
    GitLfsPointer,
    HtmlPage,
    KerasModel,
    OrtFormatModel,
    PickledModel,
    Refusal,
    SafetensorsFile,
    TensorflowModel,
    TextModel,
    TorchModel,
)

HEAD_BYTES = 1 << 16
"""How much of a file :func:`recognise` wants to see."""


@dataclass(frozen=True, slots=True)
class _Mark:
    what: str
    refusal: type[Refusal]
    fits: Callable[[bytes], bool]


def recognise(subject: str, data: bytes) -> Refusal | None:
    """The refusal that fits ``data`` (the whole file or its first :data:`HEAD_BYTES` bytes), or ``None`` where
    nothing is known."""
    head = data[:HEAD_BYTES]
    for mark in _MARKS:
        if mark.fits(head):
            return mark.refusal(
                f"{subject} is {mark.what}, not an ONNX model{_detail(mark, head)}.", remedy=_remedy(mark, head)
            )
    return None


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _text(pattern: bytes) -> Callable[[bytes], bool]:
    """Whether the head, behind a byte order mark and white space, begins with ``pattern`` (case ignored)."""
    compiled = re.compile(rb"(\xef\xbb\xbf)?\s*(" + pattern + rb")", re.IGNORECASE | re.DOTALL)
    return lambda head: compiled.match(head) is not None


def _at(offset: int, mark: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[offset : offset + len(mark)] == mark


def _zip_with(*names: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(b"PK\x03\x04") and any(name in head for name in names)


def _is_pickle(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000


def _is_tensorflow(head: bytes) -> bool:
    graph = head[:1] == b"\x0a" and any(op in head for op in (b"Placeholder", b"NoOp", b"VarHandleOp", b"Const"))
    return graph or (
        head[:2] == b"\x08\x01"
        and any(word in head for word in (b"serving_default", b"SavedModel", b"saved_model", b"tensorflow"))
    )


_MARKS = (
    _Mark("a Git LFS pointer", GitLfsPointer, _text(rb"version https://git-lfs\.github\.com/spec")),
    _Mark("a git-annex pointer", DataPointer, _text(rb"(\.\./)*(\.git)?/annex/objects/")),
    _Mark("a DVC pointer", DataPointer, _text(rb"(md5: [0-9a-f]+\s+.{0,80})?outs:\s*-\s+(md5|etag|hash)")),
    _Mark(
        "an HTML page",
        HtmlPage,
        _text(rb"(<!--.{0,2000}?-->\s*)?(<\?xml[^>]{0,200}\?>\s*)?<(!doctype\s+html|html|head|body)[\s>]"),
    ),
    _Mark("a PMML file", ForeignModel, _text(rb"(<\?xml[^>]{0,200}\?>\s*)?<PMML")),
    _Mark("an OpenVINO model description", ForeignModel, _text(rb"(<\?xml[^>]{0,200}\?>\s*)?<net\s")),
    _Mark("the XML body of an error", ErrorBody, _text(rb"(<\?xml[^>]{0,200}\?>\s*)?<error[\s>]")),
    _Mark("an XML document", ErrorBody, _text(rb"<\?xml\s")),
    _Mark("an XGBoost model in JSON", ForeignModel, _text(rb"\{\s*\"(learner|version)\"\s*:\s*[\[{].{0,400}")),
    _Mark("the JSON form of an ONNX model", TextModel, _text(rb"\{\s*\"ir_?version\"")),
    _Mark("a JSON document", ErrorBody, _text(rb"[\[{]\s*(\"|\{|\}|\])")),
    _Mark(
        "the text form of an ONNX model", TextModel, _text(rb"(ir_version\s*:|<\s*ir_version\s*:|producer_name\s*:)")
    ),
    _Mark("a LightGBM model", ForeignModel, _text(rb"tree\s+version=")),
    _Mark("a GGUF model", ForeignModel, _starts(b"GGUF")),
    _Mark("a CatBoost model", ForeignModel, _starts(b"CBM1")),
    _Mark("a TensorRT engine", ForeignModel, _starts(b"ptrt", b"ftrt")),
    _Mark("an XGBoost model", ForeignModel, _starts(b"binf", b"{L\x00\x00", b"{l\x00")),
    _Mark(
        "an encrypted file",
        EncryptedFile,
        _starts(b"Salted__", b"age-encryption.org/", b"-----BEGIN PGP MESSAGE", b"-----BEGIN AGE"),
    ),
    _Mark("a Keras model in HDF5", KerasModel, _starts(b"\x89HDF\r\n\x1a\n")),
    _Mark("a Keras archive", KerasModel, _zip_with(b"model.weights.h5", b"keras_version")),
    _Mark(
        "a PyTorch archive",
        TorchModel,
        _zip_with(b"/data.pkl", b"/constants.pkl", b"/archive_format", b"/byteorder", b"serialized_exported_program"),
    ),
    _Mark("a PyTorch checkpoint of the old format", TorchModel, _starts(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")),
    _Mark("a zip archive", CompressedFile, _starts(b"PK\x03\x04", b"PK\x05\x06")),
    _Mark("a pickle", PickledModel, _is_pickle),
    _Mark("a TensorFlow Lite model", TensorflowModel, _at(4, b"TFL3")),
    _Mark("a model in onnxruntime's own format", OrtFormatModel, _at(4, b"ORTM")),
    _Mark("a safetensors file", SafetensorsFile, _is_safetensors),
    _Mark("compressed with gzip", CompressedFile, _starts(b"\x1f\x8b")),
    _Mark("compressed with zstd", CompressedFile, _starts(b"\x28\xb5\x2f\xfd")),
    _Mark("compressed with xz", CompressedFile, _starts(b"\xfd7zXZ\x00")),
    _Mark("compressed with bzip2", CompressedFile, _starts(b"BZh")),
    _Mark(
        "compressed with zlib (joblib writes such files)",
        PickledModel,
        _starts(b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"),
    ),
    _Mark("compressed with lz4", CompressedFile, _starts(b"\x04\x22\x4d\x18")),
    _Mark("a 7-Zip archive", CompressedFile, _starts(b"7z\xbc\xaf\x27\x1c")),
    _Mark("a tar archive", CompressedFile, _at(257, b"ustar")),
    _Mark("a TensorFlow graph", TensorflowModel, _is_tensorflow),
)


def _detail(mark: _Mark, head: bytes) -> str:
    """What the file itself says went wrong, where it is an error's body or a page: a code, a message or a title."""
    if mark.refusal not in (ErrorBody, HtmlPage):
        return ""
    said = [
        found.group(1).decode("utf-8", "replace").strip()
        for pattern in (
            rb"<Code>([^<]{1,80})</Code>",
            rb"<Message>([^<]{1,200})</Message>",
            rb"<title>([^<]{1,120})</title>",
            rb'"(?:code|error|message)"\s*:\s*"([^"]{1,200})"',
        )
        if (found := re.search(pattern, head, re.IGNORECASE))
    ]
    return f" (it says: {' '.join(': '.join(said).split())})" if said else ""


def _remedy(mark: _Mark, head: bytes) -> str | None:
    """A remedy for the very library that a pickle names, where it names one."""
    if mark.refusal is not PickledModel:
        return None
    for module, way in _EXPORTERS:
        if module in head:
            return f"It names {module.decode()}: load it where it was trained and export it with {way}."
    return None


_EXPORTERS = (
    (b"xgboost", "onnxmltools.convert_xgboost(model, initial_types=…)"),
    (b"lightgbm", "onnxmltools.convert_lightgbm(model, initial_types=…, zipmap=False)"),
    (b"catboost", "model.save_model('model.onnx', format='onnx')"),
    (b"sklearn", "skl2onnx.to_onnx(model, X[:1], options={'zipmap': False})"),
    (b"torch", "torch.onnx.export(model, example, 'model.onnx', dynamo=True)"),
    (b"keras", "model.export('model.onnx', format='onnx')"),
)
