"""Checks of ``spec.flink``, ``spec.image`` and of every duration. Called through :mod:`headgate.api.checks`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headgate.api.names import did_you_mean
from headgate.api.options import owner_of
from headgate.api.places import STATE_SCHEMES, scheme_of
from headgate.api.problems import Path, Problem
from headgate.api.quantities import parse_duration
from headgate.api.resources import ModelDeploymentSpec

_REPOSITORY = re.compile(
    r"(?P<host>[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?)(/[a-z0-9]+([._-]+[a-z0-9]+)*)+", re.ASCII
)
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}", re.ASCII)


def check_durations(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """A length of time of nothing would mean never or always; say which one is meant by leaving it out."""
    durations: list[tuple[Path, str]] = [
        (("model", "execution", "maxDelay"), spec.model.execution.max_delay),
        (("flink", "checkpointInterval"), spec.flink.checkpoint_interval),
        (("rollout", "progressDeadline"), spec.rollout.progress_deadline),
    ]
    if spec.model.follow is not None:
        durations.append((("model", "follow", "interval"), spec.model.follow.interval))
    for position, step in enumerate(spec.rollout.steps):
        if step.pause is not None and step.pause.duration is not None:
            durations.append((("rollout", "steps", position, "pause", "duration"), step.pause.duration))
        if step.analysis is not None:
            durations.append((("rollout", "steps", position, "analysis", "duration"), step.analysis.duration))
    for path, text in durations:
        if parse_duration(text) == 0:
            yield Problem(path, "must be longer than 0")
    if 0 < parse_duration(spec.flink.checkpoint_interval) < 10:
        yield Problem(("flink", "checkpointInterval"), "Flink takes no checkpoint more often than every 10ms")


def check_storage(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """State lies where Flink's file systems reach."""
    uri, path = spec.flink.storage.uri, ("flink", "storage", "uri")
    if not uri:
        return
    scheme = scheme_of(uri)
    if scheme not in STATE_SCHEMES:
        hint = did_you_mean(scheme, STATE_SCHEMES) if scheme else ""
        yield Problem(path, f"must be a directory such as s3://bucket/path or file:///state{hint}")
    elif scheme == "file" and not re.match(r"file:///+[^/]", uri):
        yield Problem(path, "a local directory is written file:///…, such as file:///state")
    elif scheme != "file" and not re.match(r"[a-z0-9]+://[^/]", uri):
        yield Problem(path, f"names no bucket after {scheme}://")


def check_config(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """No option that Headgate sets itself, and no secret: this map is readable to whoever reads ConfigMaps."""
    for key, value in spec.flink.config.items():
        path: Path = ("flink", "config", key)
        if (owner := owner_of(key)) is not None:
            yield Problem(path, f"Headgate sets this option itself; {owner}")
        if key != key.strip() or re.search(r"\s", key):
            yield Problem(path, "an option's name has no spaces")
        if "${secret:" in value:
            yield Problem(path, "secrets are filled into the options of tables only, not into Flink's options")


def check_repository(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """The repository has a host and a path, and no tag: images are named by digest."""
    repository, path = spec.image.repository, ("image", "repository")
    if not repository:
        return
    if "://" in repository:
        yield Problem(path, f"leave out the scheme: {_untagged(repository.split('://', 1)[1])}")
    elif _untagged(repository) != repository:
        yield Problem(path, f"leave out tag and digest, the build names the image: {_untagged(repository)}")
    elif not _REPOSITORY.fullmatch(repository):
        yield Problem(path, "is not host/path of a registry, such as registry.example.com/models/churn")


def _untagged(repository: str) -> str:
    name = repository.split("@", 1)[0]
    host, slash, path = name.rpartition("/")
    return f"{host}{slash}{path.split(':', 1)[0]}" if slash else name


def check_base(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """A base without a digest could change under a finished image."""
    if spec.image.base and not _DIGEST.fullmatch(spec.image.base):
        yield Problem(("image", "base"), "must end in a digest (…@sha256:…), so that it stays what it is")


def check_slots(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """Slots that nothing can ever use."""
    slots, parallelism = spec.flink.slots_per_task_manager, spec.flink.parallelism
    if slots > parallelism:
        message = f"{slots} slots for a parallelism of {parallelism}: the others stay empty and still share the memory"
        yield Problem(("flink", "slotsPerTaskManager"), message)


def check_file_without_claim(spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """A directory of one pod is not seen by another."""
    storage = spec.flink.storage
    if storage.uri.startswith("file:") and not storage.claim:
        message = "fine on a laptop; on Kubernetes the pods share a file:/// directory only on a claim (storage.claim)"
        yield Problem(("flink", "storage", "uri"), message)
