"""Puts the image of the program that holds a pod's namespaces into a node: no registry outside has it for us.

Called by ``up`` before a node's kubelet starts.
"""

from __future__ import annotations

import subprocess

from lab.build import binary_path
from lab.cluster.layout import Node
from lab.errors import StartError
from lab.tiny_image import archive, tiny_image

PAUSE_IMAGE = "lab.headgate.dev/pause:1"


def import_pause(node: Node) -> None:
    """The image in the node's containerd, marked so that no garbage collection takes it; StartError when refused."""
    file = node.run / "pause.tar"
    file.write_bytes(archive(tiny_image("pause", binary_path("pause").read_bytes()), PAUSE_IMAGE))
    ctr = (str(binary_path("ctr")), "--address", str(node.socket), "--namespace", "k8s.io", "images")
    pinned = "io.cri-containerd.pinned=pinned"
    for arguments in (("import", "--digests=false", str(file)), ("label", PAUSE_IMAGE, pinned)):
        done = subprocess.run([*ctr, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StartError(f"the pause image could not be put into {node.name}: {done.stderr.strip()}")
    file.unlink()
