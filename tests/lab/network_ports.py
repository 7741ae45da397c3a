"""Free TCP ports of 127.0.0.1, and whether something answers on one. Called by the parts."""

from __future__ import annotations

import socket

import httpx

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


def answers(client: httpx.Client, path: str) -> Ready:
    """Ready when a GET gives status 200."""

    def ask() -> str | None:
        try:
            response = client.get(path, timeout=5)
        except httpx.HTTPError as error:
            return f"{client.base_url}{path} does not answer ({type(error).__name__})"
        return None if response.status_code == 200 else f"{path} says {response.status_code}: {response.text[:300]}"

    return ask
