"""Every way in which a model is refused, each with a reason of its own, what it means and what to do about it.

    ModelRefused
    └── Refusal
        ├── the file        ModelMissing, ModelUnreadable, ModelIsFolder, ModelNotAFile, ModelEmpty, ModelTooLarge
        ├── something else  GitLfsPointer, DataPointer, HtmlPage, ErrorBody, PickledModel, TorchModel, KerasModel,
        │                   TensorflowModel, SafetensorsFile, ForeignModel, OrtFormatModel, TextModel, CompressedFile,
        │                   EncryptedFile
        ├── broken          NotOnnx, ModelTruncated, ModelDamaged, GraphEmpty, GraphInvalid, OpsetMissing
        ├── external data   ExternalDataMissing, ExternalDataOutside, ExternalDataInvalid
        ├── not runnable    IrTooNew, OpsetTooNew, OpsetTooOld, UnknownOperator, CustomDomain
        ├── not servable    NoInputs, NoOutputs, SequenceOrMapOutput, UnsupportedInput, UnsupportedType
        ├── convert         ConversionFailed, ConversionDisagrees
        └── local           NotLocal

``reason`` is shared with conditions and events; ``meaning`` and ``advice`` are the table in ``docs/models.md``, which
a test compares with these classes. The message says which file and what was found; ``advice`` is the remedy unless a
better one is given.
"""

from __future__ import annotations

from typing import ClassVar

from headgate.errors import ModelRefused


class Refusal(ModelRefused):
    """Base of the cases. Never raised itself."""

    meaning: ClassVar[str] = ""
    advice: ClassVar[str] = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy or self.advice)


class ModelMissing(Refusal):
    reason = "ModelMissing"
    meaning = "There is no file at that path."
    advice = "Check the path; a relative one is resolved against the folder of the resource's file."


class ModelUnreadable(Refusal):
    reason = "ModelUnreadable"
    meaning = "The file exists, and this process may not read it."
    advice = "Give the user that runs this read access to the file and to the folders above it."


class ModelIsFolder(Refusal):
    reason = "ModelIsFolder"
    meaning = "The path is a folder."
    advice = "Name the .onnx file inside it; its external data files are found from there."


class ModelNotAFile(Refusal):
    reason = "ModelNotAFile"
    meaning = "The path is a device, a socket or a pipe."
    advice = "Copy the model into an ordinary file first."


class ModelEmpty(Refusal):
    reason = "ModelEmpty"
    meaning = "The file has no bytes."
    advice = "The export or the upload did not finish; write the file again."


class ModelTooLarge(Refusal):
    reason = "ModelTooLarge"
    meaning = (
        "The artifact is larger than spec.model.sizeLimit, or one ONNX file exceeds the 2 GiB that protobuf can hold."
    )
    advice = "Raise spec.model.sizeLimit if that size is meant; otherwise quantize or prune the model."


class GitLfsPointer(Refusal):
    reason = "GitLfsPointer"
    meaning = "The file is the text that Git keeps in place of a file stored by Git LFS."
    advice = "Run 'git lfs pull' in that repository, or enable LFS in the step that checks it out."


class DataPointer(Refusal):
    reason = "DataPointer"
    meaning = "The file is a DVC or git-annex pointer, not the data itself."
    advice = "Fetch the data first ('dvc pull' or 'git annex get')."


class HtmlPage(Refusal):
    reason = "HtmlPage"
    meaning = "The file is a web page, usually a login or error page saved in place of a download."
    advice = "Download again with credentials, from the address of the file itself (a 'raw' or 'resolve' link)."


class ErrorBody(Refusal):
    reason = "ErrorBody"
    meaning = "The file is the JSON or XML body of an error, such as an object store's NoSuchKey."
    advice = "Correct the address or the credentials and download again."


class PickledModel(Refusal):
    reason = "PickledModel"
    meaning = "The file is a Python pickle or a joblib file."
    advice = (
        "Load it where it was trained and export it: skl2onnx.to_onnx for scikit-learn, onnxmltools for XGBoost and "
        "LightGBM, torch.onnx.export for PyTorch. Headgate never unpickles a file: that would run its code."
    )


