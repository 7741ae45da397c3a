"""What the cluster needs of the machine: Debian packages, one bridge, one nft table, two kernel switches.

``prepare`` makes it, and can be repeated; ``restore`` takes it away. Switches get back the values that they had.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.build import Say
from lab.cluster.layout import BRIDGE, PODS, RUN, Node
from lab.errors import LabError, NeedsRoot

_PACKAGES = {
    "runc": Path("/usr/sbin/runc"),
    "containernetworking-plugins": Path("/usr/lib/cni/bridge"),
    "nftables": Path("/usr/sbin/nft"),
    "iproute2": Path("/usr/sbin/ip"),
    "mount": Path("/usr/bin/mount"),
    "ca-certificates": Path("/etc/ssl/certs/ca-certificates.crt"),
}
_SWITCHES = (
    ("/proc/sys/net/ipv4/ip_forward", "1"),
    # A pod that asks a Service and is answered by a pod of the same bridge: the answer must pass the machine's nft too.
    ("/proc/sys/net/bridge/bridge-nf-call-iptables", "1"),
)
_SAVED = RUN / "switches.json"
_TABLE = "headgate_lab"
_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def require_root() -> None:
    """Raises NeedsRoot with what to do instead."""
    if os.geteuid() != 0:
        raise NeedsRoot("the cluster needs root: it makes a network bridge, mounts and cgroups. "
                        "Run it as root, or run the component tests (make test), which need none.")  # fmt: skip


def install_packages(say: Say, packages: Mapping[str, Path] = _PACKAGES) -> None:
    """Debian packages whose file is missing, by apt-get; LabError where that is not possible."""
    missing = [package for package, file in packages.items() if not file.exists()]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise LabError(f"this machine has no apt-get, and the lab needs: {', '.join(missing)}. Install them by hand.")
    say(f"installing Debian packages: {', '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, capture_output=True, text=True, env=quiet, check=False)
        if done.returncode != 0:
            raise LabError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr).strip()[-1500:]}")


def prepare(nodes: tuple[Node, ...]) -> None:
    """Bridge with an address for each node, masquerading for pods that leave the machine, forwarding.

    Raises LabError on a machine that is a node of some other Kubernetes: its service rules would be lost.
    """
    if not _SAVED.exists() and _foreign_proxy():
        raise LabError("this machine is a Kubernetes node already (nft has a table kube-proxy that is not the lab's): "
                       "the lab would take over its service rules. Use another machine.")  # fmt: skip
    _save_switches()
    for path, value in _SWITCHES:
        if Path(path).exists():
            Path(path).write_text(value)
    if not _bridge_exists():
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
    for node in nodes:
        _run("ip", "address", "replace", f"{node.address}/16", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    _nft(f"""
        add table ip {_TABLE}
        delete table ip {_TABLE}
        table ip {_TABLE} {{
            chain leaving {{
                type nat hook postrouting priority srcnat
                ip saddr {PODS} ip daddr != {PODS} masquerade
            }}
        }}
    """)


def restore() -> None:
    """Bridge and tables gone, switches as they were. Harmless when nothing was prepared."""
    tables = (("ip", _TABLE), *(_PROXY_TABLES if _SAVED.exists() else ()))
    for family, table in tables if Path("/usr/sbin/nft").exists() else ():
        _nft(f"add table {family} {table}\ndelete table {family} {table}\n")
    if _bridge_exists():
        _run("ip", "link", "delete", BRIDGE)
    if _SAVED.exists():
        for path, value in json.loads(_SAVED.read_text()).items():
            Path(path).write_text(value)
        _SAVED.unlink()


def _foreign_proxy() -> bool:
    listed = subprocess.run(["/usr/sbin/nft", "list", "tables"], capture_output=True, text=True, check=False)
    return any(f"table {family} {table}" in listed.stdout.splitlines() for family, table in _PROXY_TABLES)


def _save_switches() -> None:
    if not _SAVED.exists():
        RUN.mkdir(parents=True, exist_ok=True)
        values = {path: Path(path).read_text() for path, _ in _SWITCHES if Path(path).exists()}
        _SAVED.write_text(json.dumps(values))


def _bridge_exists() -> bool:
    return Path(f"/sys/class/net/{BRIDGE}").exists()


def _nft(script: str) -> None:
    _run("/usr/sbin/nft", "-f", "-", stdin=script)


def _run(*command: str, stdin: str = "") -> None:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} failed: {done.stderr.strip()}")
