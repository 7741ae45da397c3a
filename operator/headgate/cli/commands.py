"""The commands of ``headgate``: their names, what they do in a line, and the module that each lives in.

Called by :mod:`headgate.cli.main`. A command's module is imported when the command is used: help, completion and a light
command do not wait for the libraries of a heavy one. A module has either a function called like the command, or a typer
application ``app`` with commands of its own.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """One command."""

    name: str
    help: str
    """The line in ``headgate --help``: the first sentence of the command's own."""
    home: str = ""
    """The module that it shares with others; by default it has one of its own name."""

    @property
    def module(self) -> str:
        """Where it lives."""
        return f"headgate.cli.{self.home or self.name}"


ENTRIES = (
    Entry("init", "Write a resource that fits a model."),
    Entry("inspect", "Show what a model is, without running it."),
    Entry("validate", "Check resources and their models."),
    Entry("run", "Run a resource on this machine."),
    Entry("explain", "Show the resolved job and Flink's plan."),
    Entry("convert", "Move a model to another operator set."),
    Entry("build", "Build a job image without a daemon, and print its digest."),
    Entry("verify", "Check an image's signature and list what is attached to it."),
    Entry("status", "Tell a stream's story in the cluster."),
    Entry("suspend", "Stop the stream with a savepoint, and keep everything else.", home="verbs"),
    Entry("resume", "Take back what holds the stream or its rollout.", home="verbs"),
    Entry("pause", "Hold the rollout; what serves goes on.", home="verbs"),
    Entry("retry", "Try the failed revision again.", home="verbs"),
    Entry("undo", "Go back to the revision that served before.", home="verbs"),
    Entry("savepoint", "Take a savepoint while the stream goes on: a copy to keep.", home="verbs"),
    Entry("restore", "Say what to start from.", home="verbs"),
    Entry("crd", "The CustomResourceDefinitions and the reference page."),
)


class Commands(TyperGroup):
    """A group that knows its commands by name and imports the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for entry in ENTRIES:
            self.add_command(TyperCommand(entry.name, help=entry.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that ``args`` begin with, now with its options."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = next((one for one in ENTRIES if one.name == name), None)
        return name, command if entry is None else load(entry), rest


def load(entry: Entry) -> Any:
    """The command itself, as typer makes it."""
    with _quick_imports():
        module = import_module(entry.module)
    parent = typer.Typer(rich_markup_mode=None, add_completion=False)
    parent.callback()(lambda: None)
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=entry.name)
    else:
        parent.command(entry.name)(getattr(module, entry.name))
    group: Any = typer.main.get_command(parent)
    return group.commands[entry.name]


@contextmanager
def _quick_imports() -> Iterator[None]:
    """Importing is most of what a short command does; this makes it a third shorter.

    The garbage collector goes over all that was imported again and again and finds nothing. httpx brings a command line of
    its own, and with it two libraries that format text; it goes without where that cannot be imported.
    """
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is how the import system says "not to be had"
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
