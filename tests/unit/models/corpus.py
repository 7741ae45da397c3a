"""The corpus of broken artifacts: how each is made, and what the refusal must say."""

# ruff: noqa: E501  the corpus is a table, one case a line

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper

from unit.models.builders import LIMIT, branching, externalize, linear, model_of, save, unary, value


def raw(data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "model.onnx"
        path.write_bytes(data)
        return path

    return make


def built(build: Callable[[], onnx.ModelProto]) -> Callable[[Path], Path]:
    return lambda folder: save(build(), folder / "model.onnx")


def external(
    location: str, prepare: Callable[[Path], object] = lambda _: None, **entries: str
) -> Callable[[Path], Path]:
    """A model whose first weight lies at ``location``; ``prepare`` changes the folder afterwards."""

    def make(folder: Path) -> Path:
        model = linear()
        externalize(model.graph.initializer[0], folder, location, **entries)
        prepare(folder)
        return save(model, folder / "model.onnx")

    return make


def external_in_a_branch(folder: Path) -> Path:
    model = branching()
    externalize(model.graph.node[0].attribute[0].g.initializer[0], folder, "gone.bin")
    (folder / "gone.bin").unlink()
    return save(model, folder / "model.onnx")


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"))
    return stream.getvalue()


class Estimator:
    """Pickled under the name of a class of scikit-learn."""


def pickled(module: str) -> bytes:
    Estimator.__module__, Estimator.__qualname__ = module, "Estimator"
    name = module.encode()
    return b"\x80\x04\x95" + len(name).to_bytes(8, "little") + b"\x8c" + bytes([len(name)]) + name + pickle.dumps(1)[2:]


def link_out(folder: Path) -> None:
    outside = folder.parent / f"{folder.name}-outside.bin"
    (folder / "weights.bin").rename(outside)
    (folder / "weights.bin").symlink_to(outside)


def loop_of_links(folder: Path) -> None:
    (folder / "weights.bin").unlink()
    (folder / "weights.bin").symlink_to(folder / "weights.bin")


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "model.onnx")
    return folder / "model.onnx"


def folder_with_model(folder: Path) -> Path:
    save(linear(), folder / "only.onnx")
    return folder


def without(field: str) -> Callable[[], onnx.ModelProto]:
    def build() -> onnx.ModelProto:
        model = linear()
        model.ClearField(field)  # type: ignore[arg-type]  # a literal in the stubs
        return model

    return build


def edited(edit: Callable[[onnx.ModelProto], object]) -> Callable[[], onnx.ModelProto]:
    def build() -> onnx.ModelProto:
        model = linear()
        edit(model)
        return model

    return build


def zip_map() -> onnx.ModelProto:
    classes = helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    )
    return model_of(
        [helper.make_node("Identity", ["x"], ["scores"]), classes],
        [value("x", ["N", 2])],
        [helper.make_value_info("probabilities", kind)],
        opsets={"": 17, "ai.onnx.ml": 3},
    )


