"""The ``headgate`` command: runs the command that is called, turns every failure into a sentence and an exit status.

Called by the console script. 0: done; 1: an expected failure, its reason on stderr; 2: wrong usage (typer's own).
``--debug`` shows where an error comes from. This is one of the two places that may catch every exception.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from headgate import __version__
from headgate.cli.commands import Commands
from headgate.cli.console import say, tell, tell_error
from headgate.errors import HeadgateError, InvalidResource

app = typer.Typer(
    name="headgate",
    cls=Commands,
    help="Versioned ONNX models inside Apache Flink streams.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"headgate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Versioned ONNX models inside Apache Flink streams."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is the return value."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    ours = given[: given.index("--")] if "--" in given else given
    # Taken out here, so that it may stand before a command and after it.
    debug = "--debug" in ours
    given = [one for one in ours if one != "--debug"] + given[len(ours) :]
    try:
        typer.main.get_command(app)(given, prog_name="headgate")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except HeadgateError as error:
        _explain_failure(error, debug)
        return 1
    except KeyboardInterrupt:
        tell("Interrupted.")
        return 130
    except BrokenPipeError:
        # Whoever read stdout has gone (`headgate inspect … | head`).
        sys.stderr.close()
        return 141
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever it is, a person gets a sentence
        if debug:
            traceback.print_exc()
        tell_error(
            f"Something unexpected happened: {type(error).__name__}: {_first_line(error)} Run again with --debug to see where."
        )
        return 1
    return 0


def _explain_failure(error: HeadgateError, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    if isinstance(error, InvalidResource) and len(error.problems) > 1:
        tell_error(f"The resource has {len(error.problems)} problems:")
        for problem in error.problems:
            tell(f"  {problem}")
        return
    tell_error(str(error))


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or ["no further words"])[0].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
