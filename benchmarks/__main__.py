"""``python -m benchmarks [NAME…] [-o table|json] [--quick] [--repeat N]``: run benchmarks and print their tables.

Exit codes: 0, 1 (a benchmark failed, its sentence on standard error), 2 (usage).
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import image_build, latency, memory, startup, throughput
from benchmarks.machine import describe_machine
from benchmarks.report import Options, Report, print_report, write_json
from headgate.errors import HeadgateError

MODULES = {module.NAME: module for module in (throughput, latency, memory, startup, image_build)}


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for; each report is printed as soon as it is there."""
    listed = "\n".join(f"  {name:12}{module.ABOUT}" for name, module in MODULES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure the runtime.\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it works; the figures mean nothing"
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns whose median counts (default: 3)")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in MODULES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(MODULES)}")
    machine = describe_machine()
    options = Options(quick=arguments.quick, repeat=max(1, arguments.repeat))
    reports: list[Report] = []
    try:
        for name in arguments.names or MODULES:
            print(f"{name}: {MODULES[name].ABOUT}", file=sys.stderr, flush=True)
            reports.append(MODULES[name].measure(options))
            if arguments.output == "table":
                print_report(reports[-1], machine, sys.stdout)
    except HeadgateError as error:
        print(f"{error.reason}: {error}", file=sys.stderr)
        return 1
    finally:
        if arguments.output == "json":
            write_json(reports, machine, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
