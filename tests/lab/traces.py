"""What of the machine's state a program can leave behind, as one value: taken before and after, it tells the traces.

Read by the test that stops the cluster. It sees the whole machine, so what others start meanwhile must be told apart:
only what bears a mark of the lab, or is of a kind that the lab makes, is in the value.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_MARKS = ("headgate-lab", "headgate0", "/lab-1/", "/lab-2/")


@dataclass(frozen=True, slots=True)
class Traces:
    """Every field is empty on a machine that never had a lab, but for the names of what others made."""

    processes: frozenset[str]
    mounts: frozenset[str]
    network_namespaces: frozenset[str]
    links: frozenset[str]
    tables: frozenset[str]
    cgroups: frozenset[str]
    switches: tuple[str, ...]
    folders: frozenset[str]


def traces() -> Traces:
    """As it is now. Needs root to see all processes."""
    mountinfo = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return Traces(
        processes=frozenset(filter(None, map(_marked_process, Path("/proc").iterdir()))),
        mounts=frozenset(line[4] for line in mountinfo),
        network_namespaces=frozenset(filter(None, map(_network_namespace, Path("/proc").iterdir()))),
        links=frozenset(entry.name for entry in Path("/sys/class/net").iterdir()),
        tables=frozenset(_tables()),
        cgroups=frozenset(
            str(Path(folder) / name)
            for folder, names, _ in os.walk("/sys/fs/cgroup")
            for name in names
            if name.startswith(("headgate-lab", "kubepods"))
        ),
        switches=tuple(
            Path(path).read_text()
            for path in ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables")
            if Path(path).exists()
        ),
        folders=frozenset(
            path
            for path in ("/run/headgate-lab", "/run/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
                         "/opt/containerd", "/var/lib/cni", "/run/runc", "/etc/cni/net.d", "/run/nri", "/var/run/cni")
            if Path(path).exists()
        ),
    )  # fmt: skip


def _marked_process(folder: Path) -> str | None:
    if not folder.name.isdigit():
        return None
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        group = (folder / "cgroup").read_text()
    except OSError:
        return None
    # No command line: it has ended, and only waits for its parent to take note.
    marked = command and any(mark in group or mark in command for mark in _MARKS)
    return f"{folder.name} {command}" if marked else None


def _network_namespace(folder: Path) -> str | None:
    if not folder.name.isdigit():
        return None
    try:
        return str((folder / "ns" / "net").readlink())
    except OSError:
        return None


def _tables() -> list[str]:
    if not Path("/usr/sbin/nft").exists():
        return []
    listed = subprocess.run(["/usr/sbin/nft", "list", "tables"], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()
