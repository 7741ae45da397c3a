"""``spec.model``: which ONNX model, how its inputs are fed and what is read from its outputs.

The grammar of ``outputs``, the same for :mod:`headgate.api.expressions` and for the runtime::

    expression := call | reference
    call       := function "(" expression ["," number] ")"
    reference  := name [ "[" integer {"," integer} "]" ]
    name       := [A-Za-z_] [A-Za-z0-9_.:/]*  |  '"' any characters but '"' '"'
    function   := argmax | max | softmax | sigmoid | threshold | label | topk

``threshold`` and ``topk`` take the number, the others none. A word that is not followed by ``(`` is a name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import ApiModel, Change, Column, Constant, Duration, Quantity, SecretName, Sha256

TensorName = Annotated[str, StringConstraints(min_length=1, max_length=253)]
OutputExpression = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Provider = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]+ExecutionProvider$", max_length=63)]


class NanPolicy(StrEnum):
    """What happens to a row whose feature is NaN (a null is always a dead letter)."""

    ALLOW = "Allow"
    DEAD_LETTER = "DeadLetter"


class ExecutionSpec(ApiModel):
    """How onnxruntime runs the model."""

    providers: tuple[Provider, ...] = Field(
        default=("CPUExecutionProvider",), min_length=1, max_length=4, examples=[["CPUExecutionProvider"]]
    )
    """onnxruntime execution providers, in order of preference."""
    intra_op_threads: int = Field(default=1, ge=1, le=64)
    """Threads inside one operator of the model; parallelism across rows belongs to Flink."""
    max_batch_rows: int = Field(default=4096, ge=1, le=100_000)
    """The most rows that one ``session.run`` gets. Lower it for models with large inputs (images)."""
    max_delay: Duration = "400ms"
    """The longest that a record waits for its batch to fill."""


class StateSpec(ApiModel):
    """One recurrent tensor, kept per key in Flink's keyed state and carried over savepoints."""

    input: TensorName = Field(examples=["h"])
    """The model input that receives the state."""
    output: TensorName = Field(examples=["hn"])
    """The model output that gives the next state."""
    shape: tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...] = Field(
        min_length=1, max_length=8, examples=[[2, 1, 128]]
    )
    """The tensor's shape for one key, all dimensions fixed (a batch dimension is 1)."""
    init: float = 0.0
    """The value that every element has before a key's first record."""


class GoldensSpec(ApiModel):
    """Rows with the answers that they must give; a gate that runs before any live record."""

    uri: str = Field(min_length=1, max_length=2048, examples=["s3://models/churn/goldens.jsonl"])
    """A JSON-lines file: one object a row, features by the names of ``pipeline.input``'s columns and expected answers by the
    names of ``outputs``; same schemes as the model's ``uri``. Rows of a model with state that share their key are a sequence."""
    tolerance: float = Field(default=1e-5, ge=0)
    """The largest absolute difference allowed between numbers; everything else must be equal."""


class FollowSpec(ApiModel):
    """Where new versions appear. Accepted and validated; carried out by a later release of the operator."""

    uri: str = Field(min_length=1, max_length=2048, examples=["s3://models/churn/{version}/model.onnx"])
    """A place with a ``{version}`` part, an OCI repository, or an HTTP resource."""
    semver: str = Field(default="", max_length=128, examples=[">=3.0.0 <4.0.0"])
    """Only versions in this range."""
    interval: Duration = "1m"
    """How often to look."""


class ModelSpec(ApiModel):
    """Which model, and how rows become tensors and answers become columns."""

    uri: str = Field(min_length=1, max_length=2048, examples=["s3://models/churn/3/model.onnx"])
    """Where the ONNX file is: ``file:`` (local runs), ``s3:``, ``gs:``, ``az:``, ``https:``, ``oci:``, ``pvc:``, or a
    path relative to the resource's file."""
    secret: SecretName = ""
    """A Secret of the same namespace with the store's settings, one key each, such as ``aws_access_key_id`` and
    ``aws_secret_access_key``; mounted as files where the image is built."""
    sha256: Sha256 | None = None
    """The digest that the file must have. Recorded whether given or not."""
    version: str = Field(
        default="", max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", examples=["3"]
    )
    """The label stamped on every scored record. Default: the first 12 characters of the digest."""
    size_limit: Annotated[Quantity, Change.IGNORE] = "2Gi"
    """The largest artifact accepted."""
    follow: Annotated[FollowSpec | None, Change.IGNORE] = None
    """Where new versions appear by themselves."""
    inputs: dict[TensorName, Annotated[tuple[Column, ...], Field(min_length=1, max_length=4096)]] = Field(
        default_factory=dict, max_length=64, examples=[{"dense_input": ["age", "income"]}]
    )
    """Per model input, the ordered columns of ``pipeline.input`` that feed it. Left out, names match: an input named
    like a column takes that column; a single rank-2 input takes all numeric columns but ``key``, in their order."""
    constants: dict[TensorName, Constant] = Field(default_factory=dict, max_length=64, examples=[{"sr": 16000}])
    """Per model input, a value (number, boolean, text or nested lists) given at every call, the same for all rows."""
    outputs: dict[Column, OutputExpression] = Field(
        default_factory=dict,
        max_length=256,
        examples=[{"probability": "scores[1]", "label": "label(argmax(scores))"}],
    )
    """Columns of ``scored`` and the expression over the model's outputs that yields each: ``name``, ``name[i]``,
    ``argmax(x)``, ``max(x)``, ``softmax(x)``, ``sigmoid(x)``, ``threshold(x, 0.5)``, ``label(x)``, ``topk(x, k)``. A
    name with other characters than letters, digits and ``_ . : /`` stands in double quotes. Default: every output."""
    labels: str = Field(default="", max_length=2048, examples=["labels.txt"])
    """A text file with one class label a line, used by ``label`` and ``topk``; same schemes as ``uri``."""
    nan: NanPolicy = NanPolicy.ALLOW
    """Whether a NaN in a feature is scored or leaves as a dead letter."""
    goldens: GoldensSpec | None = None
    """Rows with known answers, checked in the built image before a version meets live records."""
    state: tuple[StateSpec, ...] = Field(default=(), max_length=16)
    """Recurrent tensors, kept per key."""
    execution: ExecutionSpec = ExecutionSpec()
    """How onnxruntime runs the model."""
    histogram: Column | None = None
    """A numeric output column whose distribution is reported as a metric per model version."""
