"""``spec.pipeline``: the SQL on both sides of the model step."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from headgate.api.base import ApiModel, Column

Requirement = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class OnError(StrEnum):
    """What a record that cannot be scored does."""

    DEAD_LETTER = "DeadLetter"
    FAIL = "Fail"


class PythonSpec(ApiModel):
    """Python that the pipeline's SQL may call."""

    requirements: tuple[Requirement, ...] = Field(default=(), max_length=100, examples=[["scikit-learn==1.7.2"]])
    """PEP 508 requirements, resolved to a lock with hashes; wheels only."""
    module: str = Field(default="", max_length=2048, examples=["features.py"])
    """A Python file beside the resource whose ``@udf`` functions become SQL functions of the same name."""


class PipelineSpec(ApiModel):
    """``tables`` declares, ``input`` selects the rows to score, ``output`` inserts what ``scored`` holds."""

    tables: str = Field(
        min_length=1,
        max_length=65_536,
        examples=["CREATE TABLE customers (id STRING, age INT, income DOUBLE) WITH ('connector' = 'kafka', …);"],
    )
    """``CREATE TABLE`` (and ``CREATE VIEW``, ``CREATE FUNCTION``) statements in Flink SQL, separated by ``;``. A
    password in a table's options is written ``${secret:name/key}``."""
    input: str = Field(min_length=1, max_length=65_536, examples=["SELECT id, age, income FROM customers"])
    """One query that yields the rows to score."""
    key: Column = Field(examples=["id"])
    """The column of ``input`` that records belong together by: routing, canary and state go by it."""
    output: str = Field(
        min_length=1,
        max_length=65_536,
        examples=["INSERT INTO predictions SELECT id, probability, model_version FROM scored"],
    )
    """One or more ``INSERT INTO`` statements that read ``scored`` and, where wanted, ``dead_letters``."""
    python: PythonSpec = PythonSpec()
    """Functions and dependencies."""
    on_error: OnError = OnError.DEAD_LETTER
    """``DeadLetter``: a record that cannot be scored leaves through ``dead_letters``. ``Fail``: it fails the job."""
