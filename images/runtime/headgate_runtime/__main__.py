"""``python -m headgate_runtime run|explain``: the seam between the command line and the runtime.

Events go to standard output, one JSON object a line; logs to standard error. Exit codes: 0, 1 (an expected failure, told as an
``error`` event), 2 (usage).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from headgate_runtime.errors import RuntimeFailure


def main(argv: list[str] | None = None) -> int:
    """Parse the arguments, run, and turn a failure into an event and exit code 1."""
    arguments = _arguments(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    from headgate_runtime.events import Events

    # Flink and its workers print; the events keep a standard output of their own.
    events = Events(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    try:
        return _run(arguments, events) if arguments.command == "run" else _explain(arguments, events)
    except RuntimeFailure as failure:
        events.emit("error", stage=failure.stage, reason=failure.reason, message=str(failure))
        return 1


def _run(arguments: argparse.Namespace, events: object) -> int:
    from headgate_runtime.local import LocalRun, run_locally

    run_locally(
        LocalRun(
            job=arguments.job,
            tally=arguments.tally,
            rows=arguments.rows,
            watch_ms=arguments.watch,
            jars=_jars(arguments),
            savepoint_dir=arguments.savepoint_dir,
            from_savepoint=arguments.from_savepoint,
        ),
        events,  # type: ignore[arg-type]  # Events is imported late: PyFlink is slow to import
    )
    return 0


def _explain(arguments: argparse.Namespace, events: object) -> int:
    import tempfile

    from headgate_runtime.application import prepare
    from headgate_runtime.environment import LocalPlace, job_options, local_options
    from headgate_runtime.tables import Place

    with tempfile.TemporaryDirectory(prefix="headgate-explain-") as work:
        os.environ.setdefault("FLINK_LOG_DIR", work)
        place = LocalPlace(Path(work), _jars(arguments))
        ready = prepare(
            arguments.job,
            events,  # type: ignore[arg-type]  # as above
            Place(Path.cwd()),
            lambda job: local_options(job, place) | job_options(job),
            explain=True,
        )
        operators = [{"id": o.id, "name": o.name} for o in ready.operators]
        events.emit("plan", text=ready.explanation, operators=operators)  # type: ignore[attr-defined]  # as above
    return 0


def _jars(arguments: argparse.Namespace) -> tuple[Path, ...]:
    return tuple(Path(j) for j in arguments.jars.split(":") if j)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="headgate_runtime", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (("run", "run a job on the embedded cluster"), ("explain", "show the plan without running")):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--job", type=Path, required=True, help="the job.json")
        command.add_argument(
            "--local", action="store_true", help="on the embedded cluster (the one place there is here)"
        )
        command.add_argument("--jars", default="", help="connector jars, separated by ':'")
        if name == "run":
            command.add_argument("--rows", type=int, help="score the first N rows, then stop")
            command.add_argument(
                "--watch", type=int, metavar="MS", help="look for new files every so many milliseconds"
            )
            command.add_argument("--tally", type=Path, help="folder for the workers' counts")
            command.add_argument("--savepoint-dir", type=Path, help="keep the savepoint of a stop here")
            command.add_argument("--from-savepoint", help="start from this savepoint")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
