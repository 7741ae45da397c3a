"""What a model takes and gives, told to whoever compares versions; and what a statement missed that reads its answers.

Called by :mod:`headgate_runtime.application`. The operator compares a candidate's signature with that of the serving version
(``headgate.planning.gates``); the words here are all that it sees, so they are the same for the same model.
"""

from __future__ import annotations

import re

import numpy as np
from pyflink.table import StreamTableEnvironment

from headgate_runtime.bridge import columns_of
from headgate_runtime.columns import nearest
from headgate_runtime.dtypes import ORT_TO_NUMPY
from headgate_runtime.mapping import TensorSpec, describe
from headgate_runtime.model import Model

_MISSING = re.compile(r"Column '([^']+)' not found in any table")


def signature_of(model: Model) -> dict[str, dict[str, str]]:
    """``inputs`` and ``outputs``: their types in words, such as ``float32 [?, 12]``, by name; constants and state included."""
    outputs = {}
    for value in model.session.get_outputs():
        shape = tuple(d if isinstance(d, int) and d >= 0 else None for d in value.shape or ())
        known = ORT_TO_NUMPY.get(value.type)
        outputs[value.name] = describe(TensorSpec(value.name, np.dtype(known), shape)) if known else str(value.type)
    return {"inputs": {t.name: describe(t) for t in model.inputs}, "outputs": outputs}


def explain_missing(t_env: StreamTableEnvironment, message: str) -> str:
    """A refusal with what there is to read, where a statement of ``spec.pipeline.output`` reads a column that ``scored`` lacks."""
    missing = _MISSING.search(message)
    if missing is None or not message.startswith("spec.pipeline.output") or "scored" not in t_env.list_views():
        return message
    columns = tuple(c.name for c in columns_of(t_env.from_path("scored")))
    return f"{message.rstrip('.')}. The view scored does not have it, nor has the model such an answer. {nearest(missing[1], columns)}"
