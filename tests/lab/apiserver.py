"""etcd and kube-apiserver alone: a real Kubernetes API without nodes, up in seconds, on free ports of 127.0.0.1.

Started by component tests. What is stored is accepted or refused exactly as in a cluster; nothing acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.build import binary_path
from lab.kubeconfig import write_kubeconfig
from lab.network_ports import answers, free_ports
from lab.pki import Authority, KeyPair, tls_context
from lab.processes import Program, start, stop, wait_ready


@dataclass(frozen=True, slots=True)
class KubeApi:
    """A running API server. The client certificate is of group system:masters."""

    url: str
    authority: Path
    admin: KeyPair
    kubeconfig: Path
    kubectl: Path
    log: Path

    def client(self) -> httpx.Client:
        """An HTTP client with the administrator's certificate; the caller closes it."""
        return httpx.Client(
            base_url=self.url, verify=tls_context(self.authority, self.admin), timeout=30, trust_env=False
        )


@contextmanager
def kube_api(folder: Path) -> Iterator[KubeApi]:
    """Both servers, from an empty etcd, until the block is left. ``folder`` takes data, certificates and logs."""
    client_port, peer_port, api_port = free_ports(3)
    authority = Authority(folder / "pki")
    api = KubeApi(
        url=f"https://127.0.0.1:{api_port}",
        authority=authority.certificate_path,
        admin=authority.issue("admin", groups=("system:masters",)),
        kubeconfig=folder / "kubeconfig",
        kubectl=binary_path("kubectl"),
        log=folder / "logs" / "kube-apiserver.log",
    )
    write_kubeconfig(api.kubeconfig, api.url, api.authority, api.admin)
    with ExitStack() as stack:
        etcd = start(etcd_program(folder / "etcd", client_port, peer_port, folder / "logs" / "etcd.log"))
        stack.callback(stop, etcd)
        wait_ready(etcd)
        server = start(_apiserver(api, authority, client_port, api_port))
        stack.callback(stop, server)
        wait_ready(server)
        yield api


def etcd_program(data: Path, client_port: int, peer_port: int, log: Path) -> Program:
    """One member on 127.0.0.1. It does not wait for the disk: what a power cut loses here was a test's."""
    return Program(
        name="etcd",
        argv=(
            str(binary_path("etcd")), "--name=lab", f"--data-dir={data}", "--unsafe-no-fsync",
            f"--listen-client-urls=http://127.0.0.1:{client_port}",
            f"--advertise-client-urls=http://127.0.0.1:{client_port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-cluster=lab=http://127.0.0.1:{peer_port}", "--log-level=warn",
        ),
        ready=answers(f"http://127.0.0.1:{client_port}/health"),
        log=log,
    )  # fmt: skip


def _apiserver(api: KubeApi, authority: Authority, etcd_port: int, port: int) -> Program:
    serving = authority.issue("apiserver", addresses=("127.0.0.1", "localhost", "kubernetes.default.svc"))
    tokens = authority.signing_key("service-accounts")
    return Program(
        name="kube-apiserver",
        argv=(
            str(binary_path("kube-apiserver")),
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--bind-address=127.0.0.1", f"--secure-port={port}", "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={api.authority}",
            f"--service-account-key-file={tokens.certificate}",
            f"--service-account-signing-key-file={tokens.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true", "--v=1",
        ),
        ready=answers(f"{api.url}/readyz", tls_context(api.authority, api.admin)),
        log=api.log,
        stop_seconds=20,
    )  # fmt: skip
