"""Decides whether a host may be reached: what a stranger's redirect or URI names must not lead into a private network.

Used for redirects of registries and for ``https:`` models. A name is resolved and every address of it must be public,
unless the host is allowed; after the connection is made, :func:`check_peer` looks at the address that was really
reached, so a name that changes its answer in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from headgate.imagebuild.errors import UnsafeAddress

if TYPE_CHECKING:
    import httpx

Resolver = Callable[[str, int], tuple[str, ...]]
"""Host and port to IP addresses in text; an empty tuple when the name is unknown."""


def resolve_host(host: str, port: int) -> tuple[str, ...]:
    """Every address of ``host``, by the system's resolver."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which hosts may be reached though they are private."""

    allowed: tuple[str, ...] = ()
    """Host names or addresses; ``*`` allows all."""
    resolve: Resolver = resolve_host

    def allowing(self, *hosts: str) -> AddressPolicy:
        """The same policy with ``hosts``, and the addresses that they have, allowed as well."""
        addresses = tuple(address for host in hosts for address in self.resolve(host, 0))
        return AddressPolicy((*self.allowed, *hosts, *addresses), self.resolve)

    def check(self, url: httpx.URL, subject: str) -> None:
        """:class:`UnsafeAddress` when ``url`` leads to an address that is private and not allowed."""
        host = url.host
        if "*" in self.allowed or host in self.allowed:
            return
        literal = _address(host)
        if literal is None and is_proxied(url):
            return  # the proxy resolves the name and has rules of its own
        for text in (host,) if literal else self.resolve(host, url.port or (443 if url.scheme == "https" else 80)):
            self._check_address(text, host, subject)

    def check_peer(self, response: httpx.Response, subject: str) -> None:
        """:class:`UnsafeAddress` when ``response`` came from an address that :meth:`check` would have refused."""
        host = response.url.host
        stream = response.extensions.get("network_stream")
        if stream is None or "*" in self.allowed or host in self.allowed or is_proxied(response.url):
            return
        peer = stream.get_extra_info("server_addr")
        if peer:
            self._check_address(str(peer[0]), host, subject)

    def _check_address(self, text: str, host: str, subject: str) -> None:
        address = _address(text)
        if address is None or text in self.allowed or (address.is_global and not address.is_multicast):
            return
        where = host if host == text else f"{host} ({text})"
        raise UnsafeAddress(
            f"{subject} leads to {where}, an address of a private network.",
            remedy="If that is meant, allow the host with --allow-private HOST.",
        )


def is_proxied(url: httpx.URL) -> bool:
    """Whether the environment sends requests for ``url`` through a proxy."""
    proxies = getproxies()
    return bool((proxies.get(url.scheme) or proxies.get("all")) and not proxy_bypass(url.host))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
