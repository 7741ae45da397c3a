"""What every cluster of the lab starts with: DNS, metrics, rights of its programs, volumes, two namespaces for tenancy tests.

``base_objects`` is pure; ``up`` applies it with kubectl, server-side, so that it can be repeated.
"""

from __future__ import annotations

import base64
from typing import Any

from lab.cluster.layout import (
    ADDRESS,
    DNS_SERVICE,
    METRICS_SERVICE,
    METRICS_USER,
    PORTS,
    TENANTS,
    VOLUME_CLASS,
    VOLUME_COUNT,
    VOLUMES,
)

Ports = tuple[tuple[str, str, int, int], ...]
"""Name, protocol, port of the Service, port on the machine."""

_LABELS = {"app.kubernetes.io/part-of": "headgate-lab"}
_DNS_PORTS: Ports = (("udp", "UDP", 53, 53), ("tcp", "TCP", 53, 53))
_METRICS_PORTS: Ports = (("https", "TCP", 443, PORTS["metrics"]),)


def base_objects(authority: bytes) -> tuple[dict[str, Any], ...]:
    """All of them; volumes are made apart, by ``volume``, since a used one cannot be applied again.

    ``authority``: the certificate, PEM, by which the API server trusts the metrics.
    """
    return (
        *(_tenant(name) for name in TENANTS),
        _binding("headgate-lab-kube-proxy", "system:node-proxier", "system:kube-proxy"),
        _dns_role(),
        _binding("headgate-lab-coredns", "headgate-lab-coredns", "system:coredns"),
        _service("kube-dns", _DNS_PORTS, DNS_SERVICE),
        _endpoints("kube-dns", _DNS_PORTS),
        *_metrics(authority),
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": VOLUME_CLASS, "labels": _LABELS},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Retain",
        },
    )


def volume_names() -> tuple[str, ...]:
    return tuple(f"lab-{number}" for number in range(VOLUME_COUNT))


def volume(name: str) -> dict[str, Any]:
    """A PersistentVolume in a folder of this machine; claims of class ``lab`` take one each."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": _LABELS},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": VOLUME_CLASS,
            "hostPath": {"path": str(VOLUMES / name), "type": "Directory"},
        },
    }


def _tenant(name: str) -> dict[str, Any]:
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _LABELS | enforce}}


def _binding(name: str, role: str, user: str, namespace: str = "") -> dict[str, Any]:
    """Of a ClusterRole everywhere; with ``namespace``, of a Role there."""
    within = {"namespace": namespace} if namespace else {}
    kind = "Role" if namespace else "ClusterRole"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name, "labels": _LABELS} | within,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def _dns_role() -> dict[str, Any]:
    read = ["list", "watch"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "headgate-lab-coredns", "labels": _LABELS},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
        ],
    }


def _metrics(authority: bytes) -> tuple[dict[str, Any], ...]:
    """The API group metrics.k8s.io, answered by a program of the machine, and that program's rights."""
    role, reader = "headgate-lab-metrics-server", "extension-apiserver-authentication-reader"
    rules = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
    ]
    return (
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role, "labels": _LABELS},
            "rules": rules,
        },
        _binding(role, role, METRICS_USER),
        # It asks the API server who a caller is and what that one may do.
        _binding(f"{role}-delegator", "system:auth-delegator", METRICS_USER),
        _binding(f"{role}-reader", reader, METRICS_USER, namespace="kube-system"),
        _service(METRICS_SERVICE, _METRICS_PORTS),
        _endpoints(METRICS_SERVICE, _METRICS_PORTS),
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io", "labels": _LABELS},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "service": {"name": METRICS_SERVICE, "namespace": "kube-system", "port": 443},
                "caBundle": base64.b64encode(authority).decode(),
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    )


def _service(name: str, ports: Ports, address: str = "") -> dict[str, Any]:
    """A Service of kube-system without pods; its ``_endpoints`` are on the machine."""
    offered = [{"name": n, "port": port, "protocol": p, "targetPort": target} for n, p, port, target in ports]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "kube-system", "labels": _LABELS},
        "spec": {"ports": offered} | ({"clusterIP": address} if address else {}),
    }


def _endpoints(service: str, ports: Ports) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-lab",
            "namespace": "kube-system",
            "labels": _LABELS | {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": name, "port": target, "protocol": protocol} for name, protocol, _, target in ports],
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
    }