class TorchModel(Refusal):
    reason = "TorchModel"
    meaning = "The file is a PyTorch checkpoint, TorchScript archive or exported program."
    advice = (
        "Export it where the model's class is at hand: torch.onnx.export(model, example, 'model.onnx', dynamo=True)."
    )


class KerasModel(Refusal):
    reason = "KerasModel"
    meaning = "The file is a Keras model (.keras or .h5)."
    advice = "Export it with Keras 3: model.export('model.onnx', format='onnx'), or with tf2onnx."


class TensorflowModel(Refusal):
    reason = "TensorflowModel"
    meaning = "The file is a TensorFlow graph, SavedModel or TensorFlow Lite model."
    advice = "Convert it: python -m tf2onnx.convert --saved-model FOLDER (or --tflite FILE) --output model.onnx."


class SafetensorsFile(Refusal):
    reason = "SafetensorsFile"
    meaning = "The file holds weights only (safetensors), without the graph that uses them."
    advice = "Export the whole model: 'optimum-cli export onnx' for Hugging Face models, torch.onnx.export otherwise."


class ForeignModel(Refusal):
    reason = "ForeignModel"
    meaning = "The file is a model of another library: CatBoost, XGBoost, LightGBM, GGUF, PMML, OpenVINO, TensorRT."
    advice = "Export it to ONNX with that library's own exporter or with onnxmltools."


class OrtFormatModel(Refusal):
    reason = "OrtFormatModel"
    meaning = "The file is onnxruntime's own serialized format (.ort), bound to one version of it."
    advice = "Serve the .onnx file that it was made from."


class TextModel(Refusal):
    reason = "TextModel"
    meaning = "The file is the text or JSON form of an ONNX model."
    advice = (
        "Write the binary form: onnx.save(onnx.load(FILE, format='textproto'), 'model.onnx') "
        "('json' and 'onnxtxt' likewise)."
    )


class CompressedFile(Refusal):
    reason = "CompressedFile"
    meaning = "The file is an archive or compressed."
    advice = "Unpack it and name the .onnx file inside."


class EncryptedFile(Refusal):
    reason = "EncryptedFile"
    meaning = "The file is encrypted (OpenSSL, PGP or age)."
    advice = "Decrypt it first; Headgate holds no keys of models."


class NotOnnx(Refusal):
    reason = "NotOnnx"
    meaning = "The bytes are not those of an ONNX model, nor of another format that Headgate knows."
    advice = "Check that the address names an .onnx file."


class ModelTruncated(Refusal):
    reason = "ModelTruncated"
    meaning = "The file begins as an ONNX model and ends too early."
    advice = "Copy or download it again, and compare its size and sha256 with the original's."


class ModelDamaged(Refusal):
    reason = "ModelDamaged"
    meaning = "The file begins as an ONNX model, and bytes inside it are wrong."
    advice = "Copy or download it again in binary mode, and compare its sha256 with the original's."


class GraphEmpty(Refusal):
    reason = "GraphEmpty"
    meaning = "The model has a graph without any operator."
    advice = "Export the model again; the exporter traced nothing."


class GraphInvalid(Refusal):
    reason = "GraphInvalid"
    meaning = "The graph contradicts itself: a name used twice, a value that nothing produces, an impossible tensor."
    advice = "Run onnx.checker.check_model on it and export it again."


class OpsetMissing(Refusal):
    reason = "OpsetMissing"
    meaning = "The model does not say which operator set it uses."
    advice = "The file was probably cut short after the graph: copy it again, or export it again."


class ExternalDataMissing(Refusal):
    reason = "ExternalDataMissing"
    meaning = "A file that holds the model's weights is not there."
    advice = "Keep the data files beside the .onnx file, under the names that they had when the model was saved."


class ExternalDataOutside(Refusal):
    reason = "ExternalDataOutside"
    meaning = "The model names a data file outside its own folder (an absolute path, '..', or a link that leads out)."
    advice = (
        "Save it again with relative names: onnx.save(onnx.load(FILE), 'model.onnx', save_as_external_data=True, "
        "location='model.onnx.data')."
    )


