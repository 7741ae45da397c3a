"""Becomes a worker of the standby (see ``standby.py``), or a plain ``python3`` where there is none. Run as a file, with ``-I -S``.

Imports as little as it can: it is what is left of a worker's start.
"""

import json
import os
import socket
import sys


def main() -> int:
    """Hand everything over and wait; the worker's exit status."""
    argv = sys.argv[1:]
    address = os.environ.get("HEADGATE_STANDBY", "")
    if not address or len(argv) < 2 or argv[0] not in ("-m", "-c"):
        return _alone(argv)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.connect(address)
        request = json.dumps({"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ)}).encode() + b"\n"  # noqa: PTH109  # pathlib takes longer to load
        sent = socket.send_fds(server, [request], [0, 1, 2])
        server.sendall(request[sent:])
        if server.recv(1) != b"+":
            return _alone(argv)
    except OSError:
        return _alone(argv)
    told = b""
    while more := server.recv(16):
        told += more
    # A worker that was killed says nothing any more.
    return int(told) if told else 1


def _alone(argv: list[str]) -> int:
    os.execvp("python3", ["python3", *argv])


if __name__ == "__main__":
    sys.exit(main())
