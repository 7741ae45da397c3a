"""``python -m lab``: build what the lab needs, start and stop it, say how it is. For people, make and CI.

Exit status 0: done; 1: an expected failure, its sentence on stderr; 2: the command line makes no sense.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lab.build import build_binary
from lab.errors import LabError
from lab.jars import fetch_jars, lock_jars
from lab.versions import read_versions


def main(arguments: Sequence[str]) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m lab", description="Real servers for the tests of Headgate.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build", help="make programs and fetch jars into the cache; what is there is left alone"
    )
    build.add_argument("names", nargs="+", metavar="NAME", help="a program, jars, or a set: component, cluster")
    lock = commands.add_parser("lock", help="resolve the jars of a Java program anew and rewrite jars.lock")
    lock.add_argument("names", nargs="+", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "build":
            versions = read_versions()
            jar_sets = {jars.name for jars in versions.jars}
            for name in versions.expand(tuple(options.names)):
                path = fetch_jars(name, _say) if name in jar_sets else build_binary(name, _say)
                print(f"{name:<24} {path}", flush=True)
        case "lock":
            for name in options.names:
                lock_jars(name, _say)
    return 0


def _say(line: str) -> None:
    print(f"lab: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