def dictionary_input() -> onnx.ModelProto:
    kind = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    return model_of(
        [helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a"])],
        [helper.make_value_info("x", kind)],
        [value("y", [1, 1])],
        opsets={"": 17, "ai.onnx.ml": 3},
    )


def bad_name() -> bytes:
    return linear().SerializeToString().replace(b"logits", b"logit\xff")


def damaged() -> bytes:
    data = bytearray(linear().SerializeToString())
    at = data.index(b"gemm")
    data[at - 2] = 0x7F
    return bytes(data)


@dataclass(frozen=True)
class Case:
    id: str
    make: Callable[[Path], Path]
    reason: str
    says: str
    """A regular expression that the whole message must contain."""
    limit: int = LIMIT


S3_ERROR = b"<?xml version='1.0'?>\n<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"
HTML = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:1111\nsize 12345\n"
KERAS = zipped("metadata.json", "config.json", "model.weights.h5")
HALF = linear().SerializeToString()[: len(linear().SerializeToString()) // 2]

CASES = (
    Case("a path where nothing is", lambda folder: folder / "model.onnx", "ModelMissing", "does not exist.*Check the path"),
    Case("a path below a file", lambda folder: save(linear(), folder / "a") / "b", "ModelMissing", "does not exist"),
    Case("a folder", lambda folder: folder, "ModelIsFolder", "is a folder.*Name the .onnx file"),
    Case("a folder with one model in it", folder_with_model, "ModelIsFolder", "Name the file: .*only.onnx"),
    Case("a pipe, which would never end", pipe, "ModelNotAFile", "not an ordinary file"),
    Case("a path with a null character", lambda folder: folder / "a\0b", "ModelUnreadable", "cannot be read"),
    Case("a link to itself", lambda folder: ((folder / "m").symlink_to(folder / "m"), folder / "m")[1], "ModelUnreadable", "cannot be read"),
    Case("an empty file", raw(b""), "ModelEmpty", "is empty.*did not finish"),
    Case("a file above the limit", built(linear), "ModelTooLarge", r"the limit is 100\b.*sizeLimit", limit=100),
    Case("data files above the limit", external("weights.bin", lambda f: os.truncate(f / "weights.bin", LIMIT)), "ModelTooLarge", "with its data files"),
    Case("a Git LFS pointer", raw(LFS), "GitLfsPointer", "Git LFS pointer.*git lfs pull"),
    Case("a DVC pointer", raw(b"outs:\n- md5: 0123\n  path: model.onnx\n"), "DataPointer", "DVC pointer.*dvc pull"),
    Case("a git-annex pointer", raw(b"/annex/objects/SHA256E-s1--00.onnx\n"), "DataPointer", "git-annex.*git annex get"),
    Case("a login page", raw(HTML), "HtmlPage", r"an HTML page.*\(it says: Sign in\)"),
    Case("an object store's error in XML", raw(S3_ERROR), "ErrorBody", r"it says: NoSuchKey: The key does not exist"),
    Case("an error in JSON", raw(b'{"error": "access denied"}'), "ErrorBody", "it says: access denied"),
    Case("a pickle", raw(pickle.dumps([1, 2])), "PickledModel", "a pickle.*never unpickles"),
    Case("a pickle of scikit-learn", raw(pickled("sklearn.linear_model")), "PickledModel", "skl2onnx.to_onnx"),
    Case("a pickle of XGBoost", raw(pickled("xgboost.sklearn")), "PickledModel", "convert_xgboost"),
    Case("a compressed joblib file", raw(b"\x78\x9c\x01\x02"), "PickledModel", "joblib"),
    Case("a PyTorch checkpoint", raw(zipped("model/data.pkl", "model/version")), "TorchModel", "PyTorch.*torch.onnx.export"),
    Case("a Keras archive", raw(KERAS), "KerasModel", "Keras archive.*model.export"),
    Case("a Keras model in HDF5", raw(b"\x89HDF\r\n\x1a\n\0\0"), "KerasModel", "HDF5"),
    Case("a TensorFlow Lite model", raw(b"\x1c\0\0\0TFL3\0\0"), "TensorflowModel", "TensorFlow Lite.*tf2onnx"),
    Case("a TensorFlow SavedModel", raw(b"\x08\x01\x12\x10serving_default!"), "TensorflowModel", "TensorFlow graph"),
    Case("a frozen TensorFlow graph", raw(b"\x0a\x10\x0a\x01x\x12\x0bPlaceholder"), "TensorflowModel", "TensorFlow graph"),
    Case("a safetensors file", raw((32).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}'), "SafetensorsFile", "weights only|optimum"),
    Case("a LightGBM text model", raw(b"tree\nversion=v4\n"), "ForeignModel", "LightGBM"),
    Case("a CatBoost model", raw(b"CBM1\0\0\0\0"), "ForeignModel", "CatBoost"),
    Case("an XGBoost model in JSON", raw(b'{"learner":{"attributes":{}}}'), "ForeignModel", "XGBoost"),
    Case("a GGUF model", raw(b"GGUF\3\0\0\0"), "ForeignModel", "GGUF"),
    Case("a PMML file", raw(b'<?xml version="1.0"?>\n<PMML version="4.4">'), "ForeignModel", "PMML"),
    Case("a model in onnxruntime's own format", raw(b"\x18\0\0\0ORTM\0\0"), "OrtFormatModel", "own format.*\\.onnx"),
    Case("a model as text", raw(text_format.MessageToString(linear()).encode()), "TextModel", "text form.*onnx.save"),
    Case("a model as JSON", raw(json.dumps({"irVersion": "8"}).encode()), "TextModel", "JSON form"),
    Case("a gzip file", raw(gzip.compress(linear().SerializeToString())), "CompressedFile", "gzip.*Unpack"),
    Case("a zip archive", raw(zipped("model.onnx")), "CompressedFile", "zip archive.*Unpack"),
    Case("a tar archive", raw(tarred()), "CompressedFile", "tar archive"),
    Case("an encrypted file", raw(b"Salted__12345678"), "EncryptedFile", "encrypted.*Decrypt"),
    Case("random bytes", raw(bytes(range(255, 0, -1))), "NotOnnx", "not an ONNX model: it begins with"),
    Case("plain text", raw(b"hello, model\n"), "NotOnnx", "begins with b'hello"),
    Case("half a model", raw(HALF), "ModelTruncated", r"cut short: its graph should be [\d,]+ bytes long, and [\d,]+ follow"),
    Case("a model's header alone", raw(linear().SerializeToString()[:10]), "ModelTruncated", "header, 10 bytes, and no graph|ends inside"),
    Case("a model with wrong bytes inside", raw(damaged()), "ModelDamaged", "bytes inside are not"),
    Case("a name that is no text", raw(bad_name()), "ModelDamaged", r"the name b'logit\\xff', which is not UTF-8"),
    Case("a graph without operators", built(edited(lambda m: m.graph.ClearField("node"))), "GraphEmpty", "without any operator"),
    Case("no operator set", built(without("opset_import")), "OpsetMissing", "names no operator set"),
    Case("a value from nowhere", built(edited(lambda m: m.graph.ClearField("initializer"))), "GraphInvalid", "node 'gemm' reads 'W'"),
    Case("an output from nowhere", built(edited(lambda m: setattr(m.graph.output[0], "name", "lost"))), "GraphInvalid", "'lost' is produced by nothing"),
    Case("two inputs of one name", built(edited(lambda m: m.graph.input.append(m.graph.input[0]))), "GraphInvalid", "two inputs have the name 'features'"),
    Case("a weight of negative length", built(edited(lambda m: m.graph.initializer[0].dims.__setitem__(0, -3))), "GraphInvalid", r"shape \[-3, 2\]"),
    Case("a weight of impossible size", built(edited(lambda m: m.graph.initializer[0].dims.extend([2**62] * 300))), "GraphInvalid", "302 dimensions"),
    Case("a missing data file", external("weights.bin", lambda folder: (folder / "weights.bin").unlink()), "ExternalDataMissing", r"weights in 'weights.bin' \(tensor 'W'\).*beside"),
    Case("a missing data file of a branch", external_in_a_branch, "ExternalDataMissing", "'gone.bin'"),
    Case("a data file at an absolute path", external("/etc/passwd"), "ExternalDataOutside", "'/etc/passwd', outside"),
    Case("a data file above the folder", external("../secret.bin"), "ExternalDataOutside", "'../secret.bin', outside"),
    Case("a data file above the folder, hidden in its path", external("a/../../secret.bin"), "ExternalDataOutside", "outside"),
    Case("a data file on a Windows drive", external("C:\\models\\w.bin"), "ExternalDataOutside", "outside"),
    Case("a data file that is an address in memory", external("*/_ORT_MEM_ADDR_/*"), "ExternalDataOutside", "outside"),
    Case("a data file that links out of the folder", external("weights.bin", link_out), "ExternalDataOutside", "is a link to .*cp -L"),
    Case("a data file that links to itself", external("weights.bin", loop_of_links), "ModelUnreadable", "data file 'weights.bin' cannot be read"),
    Case("a data file without a name", external(""), "ExternalDataInvalid", "does not say which"),
    Case("a data file that is a folder", external("sub/w.bin", lambda f: ((f / "sub/w.bin").unlink(), (f / "sub/w.bin").mkdir())), "ExternalDataInvalid", "not an ordinary file"),
    Case("a data file cut short", external("weights.bin", lambda f: (f / "weights.bin").write_bytes(b"1234")), "ExternalDataInvalid", "bytes 0 to 24 of 'weights.bin', which has 4"),
    Case("a weight that needs more bytes than are set aside", external("weights.bin", length="8"), "ExternalDataInvalid", r"shape \[3, 2\] needs 24 bytes, and 8"),
    Case("an offset that is no number", external("weights.bin", offset="-1"), "ExternalDataInvalid", "offset '-1'"),
    Case("a file format from the future", built(lambda: unary("Relu", ir=99)), "IrTooNew", "IR version 99.*headgate convert"),
    Case("an opset from the future", built(lambda: unary("Relu", opset=99)), "OpsetTooNew", "opset 99 of 'ai.onnx'.*headgate convert"),
    Case("a machine learning opset from the future", built(lambda: unary("Relu", extra={"ai.onnx.ml": 99})), "OpsetTooNew", "opset 99 of 'ai.onnx.ml'"),
    Case("an operator too old to run", built(lambda: unary("Relu", opset=5)), "OpsetTooOld", "'Relu' of opset 1; onnxruntime .* from opset 6.*headgate convert"),
    Case("an operator that onnxruntime has only at older opsets", built(lambda: unary("Swish", opset=25)), "OpsetTooNew", "at opset 25; onnxruntime .* up to opset 24"),
    Case("a misspelt operator", built(lambda: unary("Rellu")), "UnknownOperator", r"'Rellu', which 'ai.onnx' does not have \(nearest: 'Relu'\)"),
    Case("an operator newer than the opset", built(lambda: unary("Gelu", opset=13)), "UnknownOperator", "exists from opset 20, and imports opset 13"),
    Case("an operator that its opset removed", built(lambda: unary("Upsample", opset=13)), "UnknownOperator", "which opset 10 removed"),
    Case("an operator nobody implements", built(lambda: unary("ImageDecoder", opset=20)), "UnknownOperator", "does not implement it on the CPU"),
    Case("a custom operator", built(lambda: unary("Foo", domain="com.acme", extra={"com.acme": 1})), "CustomDomain", "'Foo' of the domain 'com.acme'"),
    Case("a misspelt contributed operator", built(lambda: unary("FusdGemm", domain="com.microsoft", extra={"com.microsoft": 1})), "UnknownOperator", "FusedGemm"),
    Case("no input but weights", built(edited(lambda m: m.graph.initializer.append(numpy_helper.from_array(np.ones((1, 3), np.float32), "features")))), "NoInputs", "no input that could be fed"),
    Case("no output", built(edited(lambda m: m.graph.ClearField("output"))), "NoOutputs", "no output"),
    Case("the output of a ZipMap", built(zip_map), "SequenceOrMapOutput", r"'probabilities' of type sequence\(map\(int64, float32\)\).*'zipmap': False"),
    Case("an input that is a map", built(dictionary_input), "UnsupportedInput", r"'x' of type map\(string, float32\)"),
    Case("a bfloat16 input", built(edited(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.BFLOAT16))), "UnsupportedType", "type bfloat16.*Cast"),
    Case("an output without a type", built(edited(lambda m: m.graph.output[0].type.tensor_type.ClearField("elem_type"))), "UnsupportedType", "type undefined"),
)  # fmt: skip
