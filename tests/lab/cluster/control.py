"""The programs of the control plane: etcd, API server, controller manager, scheduler, service proxy, DNS, metrics.

Each function says how to run one program and writes the files that it reads. The order of starting is ``up``'s matter.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import yaml

from lab.apiserver import etcd_program
from lab.build import binary_path
from lab.cluster.daemons import log_of
from lab.cluster.layout import (
    ADDRESS,
    API,
    KUBECONFIG,
    METRICS_HOST,
    METRICS_USER,
    PODS,
    PORTS,
    SERVICES,
    STATE,
    Node,
)
from lab.kubeconfig import write_kubeconfig
from lab.network_ports import answers
from lab.pki import Authority, KeyPair, tls_context
from lab.processes import Program
from lab.store import write_if_changed

_CONFIG = STATE / "config"
_FRONT_PROXY = "front-proxy-client"


def authority() -> Authority:
    """The cluster's certificate authority, kept over restarts."""
    return Authority(STATE / "pki")


def front_proxy() -> Authority:
    """The authority by which an API server that answers for a group of its own knows the API server that asks in a user's name."""
    return Authority(STATE / "pki" / "front-proxy")


def admin() -> KeyPair:
    """The administrator's certificate, that of the kubeconfig for tests."""
    return authority().issue("admin", groups=("system:masters",))


def admin_tls() -> ssl.SSLContext:
    """The administrator's TLS context."""
    return tls_context(authority().certificate_path, admin())


def write_admin_kubeconfig() -> Path:
    """The kubeconfig for tests and people."""
    return write_kubeconfig(KUBECONFIG, API, authority().certificate_path, admin())


def component_kubeconfig(name: str, user: str, groups: tuple[str, ...] = ()) -> Path:
    """A kubeconfig for one program of the cluster, as ``user``."""
    pair = authority().issue(name, groups=groups, user=user)
    return write_kubeconfig(_CONFIG / f"{name}.kubeconfig", API, authority().certificate_path, pair)


def etcd() -> Program:
    return etcd_program(STATE / "etcd", PORTS["etcd"], PORTS["etcd-peer"], log_of("etcd"))


