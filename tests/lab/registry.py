"""Image registries, plain http, for component tests and the cluster.

The usual one (distribution) keeps files and has no referrers API, as many registries in use have none: clients must fall
back to the tag scheme. The other one keeps everything in memory and has that API.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.build import binary_path
from lab.network_ports import answers, free_ports
from lab.processes import Program, start, stop, wait_ready


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry: ``address`` is host:port, as it stands in image references."""

    address: str
    folder: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}"


def registry_program(registry: Registry, config: Path, log: Path) -> Program:
    """Write its configuration to ``config`` and say how to run it."""
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump({
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(registry.folder)}, "delete": {"enabled": True}},
        "http": {"addr": registry.address, "secret": "lab"},
    }))  # fmt: skip
    return Program(
        name="registry",
        argv=(str(binary_path("registry")), "serve", str(config)),
        environment={"OTEL_TRACES_EXPORTER": "none"},
        ready=answers(f"{registry.url}/v2/"),
        log=log,
    )


@contextmanager
def registry_server(folder: Path) -> Iterator[Registry]:
    """The registry on a free port until the block is left; ``folder`` takes data and logs."""
    (port,) = free_ports(1)
    registry = Registry(f"127.0.0.1:{port}", folder / "registry")
    running = start(registry_program(registry, folder / "registry.yaml", folder / "logs" / "registry.log"))
    try:
        wait_ready(running)
        yield registry
    finally:
        stop(running)


@contextmanager
def registry_with_referrers(folder: Path) -> Iterator[Registry]:
    """A registry in memory with the referrers API until the block is left; ``folder`` takes its log."""
    (port,) = free_ports(1)
    registry = Registry(f"127.0.0.1:{port}", folder)
    running = start(
        Program(
            name="referrers",
            argv=(str(binary_path("referrers")), registry.address),
            ready=answers(f"{registry.url}/v2/"),
            log=folder / "logs" / "referrers.log",
        )
    )
    try:
        wait_ready(running)
        yield registry
    finally:
        stop(running)
