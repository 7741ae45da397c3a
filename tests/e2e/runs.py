"""A run made by hand, without the operator: its image by ``headgate build``, its objects by ``render_run``, *go* by the test."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import apply, delete, eventually, flink_of, kill_container, kubectl, listed, read, tell_pods
from e2e.stopwatch import STOPWATCH
from headgate.api.load import load_modeldeployments
from headgate.api.resources import ModelDeployment
from headgate.flink.errors import FlinkRefused, FlinkUnreachable
from headgate.flink.rest import WARM_UP, Checkpoints, FlinkRest, Job
from headgate.planning.manifests import render_go, render_run
from headgate.planning.runspec import RUN_LABEL, RunSpec

PATIENCE_S = 240
"""For anything that pods do: the machine may be busy with other things."""


@dataclass(frozen=True, slots=True)
class Built:
    """An image in the lab's registry, and what ``headgate build`` said of it."""

    image: str
    revision: str
    seconds: float
    description: dict[str, Any]


def build(file: Path, base: str) -> Built:
    """``headgate build``, as a person would call it; plain http, since the lab's registry has no certificate."""
    program = Path(sys.executable).with_name("headgate")
    host = base.partition(":")[0]
    command = [str(program), "build", str(file), "--base", base, "--plain-http", "--allow-private", host, "-o", "json"]
    before = len(STOPWATCH.taken)
    with STOPWATCH.step(f"headgate build {file.stem}"):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return Built(told["image"], told["revision"], STOPWATCH.taken[before][1], told)


class Run:
    """One Flink cluster of one image, named ``<deployment>-<label>``."""

    def __init__(self, file: Path, built: Built, namespace: str, label: str) -> None:
        deployment: ModelDeployment = load_modeldeployments(file.read_text(), source=str(file))[0]
        name = deployment.metadata.name
        self.spec = RunSpec(
            name=f"{name}-{label}",
            namespace=namespace,
            deployment=name,
            revision=built.revision,
            image=built.image,
            flink=deployment.spec.flink,
            folder=f"{deployment.spec.flink.storage.uri}/{label}",
            tables=deployment.spec.pipeline.tables,
        )
        self.label = label

    @property
    def selector(self) -> str:
        """Of its pods."""
        return f"{RUN_LABEL}={self.spec.name}"

    def apply(self) -> None:
        """All its objects but *go*."""
        apply(*render_run(self.spec))

    def go(self, savepoint: str = "") -> None:
        """Let it start."""
        apply(render_go(self.spec, savepoint))

    def delete(self) -> None:
        """All its objects, and what Flink keeps about a run that did not end by itself."""
        delete(self.spec.namespace, (*render_run(self.spec), render_go(self.spec, "")))
        kubectl(
            "-n", self.spec.namespace, "wait", "--for=delete", "pod", "-l", self.selector, f"--timeout={PATIENCE_S}s"
        )
        kubectl("-n", self.spec.namespace, "delete", "configmap", "-l", self._flinks_own, "--ignore-not-found")

    def report(self) -> dict[str, str]:
        """What main() has reported."""
        found = read(self.spec.namespace, "configmap", f"{self.spec.name}-status")
        return dict((found or {}).get("data") or {})

    def await_ready(self, seconds: float = PATIENCE_S) -> None:
        """Until main() only waits for *go*."""

        def waiting() -> bool:
            report = self.report()
            assert not report.get("reason"), f"{self.spec.name} failed: {report}"
            return report.get("stage") == "wait"

        eventually(f"{self.spec.name} is ready", waiting, seconds, self.tell)

    def flink(self) -> FlinkRest:
        """Its REST API, by the Service's address."""
        return flink_of(self.spec.namespace, self.spec.name)

    def job(self) -> Job | None:
        """The job, or None while Flink does not answer or has none."""
        try:
            with self.flink() as flink:
                return flink.job()
        except (FlinkUnreachable, FlinkRefused):
            return None

    def warm_ups(self) -> list[str]:
        """States of the jobs by which it warmed up, as far as its JobManager's process knows; none while that does not answer."""
        try:
            with self.flink() as flink:
                return [one.state.value for one in flink.jobs() if one.name == WARM_UP]
        except (FlinkUnreachable, FlinkRefused):
            return []

    def await_scoring(self, seconds: float = PATIENCE_S) -> Job:
        """Until every task runs."""

        def scoring() -> Job | None:
            job = self.job()
            return job if job is not None and job.scores else None

        return eventually(f"all tasks of {self.spec.name} run", scoring, seconds, self.tell)

    def checkpoints(self) -> Checkpoints:
        """Of the job that runs."""
        job = self.job()
        if job is None:
            return Checkpoints(0, 0, "")
        with self.flink() as flink:
            return flink.checkpoints(job.id)

    def await_checkpoint(self, seconds: float = PATIENCE_S) -> str:
        """The path of the newest checkpoint, once there is one."""

        def newest() -> str:
            try:
                return self.checkpoints().newest
            except (FlinkUnreachable, FlinkRefused):
                return ""

        return eventually(f"{self.spec.name} takes a checkpoint", newest, seconds, self.tell)

    def stop(self, trigger: str, seconds: float = PATIENCE_S) -> str:
        """Stop with savepoint; gives its path."""
        job = self.job()
        assert job is not None, self.tell()
        folder = f"{self.spec.folder}/savepoints"
        with self.flink() as flink:
            flink.stop(job.id, folder, trigger)

            def path() -> str:
                request = flink.savepoint_request(job.id, trigger)
                assert request is None or not request.failure, request
                return request.path if request is not None else ""

            return eventually(f"{self.spec.name} stops with a savepoint", path, seconds, self.tell)

    def await_end(self, seconds: float = PATIENCE_S) -> None:
        """Until the JobManager has ended well and will not come back."""

        def complete() -> bool:
            job = read(self.spec.namespace, "job", f"{self.spec.name}-jm")
            conditions = ((job or {}).get("status") or {}).get("conditions") or []
            return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)

        eventually(f"the JobManager of {self.spec.name} has ended", complete, seconds, self.tell)

    def job_manager(self) -> dict[str, Any]:
        """Its pod."""
        (pod,) = listed(self.spec.namespace, "pods", f"{self.selector},app.kubernetes.io/component=jobmanager")
        return pod

    def kill_job_manager(self) -> int:
        """As a machine would; gives how often it had been started again before."""
        pod = self.job_manager()
        kill_container(pod)
        return int(pod["status"]["containerStatuses"][0]["restartCount"])

    @property
    def _flinks_own(self) -> str:
        return f"app={self.spec.name},type=flink-native-kubernetes"

    def high_availability_maps(self) -> list[str]:
        """Names of the ConfigMaps that Flink keeps about the run."""
        return [one["metadata"]["name"] for one in listed(self.spec.namespace, "configmaps", self._flinks_own)]

    def tell(self) -> str:
        """What is known when something did not come."""
        return f"report: {self.report()}\njob: {self.job()}\n{tell_pods(self.spec.namespace, self.selector)}"
