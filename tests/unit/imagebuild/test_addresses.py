"""Which addresses a stranger may send us to: public ones, and private ones only by leave."""

from __future__ import annotations

import httpx
import pytest

from headgate.imagebuild.addresses import AddressPolicy, resolve_host
from headgate.imagebuild.errors import UnsafeAddress

_NAMES = {
    "public.test": ("93.184.216.34",),
    "private.test": ("10.1.2.3",),
    "mixed.test": ("93.184.216.34", "192.168.0.1"),
    "unknown.test": (),
}


def _resolve(host: str, port: int) -> tuple[str, ...]:
    return _NAMES.get(host, (host.strip("[]"),))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://10.0.0.1/x", id="a private address"),
        pytest.param("http://127.0.0.1/x", id="this machine"),
        pytest.param("http://169.254.169.254/latest/meta-data", id="a cloud's metadata"),
        pytest.param("http://[::1]/x", id="this machine in IPv6"),
        pytest.param("http://[::ffff:10.0.0.1]/x", id="a private address written as IPv6"),
        pytest.param("http://[fd00::1]/x", id="a private address of IPv6"),
        pytest.param("http://100.64.0.1/x", id="a carrier's address"),
        pytest.param("http://0.0.0.0/x", id="the address of no host"),
        pytest.param("http://224.0.0.1/x", id="a multicast address"),
        pytest.param("https://private.test/x", id="a name with a private address"),
        pytest.param("https://mixed.test/x", id="a name with one private address among others"),
    ],
)
def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(
        UnsafeAddress, match=r"The redirect leads to .*, an address of a private network.*--allow-private"
    ):
        AddressPolicy(resolve=_resolve).check(httpx.URL(url), "The redirect")


@pytest.mark.parametrize(
    "url",
    ["https://public.test/x", "https://93.184.216.34/x", "https://[::ffff:93.184.216.34]/x", "https://unknown.test/x"],
)
def test_public_addresses_and_unknown_names_pass(url: str) -> None:
    AddressPolicy(resolve=_resolve).check(httpx.URL(url), "The redirect")


def test_a_host_that_is_allowed_passes_with_its_addresses() -> None:
    policy = AddressPolicy(resolve=_resolve).allowing("private.test")
    policy.check(httpx.URL("https://private.test/x"), "The redirect")
    policy.check(httpx.URL("https://10.1.2.3/x"), "The redirect")
    with pytest.raises(UnsafeAddress):
        policy.check(httpx.URL("https://10.1.2.4/x"), "The redirect")


def test_a_star_allows_everything() -> None:
    AddressPolicy(("*",), _resolve).check(httpx.URL("http://10.0.0.1/x"), "The redirect")


def test_a_proxy_resolves_names_itself_and_still_no_private_literal_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    AddressPolicy(resolve=_resolve).check(httpx.URL("https://private.test/x"), "The redirect")
    with pytest.raises(UnsafeAddress):
        AddressPolicy(resolve=_resolve).check(httpx.URL("https://10.0.0.1/x"), "The redirect")


class _Stream:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str) -> object:
        return (self._peer, 443) if name == "server_addr" else None


@pytest.mark.parametrize(("peer", "refused"), [("10.1.2.3", True), ("93.184.216.34", False)])
def test_a_name_that_changes_its_answer_is_caught_at_the_connection(peer: str, refused: bool) -> None:
    request = httpx.Request("GET", "https://public.test/x")
    response = httpx.Response(200, request=request, extensions={"network_stream": _Stream(peer)})
    if refused:
        with pytest.raises(UnsafeAddress, match=r"public.test \(10.1.2.3\)"):
            AddressPolicy(resolve=_resolve).check_peer(response, "The redirect")
    else:
        AddressPolicy(resolve=_resolve).check_peer(response, "The redirect")


def test_the_systems_resolver_answers() -> None:
    assert resolve_host("127.0.0.1", 80) == ("127.0.0.1",)
    assert resolve_host("no-such-name.invalid", 80) == ()
