"""Registers the user's Python functions: every ``@udf`` of the module becomes a SQL function of its name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from pyflink.table import StreamTableEnvironment
from pyflink.table.udf import UserDefinedFunctionWrapper

from headgate_runtime.columns import nearest
from headgate_runtime.errors import PlanRefused


def register_module(t_env: StreamTableEnvironment, path: Path) -> tuple[str, ...]:
    """Import ``path`` and register its functions; gives their names. Workers import the same file."""
    if not path.is_file():
        raise PlanRefused(f"spec.pipeline.python.module: {path.name} is not in the job folder.")
    if not path.stem.isidentifier():
        raise PlanRefused(
            f"spec.pipeline.python.module: {path.name!r} cannot be imported; name it like a Python module."
        )
    sys.path.insert(0, str(path.parent))
    t_env.add_python_file(str(path))
    try:
        module = importlib.import_module(path.stem)
    except Exception as error:  # a user's module may raise anything
        raise PlanRefused(
            f"spec.pipeline.python.module: {path.name} cannot be imported: {type(error).__name__}: {error}."
        ) from error
    functions = {name: value for name, value in vars(module).items() if isinstance(value, UserDefinedFunctionWrapper)}
    if not functions:
        raise PlanRefused(
            f"spec.pipeline.python.module: {path.name} defines no function with pyflink's @udf or @udtf. {nearest('', tuple(functions))}"
        )
    for name, function in functions.items():
        t_env.create_temporary_function(name, function)
    return tuple(functions)
