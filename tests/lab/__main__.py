"""``python -m lab``: build what the lab needs, start and stop it, say how it is. For people, make and CI.

Exit status 0: done; 1: an expected failure, its sentence on stderr; 2: the command line makes no sense.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lab.build import binary_path, build_binary
from lab.cluster import host
from lab.cluster.layout import REGISTRY
from lab.cluster.status import report
from lab.cluster.up import down, kill_node, up
from lab.errors import LabError
from lab.images import IMAGE_NAMES, PACKAGES, build_image, push_image
from lab.jars import fetch_jars, lock_jars
from lab.network_ports import answers
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
    path = commands.add_parser("path", help="say where a program lies that was built")
    path.add_argument("names", nargs=1, metavar="NAME")
    image = commands.add_parser(
        "image", help="build images of the project, unless the cache has them, and push them to the cluster's registry"
    )
    image.add_argument("names", nargs="+", choices=IMAGE_NAMES, metavar="NAME", help=" or ".join(IMAGE_NAMES))
    start = commands.add_parser("up", help="start the cluster, or what of it does not run (needs root)")
    start.add_argument("--nodes", type=int, default=1, help="1 to 3 Kubernetes nodes on this machine")
    start.add_argument("--fresh", action="store_true", help="forget Kubernetes objects, buckets and topics first")
    end = commands.add_parser("down", help="stop the cluster and leave nothing of it but its state (needs root)")
    end.add_argument("--purge", action="store_true", help="remove its state too: images, buckets, topics, logs")
    commands.add_parser("status", help="say how the cluster is; exit status 1 unless all is well")
    kill = commands.add_parser("kill", help="kill a node as if its power had failed; `up` brings it back (needs root)")
    kill.add_argument("node", type=int, metavar="NUMBER")
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
        case "path":
            print(binary_path(options.names[0]))
        case "image":
            host.require_root()
            host.install_packages(_say, PACKAGES)
            for name in options.names:
                layout = build_image(name, _say)
                there = answers(f"http://{REGISTRY}/v2/")() is None
                print(f"{name:<24} {push_image(name, layout, REGISTRY) if there else layout}", flush=True)
        case "up":
            up(options.nodes, fresh=options.fresh, say=_say)
        case "down":
            down(purge=options.purge, say=_say)
        case "kill":
            kill_node(options.node)
        case "status":
            told = report()
            print("\n".join(told.lines))
            return 0 if told.well else 1
    return 0


def _say(line: str) -> None:
    print(f"lab: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
