"""The runtime's errors. Each names the stage of the start order in which it happened and what to do.

RuntimeFailure           base: ``stage``, ``reason``, a sentence
├── ContractRefused      job.json is not one that this runtime understands
├── ModelUnusable        digest, load or smoke batch failed
├── GoldensFailed        a row with a known answer got another one
├── MappingRefused       columns do not fit the model's inputs, or expressions its outputs
├── PlanRefused          Flink refused a statement
└── JobFailed            the job started and then failed
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The start order; each is logged when it starts and ends."""

    CONTRACT = "contract"
    VERIFY = "verify"
    LOAD = "load"
    SMOKE = "smoke"
    PLAN = "plan"
    GOLDENS = "goldens"
    READY = "ready"
    WARM_UP = "warm-up"
    WAIT = "wait"
    EXECUTE = "execute"


class RuntimeFailure(Exception):
    """An expected failure: a sentence that says what is wrong, where, and what to do."""

    stage = Stage.EXECUTE
    reason = "RuntimeFailure"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ContractRefused(RuntimeFailure):
    """job.json cannot be read as a contract of a known version."""

    stage = Stage.CONTRACT
    reason = "ContractRefused"


class ModelUnusable(RuntimeFailure):
    """A model cannot be served: wrong digest, does not load, or fails its smoke batch."""

    reason = "ModelUnusable"

    def __init__(self, message: str, *, stage: Stage = Stage.LOAD) -> None:
        super().__init__(message)
        self.stage = stage


class GoldensFailed(RuntimeFailure):
    """Rows with known answers got other ones, or the file that holds them cannot be used."""

    stage = Stage.GOLDENS
    reason = "GoldensFailed"


class MappingRefused(RuntimeFailure):
    """Columns do not fit the model's inputs, or an output expression does not fit its outputs."""

    stage = Stage.PLAN
    reason = "MappingRefused"


class PlanRefused(RuntimeFailure):
    """Flink refused a statement of the pipeline."""

    stage = Stage.PLAN
    reason = "PlanRefused"


class JobFailed(RuntimeFailure):
    """The job started and then failed."""

    stage = Stage.EXECUTE
    reason = "JobFailed"


class RecordRefused(JobFailed):
    """A record could not be scored and the resource says ``onError: Fail``."""

    reason = "RecordRefused"


class DeadLetterReason(StrEnum):
    """Why a record could not be scored; the ``reason`` column of ``dead_letters``."""

    NULL_FEATURE = "NullFeature"
    NAN_FEATURE = "NanFeature"
    WRONG_SHAPE = "WrongShape"
    OUT_OF_RANGE = "OutOfRange"
    UNPARSABLE_RECORD = "UnparsableRecord"
    INFERENCE_ERROR = "InferenceError"
