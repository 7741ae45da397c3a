"""Takes away what the cluster leaves on the machine, also after everything of it was killed.

``clean_node`` for one node whose programs are down, ``clean_all`` for the rest. Both go by the lab's own names
(cgroup, folder, bridge, tables), never by what a program is called. State in ``layout.STATE`` stays.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.cluster import cgroups, host, node
from lab.cluster.layout import CGROUP, RUN, STATE, Node
from lab.errors import LabError
from lab.network_ports import accepts_unix

_CONTAINER_LOGS = Path("/var/log/containers")
_CNI_RESULTS = Path("/var/lib/cni/results")
_DEVICE_PLUGINS = Path("/var/lib/kubelet")


def clean_node(node: Node) -> None:
    """Pods, shims, mounts and sockets of a node whose containerd and kubelet are down."""
    cgroups.kill(node.cgroup)
    for part in node.parts:
        cgroups.kill(f"{CGROUP}/parts/{part}")
    unmount_below(node.run)
    unmount_below(node.state)
    shutil.rmtree(node.run, ignore_errors=True)
    cgroups.remove(node.cgroup)


def clean_all() -> None:
    """Everything else: processes, mounts, cgroups, network, folders. Nothing of the cluster may run any more."""
    cgroups.kill(CGROUP)
    unmount_below(RUN)
    unmount_below(STATE)
    cgroups.remove(CGROUP)
    host.restore()
    shutil.rmtree(RUN, ignore_errors=True)
    _remove_kubelet_traces()
    _remove_network_notes()


def unmount_below(folder: Path) -> None:
    """Every mount at or below a folder, the deepest first."""
    for place in sorted(mounts_below(folder), key=len, reverse=True):
        done = subprocess.run(["umount", "--lazy", place], capture_output=True, text=True, check=False)
        if done.returncode != 0 and place in mounts_below(folder):
            raise LabError(f"{place} cannot be unmounted: {done.stderr.strip()}")


def mounts_below(folder: Path) -> tuple[str, ...]:
    """Mount points at or below a folder, as they stand in the kernel's table."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = (line.split()[4].encode().decode("unicode_escape") for line in lines)
    return tuple(place for place in places if Path(place).is_relative_to(folder))


def _remove_kubelet_traces() -> None:
    """Links and empty folders that kubelet makes at fixed places, unless someone else's are among them."""
    if _CONTAINER_LOGS.is_dir():
        for link in _CONTAINER_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(STATE):
                link.unlink()
    socket = _DEVICE_PLUGINS / "device-plugins" / "kubelet.sock"
    if socket.exists() and accepts_unix(socket)() is not None:
        socket.unlink()
    for folder in (_CONTAINER_LOGS, _DEVICE_PLUGINS / "device-plugins", _DEVICE_PLUGINS):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _remove_network_notes() -> None:
    """What the network plugins noted of pods that were never taken down in order."""
    mine, end = f"{node.CNI_NETWORK}-", "-eth0"
    for note in _CNI_RESULTS.iterdir() if _CNI_RESULTS.is_dir() else ():
        if note.name.startswith(mine) and note.name.endswith(end):
            sandbox = note.name.removeprefix(mine).removesuffix(end)
            (_CNI_RESULTS / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
            note.unlink()
    for folder in (_CNI_RESULTS, _CNI_RESULTS.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