class ExternalDataInvalid(Refusal):
    reason = "ExternalDataInvalid"
    meaning = "A data file is shorter than the tensors that it should hold, or an offset or length is impossible."
    advice = "Copy the data file again; it must be of the same export as the .onnx file."


class IrTooNew(Refusal):
    reason = "IrTooNew"
    meaning = "The file format's version (IR) is newer than the installed onnxruntime reads."
    advice = "Run 'headgate convert', or export with an older onnx, or use a runtime image with a newer onnxruntime."


class OpsetTooNew(Refusal):
    reason = "OpsetTooNew"
    meaning = "The model's operator set is newer than the installed onnxruntime implements."
    advice = "Run 'headgate convert', export with a lower opset, or use a runtime image with a newer onnxruntime."


class OpsetTooOld(Refusal):
    reason = "OpsetTooOld"
    meaning = "An operator is used in a version so old that onnxruntime no longer implements it."
    advice = "Run 'headgate convert', which raises the opset and checks that the answers stay the same."


class UnknownOperator(Refusal):
    reason = "UnknownOperator"
    meaning = (
        "An operator is not in the operator set that the model imports, or onnxruntime has no implementation of it."
    )
    advice = "Export again with an opset that has it, or replace the operator in the model."


class CustomDomain(Refusal):
    reason = "CustomDomain"
    meaning = "An operator comes from a domain that needs a custom library, which the runtime image does not have."
    advice = "Export the model without custom operators, or compose it of standard ones (an ONNX function will do)."


class NoInputs(Refusal):
    reason = "NoInputs"
    meaning = "Nothing can be fed to the model: all its inputs are weights."
    advice = "Export it with its features as inputs."


class NoOutputs(Refusal):
    reason = "NoOutputs"
    meaning = "The graph names no output."
    advice = "Add the wanted value to the graph's outputs and save the model again."


class SequenceOrMapOutput(Refusal):
    reason = "SequenceOrMapOutput"
    meaning = (
        "An output is a sequence, a map, an optional or a sparse tensor and has no fixed columns; "
        "ZipMap makes such outputs."
    )
    advice = "Export without ZipMap: skl2onnx.to_onnx(model, X, options={'zipmap': False}) (onnxmltools: zipmap=False)."


class UnsupportedInput(Refusal):
    reason = "UnsupportedInput"
    meaning = "An input is a sequence, a map, an optional or a sparse tensor; columns cannot be made into it."
    advice = "Export the model with dense tensors as inputs (for a DictVectorizer: start the export behind it)."


class UnsupportedType(Refusal):
    reason = "UnsupportedType"
    meaning = (
        "An input or output has an element type without a column type: bfloat16, complex, 8-bit or 4-bit floats, "
        "4-bit integers."
    )
    advice = "Add a Cast at that input or output (float32 will do) and save the model again."


class ConversionFailed(Refusal):
    reason = "ConversionFailed"
    meaning = "onnx's version converter cannot move this model to the wanted opset."
    advice = "Export the model again from where it was trained, with the wanted opset."


class ConversionDisagrees(Refusal):
    reason = "ConversionDisagrees"
    meaning = "The converted model answers differently from the original; nothing was written."
    advice = "Export the model again from where it was trained, with the wanted opset."


class NotLocal(Refusal):
    reason = "NotLocal"
    meaning = "A local run reads models from disk only."
    advice = "Download the model and give a path or a file: URI; 'headgate build' fetches the other schemes."


def all_refusals() -> tuple[type[Refusal], ...]:
    """Every case, in the order of this module."""
    return tuple(Refusal.__subclasses__())


def refusal_table() -> str:
    """The Markdown table of ``docs/models.md``: reason, meaning, remedy."""
    rows = [f"| `{case.reason}` | {case.meaning} | {case.advice} |" for case in all_refusals()]
    return "\n".join(["| reason | what it means | what to do |", "|---|---|---|", *rows])
