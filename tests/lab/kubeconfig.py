"""Kubeconfig files with everything inside, so that one file is all a client needs. Called by the Kubernetes parts."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from lab.pki import KeyPair
from lab.store import write_if_changed


def write_kubeconfig(path: Path, server: str, authority: Path, client: KeyPair, namespace: str = "default") -> Path:
    """A kubeconfig with one context, readable by its owner only."""

    def encoded(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [
            {"name": "lab", "cluster": {"server": server, "certificate-authority-data": encoded(authority)}},
        ],
        "users": [
            {
                "name": "lab",
                "user": {
                    "client-certificate-data": encoded(client.certificate),
                    "client-key-data": encoded(client.key),
                },
            },
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": namespace}}],
    }
    return write_if_changed(path, yaml.safe_dump(content), mode=0o600)