def apiserver() -> Program:
    ca = authority()
    serving = ca.issue(
        "apiserver",
        addresses=(ADDRESS, "127.0.0.1", "10.96.0.1", "localhost", "kubernetes", "kubernetes.default",
                   "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
    )  # fmt: skip
    kubelet_client = ca.issue("apiserver-to-kubelet", groups=("system:masters",), user="kube-apiserver")
    tokens = ca.signing_key("service-accounts")
    proxy_client = front_proxy().issue(_FRONT_PROXY)
    return Program(
        name="kube-apiserver",
        argv=(
            str(binary_path("kube-apiserver")),
            f"--etcd-servers=http://127.0.0.1:{PORTS['etcd']}",
            f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", f"--secure-port={PORTS['apiserver']}",
            "--endpoint-reconciler-type=lease", f"--service-cluster-ip-range={SERVICES}",
            f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={ca.certificate_path}",
            f"--kubelet-certificate-authority={ca.certificate_path}",
            f"--kubelet-client-certificate={kubelet_client.certificate}", f"--kubelet-client-key={kubelet_client.key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--requestheader-client-ca-file={front_proxy().certificate_path}",
            f"--requestheader-allowed-names={_FRONT_PROXY}", "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={proxy_client.certificate}", f"--proxy-client-key-file={proxy_client.key}",
            # Straight to the metrics' address: a Service's works only while the service proxy runs.
            "--enable-aggregator-routing=true",
            f"--service-account-key-file={tokens.certificate}", f"--service-account-signing-key-file={tokens.key}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            # A test that kills a node waits for these two; the defaults are five minutes.
            "--default-not-ready-toleration-seconds=10", "--default-unreachable-toleration-seconds=10",
            "--v=1",
        ),
        ready=answers(f"{API}/readyz", admin_tls()),
        log=log_of("kube-apiserver"),
        stop_seconds=15,
    )  # fmt: skip


def _secured(kubeconfig: Path, serving: KeyPair, port: str, address: str = "127.0.0.1") -> tuple[str, ...]:
    """How a program reaches the API server, and how it is reached itself: whoever asks it is judged by the API server."""
    return (
        f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={address}", f"--secure-port={PORTS[port]}",
        f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
    )  # fmt: skip


def controller_manager() -> Program:
    ca = authority()
    kubeconfig = component_kubeconfig("kube-controller-manager", "system:kube-controller-manager")
    serving = ca.issue("controller-manager", addresses=("127.0.0.1",))
    return Program(
        name="kube-controller-manager",
        argv=(
            str(binary_path("kube-controller-manager")),
            *_secured(kubeconfig, serving, "controller-manager"),
            "--leader-elect=false", "--use-service-account-credentials=true",
            f"--root-ca-file={ca.certificate_path}",
            f"--service-account-private-key-file={ca.signing_key('service-accounts').key}",
            f"--cluster-signing-cert-file={ca.certificate_path}", f"--cluster-signing-key-file={ca.folder / 'ca.key'}",
            "--node-monitor-grace-period=20s",
            # A test of an autoscaler waits for these; the defaults are 15 s, 5 min and 30 s.
            "--horizontal-pod-autoscaler-sync-period=5s", "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=10s",
        ),
        ready=answers(f"https://127.0.0.1:{PORTS['controller-manager']}/healthz", admin_tls()),
        log=log_of("kube-controller-manager"),
    )  # fmt: skip


def scheduler() -> Program:
    kubeconfig = component_kubeconfig("kube-scheduler", "system:kube-scheduler")
    serving = authority().issue("scheduler", addresses=("127.0.0.1",))
    return Program(
        name="kube-scheduler",
        argv=(
            str(binary_path("kube-scheduler")),
            *_secured(kubeconfig, serving, "scheduler"),
            "--leader-elect=false",
        ),
        ready=answers(f"https://127.0.0.1:{PORTS['scheduler']}/healthz", admin_tls()),
        log=log_of("kube-scheduler"),
    )  # fmt: skip


def proxy() -> Program:
    """One for all nodes, since they share this machine's network."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(component_kubeconfig("kube-proxy", "system:kube-proxy"))},
        "mode": "nftables",
        "hostnameOverride": Node(1).name,
        "bindAddress": ADDRESS,
        "clusterCIDR": PODS,
        "healthzBindAddress": f"127.0.0.1:{PORTS['proxy-health']}",
        "metricsBindAddress": f"127.0.0.1:{PORTS['proxy-metrics']}",
        "nodePortAddresses": [f"{ADDRESS}/32"],
        "conntrack": {"maxPerCore": 0},
    }
    return Program(
        name="kube-proxy",
        argv=(str(binary_path("kube-proxy")), f"--config={write_config('kube-proxy.yaml', config)}"),
        ready=answers(f"http://127.0.0.1:{PORTS['proxy-health']}/healthz"),
        log=log_of("kube-proxy"),
    )


def dns() -> Program:
    """CoreDNS on the machine itself; names outside the cluster go to the machine's own resolver."""
    kubeconfig = component_kubeconfig("coredns", "system:coredns")
    corefile = write_if_changed(
        _CONFIG / "Corefile",
        f"""\
.:53 {{
    bind {ADDRESS}
    errors
    health 127.0.0.1:{PORTS["dns-health"]}
    ready 127.0.0.1:{PORTS["dns-ready"]}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig} lab
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }}
    forward . /etc/resolv.conf
    cache 10
}}
""",
    )
    return Program(
        name="coredns",
        argv=(str(binary_path("coredns")), "-conf", str(corefile)),
        ready=answers(f"http://127.0.0.1:{PORTS['dns-ready']}/ready"),
        log=log_of("coredns"),
    )


def metrics() -> Program:
    """metrics-server: what pods and nodes use, asked of every kubelet, as the API group metrics.k8s.io."""
    ca = authority()
    kubeconfig = component_kubeconfig("metrics-server", METRICS_USER)
    serving = ca.issue("metrics-server-serving", addresses=(ADDRESS, METRICS_HOST))
    return Program(
        name="metrics-server",
        argv=(
            str(binary_path("metrics-server")),
            *_secured(kubeconfig, serving, "metrics", ADDRESS),
            f"--kubelet-certificate-authority={ca.certificate_path}", "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port", "--kubelet-request-timeout=5s",
            # The least that it takes. It has metrics of a pod when it has asked twice, and nobody need wait for that here.
            "--metric-resolution=10s",
        ),
        ready=answers(f"https://{ADDRESS}:{PORTS['metrics']}/livez", admin_tls()),
        log=log_of("metrics-server"),
    )  # fmt: skip


def write_config(name: str, content: object) -> Path:
    """A YAML file in the lab's state; gives its path."""
    return write_if_changed(_CONFIG / name, yaml.safe_dump(content, sort_keys=False))
