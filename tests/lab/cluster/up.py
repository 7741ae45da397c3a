"""Brings the cluster up and takes it down. Each can be repeated: ``up`` starts what does not run, ``down`` removes all.

The order: what waits for nothing first (etcd, containerd, registry, S3, Kafka), then the API server, then what talks to
it. Programs of one step start together, because the machine has little else to do while each of them waits.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.build import Say, binary_path
from lab.cluster import cgroups, clean, control, daemons, host, manifests, node, services
from lab.cluster.layout import FLINK_UID, KUBECONFIG, MOST_NODES, STATE, VOLUMES, Node
from lab.cluster.pause import import_pause
from lab.errors import LabError, StartError
from lab.places import cache_folder
from lab.processes import Program, Running
from lab.store import locked

_KEPT_WHEN_FRESH = ("containerd", "cni", "registries", "opt")
_PATIENCE = 60.0
_tick = threading.Event()


def up(node_count: int, *, fresh: bool, say: Say) -> None:
    """The cluster ready with ``node_count`` nodes. ``fresh`` forgets what Kubernetes, S3 and Kafka held before.

    Raises NeedsRoot, BuildError (a program is not built), StartError (a part does not come up), LabError.
    """
    host.require_root()
    if not 1 <= node_count <= MOST_NODES:
        raise LabError(f"the lab has 1 to {MOST_NODES} nodes, not {node_count}")
    nodes = tuple(Node(number) for number in range(1, node_count + 1))
    with _alone():
        if fresh:
            _stop_all(say)
            _forget()
        host.install_packages(say)
        host.prepare(nodes)
        started = time.monotonic()
        first = [control.etcd, services.registry, services.s3, services.kafka]
        waiting = [_launch(make, say) for make in first]
        waiting += [_launch_containerd(one, say) for one in nodes]
        daemons.await_ready(*waiting[0])
        daemons.await_ready(*_launch(control.apiserver, say))
        control.write_admin_kubeconfig()
        _apply(manifests.base_objects(control.authority().certificate_path.read_bytes()))
        _forget_absent_nodes(nodes)
        waiting += [_launch(make, say) for make in (control.controller_manager, control.scheduler, control.dns)]
        for one in nodes:
            waiting.append(_launch_kubelet(one, say))
        waiting += [_launch(make, say) for make in (control.proxy, control.metrics)]
        _make_volumes()
        for program, running in waiting:
            daemons.await_ready(program, running)
        _await_nodes(nodes)
        # As long as one group of the API does not answer, every program that lists them all complains.
        _await("the metrics API", lambda: _kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1") != "")
        _await("the default ServiceAccount", lambda: _kubectl("get", "serviceaccount", "default", "-o", "name") != "")
        say(f"ready after {time.monotonic() - started:.0f} s")


def down(*, purge: bool, say: Say) -> None:
    """Nothing of the cluster on the machine any more but its state; with ``purge`` not even that."""
    host.require_root()
    with _alone():
        _stop_all(say)
        if purge:
            shutil.rmtree(STATE, ignore_errors=True)


def kill_node(number: int) -> None:
    """SIGKILL for kubelet, containerd and every pod of a node, as if its machine had lost power."""
    host.require_root()
    one = Node(number)
    cgroups.kill(f"headgate-lab/parts/{one.parts[1]}")
    cgroups.kill(f"headgate-lab/parts/{one.parts[0]}")
    cgroups.kill(one.cgroup)


def _stop_all(say: Say) -> None:
    for name in ("metrics-server", "kube-proxy", "kube-scheduler", "kube-controller-manager", "coredns"):
        daemons.halt(name, 5)
    for number in range(1, MOST_NODES + 1):
        one = Node(number)
        daemons.halt(one.parts[1], 5)
        cgroups.kill(one.cgroup)
        daemons.halt(one.parts[0], 5)
        clean.clean_node(one)
    for name in ("kafka", "versitygw", "registry"):
        daemons.halt(name, 15)
    daemons.halt("kube-apiserver", 10)
    daemons.halt("etcd", 5)
    clean.clean_all()
    say("stopped")


def _launch(make: Callable[[], Program], say: Say) -> tuple[Program, Running | None]:
    program = make()
    running = daemons.ensure(program)
    if running is not None:
        say(f"starting {program.name}")
    return program, running


def _launch_containerd(one: Node, say: Say) -> tuple[Program, Running | None]:
    """containerd of a node with the pause image in it; leftovers of one that was killed are removed first."""
    if daemons.find(one.parts[0]) is None:
        daemons.halt(one.parts[1], 5)
        clean.clean_node(one)
    cgroups.make_pod_cgroup(one.cgroup)
    program, running = _launch(lambda: node.containerd(one), say)
    if running is not None:
        daemons.await_ready(program, running)
        import_pause(one)
    return program, running


def _launch_kubelet(one: Node, say: Say) -> tuple[Program, Running | None]:
    return _launch(lambda: node.kubelet(one), say)


def _forget() -> None:
    """Everything but images, certificates and what the registry holds."""
    for name in ("etcd", "buckets", "kafka", "volumes", "logs"):
        shutil.rmtree(STATE / name, ignore_errors=True)
    for number in range(1, MOST_NODES + 1):
        folder = Node(number).state
        for inside in folder.iterdir() if folder.is_dir() else ():
            if inside.is_dir() and inside.name not in _KEPT_WHEN_FRESH:
                shutil.rmtree(inside)


def _forget_absent_nodes(nodes: tuple[Node, ...]) -> None:
    """Nodes of an earlier start that do not run: they would count as Ready for a while, and pods would be sent there."""
    everyone = (Node(number) for number in range(1, MOST_NODES + 1))
    absent = [one.name for one in everyone if one not in nodes and daemons.find(one.parts[1]) is None]
    if absent:
        _kubectl("delete", "node", "--ignore-not-found", *absent, must=True)


def _make_volumes() -> None:
    """Folders and PersistentVolumes; one whose claim is gone is emptied and offered anew."""
    listed = json.loads(_kubectl("get", "persistentvolumes", "-o", "json") or '{"items": []}')["items"]
    phases = {item["metadata"]["name"]: item.get("status", {}).get("phase") for item in listed}
    wanted = []
    for name in manifests.volume_names():
        folder = VOLUMES / name
        if phases.get(name) in ("Released", "Failed"):
            _kubectl("delete", "persistentvolume", name, "--wait=true")
            shutil.rmtree(folder, ignore_errors=True)
        elif phases.get(name) is not None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, FLINK_UID, FLINK_UID)
        folder.chmod(0o777)
        wanted.append(manifests.volume(name))
    _apply(tuple(wanted))


def _apply(objects: tuple[dict[str, object], ...]) -> None:
    if objects:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        _kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=listed, must=True)


def _kubectl(*arguments: str, stdin: str = "", must: bool = False) -> str:
    command = [str(binary_path("kubectl")), f"--kubeconfig={KUBECONFIG}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if must and done.returncode != 0:
        raise LabError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode == 0 else ""


def _await_nodes(nodes: tuple[Node, ...]) -> None:
    names = [f"node/{one.name}" for one in nodes]
    _await("the nodes' registration", lambda: _kubectl("get", *names, "-o", "name") != "")
    _kubectl("wait", "--for=condition=Ready", f"--timeout={_PATIENCE:.0f}s", *names, must=True)


def _await(what: str, there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not there():
        if time.monotonic() > deadline:
            raise StartError(f"{what} did not appear within {_PATIENCE:.0f} s; see: python -m lab status")
        _tick.wait(0.2)


@contextmanager
def _alone() -> Iterator[None]:
    """One ``up`` or ``down`` at a time on this machine."""
    with locked(cache_folder() / "lab.lock"):
        yield
