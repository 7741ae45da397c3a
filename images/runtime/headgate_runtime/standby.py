"""A Python that has everything loaded before a worker is asked for: workers are forks of it.

A TaskManager starts one beside Flink (``images/runtime/bin/with-standby``). Where Flink then starts a Python worker, it starts
``bin/worker-python``, a small client that hands over its arguments, environment and open files; the fork runs what was asked
for, as ``python3`` would have. Loading Flink's worker, pandas and onnxruntime takes seconds of the pause between two versions of a
model, and here it is done while the old version still serves.

A client that finds nobody, or whose standby ends before it forked, becomes a plain ``python3``. A fork whose client is gone ends
itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import logging
import os
import runpy
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ADDRESS = "HEADGATE_STANDBY"
"""The environment's variable with the socket's path."""
MODULES = (
    "pyflink.fn_execution.beam.beam_boot",
    "pyflink.fn_execution.beam.beam_sdk_worker_main",
    "headgate_runtime.step",
    "headgate_runtime.stateful",
    "headgate_runtime.parsing",
)
_LARGEST = 1 << 20
_log = logging.getLogger(__name__)


def serve(address: Path, modules: Iterable[str] = MODULES) -> None:
    """Load ``modules``, then fork for every client; never returns but in a fork that is done.

    The socket is there before the first module is: a client that comes early waits, which takes no longer than loading by itself.
    """
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(address))
    finally:
        os.umask(before)
    listener.listen(64)
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    while True:
        connection, _ = listener.accept()
        with connection:
            work = _forked(connection, listener)
        if work is not None:
            _become(work)


def _reap(_signal: int, _frame: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _forked(connection: socket.socket, listener: socket.socket) -> Callable[[], int] | None:
    """What is to be run, in the fork; None in the standby itself."""
    try:
        if _peer(connection) != os.getuid():
            return None
        request, files = _received(connection)
    except (OSError, ValueError) as error:
        _log.warning("a client said nothing that can be understood: %s", error)
        return None
    if os.fork():
        for file in files:
            os.close(file)
        return None
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    listener.close()
    client = connection.dup()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    _take_on(request)
    client.sendall(b"+")
    threading.Thread(target=_end_with, args=(client,), daemon=True).start()
    return lambda: _told(client, _run(request["argv"]))


def _peer(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    data, files, _, _ = socket.recv_fds(connection, _LARGEST, 3)
    while not data.endswith(b"\n") and len(data) < _LARGEST:
        more = connection.recv(_LARGEST)
        if not more:
            break
        data += more
    if len(files) != 3:
        raise ValueError(f"{len(files)} files came with it, not 3")
    return json.loads(data), list(files)


def _take_on(request: dict[str, Any]) -> None:
    # The standby's own log is none of the worker's.
    logging.getLogger().handlers.clear()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    asked = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:0] = [one for one in asked if one not in sys.path]


def _end_with(client: socket.socket) -> None:
    # Nothing more is ever said: reading ends when the client does.
    if not client.recv(1):
        os.kill(os.getpid(), signal.SIGTERM)


def _run(argv: list[str]) -> int:
    """``-m MODULE ARGUMENT…`` or ``-c CODE ARGUMENT…``; gives the exit status."""
    flag, what, *arguments = argv
    sys.argv = [flag, *arguments]
    try:
        if flag == "-m":
            # Loaded already, and to be run as a program all the same.
            sys.modules.pop(what, None)
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # as python3 -c does
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001  # the end of a program, as for any Python
        traceback.print_exc()
        return 1
    return 0


def _told(client: socket.socket, status: int) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A program may have closed them.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    client.sendall(b"%d\n" % (status & 0xFF))
    return status


def _become(work: Callable[[], int]) -> None:
    """Run in the fork, and end it without the standby's own endings."""
    status = 1
    try:
        status = work()
    finally:
        os._exit(status)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    serve(Path(os.environ[ADDRESS]))
