"""Free TCP ports of 127.0.0.1, and whether something answers on one. Called by the parts."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from lab.processes import Ready


def free_ports(count: int) -> tuple[int, ...]:
    """``count`` different ports that nothing listens on now; held open together while they are chosen."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()


def accepts(host: str, port: int) -> Ready:
    """Ready when a TCP connection is accepted."""

    def ask() -> str | None:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError as error:
            return f"{host}:{port} refuses connections ({error})"
        return None

    return ask


def accepts_unix(path: Path) -> Ready:
    """Ready when a connection to a Unix socket is accepted."""

    def ask() -> str | None:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
        except OSError as error:
            return f"{path} refuses connections ({error})"
        return None

    return ask


def answers(url: str, tls: ssl.SSLContext | None = None) -> Ready:
    """Ready when a GET gives status 200; no proxy is ever asked."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if tls is not None:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    opener = urllib.request.build_opener(*handlers)

    def ask() -> str | None:
        try:
            with opener.open(url, timeout=5) as response:
                response.read()
        except urllib.error.HTTPError as error:
            with error:
                return f"{url} says {error.code}: {error.read(300).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            return f"{url} does not answer ({error})"
        return None

    return ask
