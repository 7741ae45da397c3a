"""One node: containerd with runc, the CNI bridge, kubelet. A second node is the same again with its own folders.

Written for what a modest machine allows: cgroup v1 or v2, no right to lower an OOM score, no image registry outside.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.build import binary_path
from lab.cluster import control
from lab.cluster.daemons import log_of
from lab.cluster.layout import (
    ADDRESS,
    BRIDGE,
    DNS_SERVICE,
    PODS,
    PORTS,
    REGISTRY,
    Node,
)
from lab.cluster.pause import PAUSE_IMAGE
from lab.network_ports import accepts_unix, answers
from lab.processes import Program

CNI_NETWORK = "headgate-lab"
_CAP_SYS_RESOURCE = 24


def containerd(node: Node) -> Program:
    """containerd of one node, with its configuration written."""
    node.state.mkdir(parents=True, exist_ok=True)
    node.run.mkdir(parents=True, exist_ok=True)
    config = node.state / "containerd.toml"
    config.write_text(_containerd_config(node))
    _write_registry_hosts(node)
    _write_cni(node)
    shim = binary_path("containerd-shim-runc-v2").parent
    return Program(
        name=node.parts[0],
        argv=(str(binary_path("containerd")), "--config", str(config), "--log-level", "warn"),
        environment={"PATH": f"{shim}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"},
        ready=accepts_unix(node.socket),
        log=log_of(node.parts[0]),
    )


def kubelet(node: Node) -> Program:
    """kubelet of one node, with its configuration, certificate and kubeconfig written."""
    name = node.parts[1]
    ca = control.authority()
    serving = ca.issue(f"{name}-serving", addresses=(node.address, node.name))
    kubeconfig = control.component_kubeconfig(name, f"system:node:{node.name}", groups=("system:nodes",))
    config = control.write_config(f"{name}.yaml", {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "port": PORTS["kubelet"],
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": node.health_port,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(ca.certificate_path)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        # Requests decide who goes first on a small machine; limits would make everybody slow.
        "cpuCFSQuota": False,
        "enforceNodeAllocatable": ["none"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": "/etc/resolv.conf",
        "syncFrequency": "5s",
        "serializeImagePulls": False,
        "podLogsDir": str(node.state / "pod-logs"),
        "volumePluginDir": str(node.state / "volume-plugins"),
        "oomScoreAdj": 0,
        "maxPods": 100,
    })  # fmt: skip
    return Program(
        name=name,
        argv=(
            str(binary_path("kubelet")), f"--config={config}", f"--kubeconfig={kubeconfig}",
            f"--root-dir={node.state / 'kubelet'}", f"--cert-dir={node.state / 'kubelet-pki'}",
            f"--hostname-override={node.name}", f"--node-ip={node.address}",
        ),
        ready=answers(f"http://127.0.0.1:{node.health_port}/healthz"),
        log=log_of(name),
    )  # fmt: skip


def _containerd_config(node: Node) -> str:
    state = node.run / "containerd"
    restricted = json.dumps(not _may_raise_resources())
    return f"""\
version = 4
root = '{node.state / "containerd"}'
state = '{state}'
imports = []
disabled_plugins = [
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.erofs', 'io.containerd.snapshotter.v1.zfs',
]

[plugins.'io.containerd.server.v1.grpc']
  address = '{node.socket}'
[plugins.'io.containerd.server.v1.ttrpc']
  address = '{node.socket}.ttrpc'
[plugins.'io.containerd.shim.v1.manager']
  socket_dir = '{node.run / "s"}'
[plugins.'io.containerd.internal.v1.opt']
  path = '{node.state / "opt"}'
[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.cri.v1.images']
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{PAUSE_IMAGE}'
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = '{node.state / "registries"}'

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = {restricted}
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = '/usr/sbin/runc'
      Root = '{node.run / "runc"}'
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['/usr/lib/cni']
    conf_dir = '{node.state / "cni"}'
"""


def _may_raise_resources() -> bool:
    """Whether this process may lower an OOM score; without that right every pod would fail to start."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1)
    return False


def _write_registry_hosts(node: Node) -> None:
    folder = node.state / "registries" / REGISTRY
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts.toml").write_text(
        f'server = "http://{REGISTRY}"\n\n[host."http://{REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n'
    )


def _write_cni(node: Node) -> None:
    first, last = node.pod_range
    folder = node.state / "cni"
    folder.mkdir(parents=True, exist_ok=True)
    # No portmap plugin: its iptables rules would outlive the lab, so pods take no host ports.
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": False,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(node.run / "addresses"),
            "ranges": [[{"subnet": PODS, "rangeStart": first, "rangeEnd": last, "gateway": ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    config = {"cniVersion": "1.0.0", "name": CNI_NETWORK, "plugins": [bridge]}
    (folder / "10-bridge.conflist").write_text(json.dumps(config, indent=2))
