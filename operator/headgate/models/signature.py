"""What a model looks like from outside: its tensors, its operator sets, its files, its digest.

Values only: :mod:`headgate.models.reader` fills them, and the CLI, the scaffold, the check against a resource and the
job planner read them. Nothing here opens a file or knows onnx.
"""

from __future__ import annotations

from dataclasses import dataclass

Dimension = int | str | None
"""A fixed length, the name of a symbolic one (``"N"``), or ``None`` where the model says nothing."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output. ``dtype`` is numpy's name (``float32``, ``int64``, ``bool``) or ``string``; for values
    that are no plain tensor it is their description, such as ``sequence(map(int64, float32))``, and ``shape`` is
    empty."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]
    ranked: bool = True
    """False where the model does not even say how many dimensions there are; ``shape`` is then empty."""

    @property
    def rank(self) -> int | None:
        """The number of dimensions, or ``None`` where it is unknown."""
        return len(self.shape) if self.ranked else None

    @property
    def is_tensor(self) -> bool:
        """Whether this is a dense tensor (not a sequence, map, optional or sparse tensor)."""
        return "(" not in self.dtype

    def __str__(self) -> str:
        if not self.is_tensor:
            return f"{self.name}: {self.dtype}"
        if not self.ranked:
            return f"{self.name}: {self.dtype}[…]"
        return f"{self.name}: {self.dtype}[{', '.join('?' if d is None else str(d) for d in self.shape)}]"


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """Inputs that a caller must feed (never weights) and outputs, both in the model's order."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def input(self, name: str) -> TensorInfo | None:
        """The input of that name."""
        return next((tensor for tensor in self.inputs if tensor.name == name), None)

    def output(self, name: str) -> TensorInfo | None:
        """The output of that name."""
        return next((tensor for tensor in self.outputs if tensor.name == name), None)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of the artifact. ``name`` is relative to the folder of the ``.onnx`` file, with ``/``; ``sha256`` is
    bare hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class OperatorUse:
    """How often an operator occurs, subgraphs and functions included. ``domain`` is ``""`` for the standard one."""

    domain: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Everything that is known of a model without running it."""

    ir_version: int
    opsets: tuple[tuple[str, int], ...]
    """``(domain, version)`` sorted by domain; ``""`` is the standard one."""
    producer: str
    metadata: tuple[tuple[str, str], ...]
    signature: ModelSignature
    files: tuple[ModelFile, ...]
    """The ``.onnx`` file first, then its external data files by name."""
    size: int
    """Bytes of all files together."""
    digest: str
    """``sha256:`` and 64 hex digits; see :func:`headgate.models.digest.artifact_digest`."""
    operators: tuple[OperatorUse, ...]
    initializers: int
    """Stored weight tensors, subgraphs included."""
    parameters: int
    """Elements of all stored tensors: initializers and ``Constant`` nodes."""

    def opset(self, domain: str = "") -> int | None:
        """The version imported for ``domain``."""
        return dict(self.opsets).get(domain)
