"""What every cluster of the lab starts with: DNS, rights of its programs, volumes, two namespaces for tenancy tests.

``base_objects`` is pure; ``up`` applies it with kubectl, server-side, so that it can be repeated.
"""

from __future__ import annotations

from typing import Any

from lab.cluster.layout import (
    ADDRESS,
    DNS_SERVICE,
    TENANTS,
    VOLUME_CLASS,
    VOLUME_COUNT,
    VOLUMES,
)

_LABELS = {"app.kubernetes.io/part-of": "headgate-lab"}


def base_objects() -> tuple[dict[str, Any], ...]:
    """All of them; volumes are made apart, by ``volume``, since a used one cannot be applied again."""
    return (
        *(_tenant(name) for name in TENANTS),
        _binding("headgate-lab-kube-proxy", "system:node-proxier", "system:kube-proxy"),
        _dns_role(),
        _binding("headgate-lab-coredns", "headgate-lab-coredns", "system:coredns"),
        _dns_service(),
        _dns_endpoints(),
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


def _binding(name: str, role: str, user: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": _LABELS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
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


def _dns_service() -> dict[str, Any]:
    ports = [{"name": p.lower(), "port": 53, "protocol": p, "targetPort": 53} for p in ("UDP", "TCP")]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": _LABELS},
        "spec": {"clusterIP": DNS_SERVICE, "ports": ports},
    }


def _dns_endpoints() -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns-lab",
            "namespace": "kube-system",
            "labels": _LABELS | {"kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "ports": [{"name": p.lower(), "port": 53, "protocol": p} for p in ("UDP", "TCP")],
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
    }
