"""Names, addresses and folders of the cluster. Values only: making and removing things is for the other modules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/headgate-lab")
"""What outlives a stop: certificates, etcd, images, buckets, topics, volumes, logs."""

RUN = Path("/run/headgate-lab")
"""What a stop removes: sockets, mounts, leases of addresses, notes of processes."""

LOGS = STATE / "logs"
KUBECONFIG = STATE / "kubeconfig"
VOLUMES = STATE / "volumes"
CGROUP = "headgate-lab"

BRIDGE = "headgate0"
ADDRESS = "10.88.0.1"
"""The machine's own address on the bridge: what pods and tests use for all servers of the lab."""
PODS = "10.88.0.0/16"
SERVICES = "10.96.0.0/16"
DNS_SERVICE = "10.96.0.10"
METRICS_SERVICE = "metrics-server"
METRICS_HOST = f"{METRICS_SERVICE}.kube-system.svc"
METRICS_USER = "system:metrics-server"
PORTS = {
    "etcd": 12379, "etcd-peer": 12380, "apiserver": 16443, "controller-manager": 11257, "scheduler": 11259,
    "proxy-health": 11256, "proxy-metrics": 11249, "dns-health": 11180, "dns-ready": 11181,
    "metrics": 11443, "kubelet": 11250, "kubelet-health": 11248, "registry": 15000, "s3": 17070, "kafka": 19092, "kafka-controller": 19093,
}  # fmt: skip

API = f"https://{ADDRESS}:{PORTS['apiserver']}"
REGISTRY = f"{ADDRESS}:{PORTS['registry']}"
S3 = f"http://{ADDRESS}:{PORTS['s3']}"
S3_ACCESS_KEY = "headgate"
S3_SECRET_KEY = "headgate-lab-secret"
KAFKA = f"{ADDRESS}:{PORTS['kafka']}"
BUCKETS = ("models", "flink")
TENANTS = ("tenant-a", "tenant-b")
VOLUME_COUNT = 8
VOLUME_CLASS = "lab"
FLINK_UID = 9999
MOST_NODES = 3


@dataclass(frozen=True, slots=True)
class Node:
    """One Kubernetes node; all share this machine's network. ``number`` counts from 1."""

    number: int

    @property
    def name(self) -> str:
        return f"lab-{self.number}"

    @property
    def address(self) -> str:
        """An address of the bridge; the first node has the machine's own."""
        return f"10.88.0.{self.number}"

    @property
    def pod_range(self) -> tuple[str, str]:
        """First and last address of its pods, all within ``PODS``."""
        return (f"10.88.{self.number}.10", f"10.88.{self.number}.250")

    @property
    def health_port(self) -> int:
        """Of its kubelet, on 127.0.0.1."""
        return PORTS["kubelet-health"] + 1000 * (self.number - 1)

    @property
    def state(self) -> Path:
        return STATE / self.name

    @property
    def run(self) -> Path:
        return RUN / self.name

    @property
    def socket(self) -> Path:
        """Where its containerd listens."""
        return self.run / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """Parent of all its pods' cgroups, relative to each hierarchy's root."""
        return f"{CGROUP}/{self.name}"

    @property
    def parts(self) -> tuple[str, str]:
        """Names of its two programs, in starting order."""
        return (f"containerd-{self.number}", f"kubelet-{self.number}")
