"""An S3 server (versitygw over a folder), for component tests and the cluster. A subfolder is a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.build import binary_path
from lab.network_ports import accepts, free_ports
from lab.processes import Program, start, stop, wait_ready

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server; every bucket lies below ``folder`` as plain files."""

    endpoint: str
    access_key: str
    secret_key: str
    folder: Path
    region: str = REGION

    def make_bucket(self, name: str) -> str:
        """The bucket, there afterwards; gives the name back."""
        (self.folder / name).mkdir(exist_ok=True)
        return name


def s3_program(server: S3Server, host: str, port: int, log: Path) -> Program:
    """How to run it; the keys go in the environment, not on the command line."""
    return Program(
        name="versitygw",
        argv=(str(binary_path("versitygw")), "--port", f"{host}:{port}", "--region", server.region, "--quiet",
              "posix", str(server.folder)),
        environment={"ROOT_ACCESS_KEY_ID": server.access_key, "ROOT_SECRET_ACCESS_KEY": server.secret_key},
        ready=accepts(host, port),
        log=log,
    )  # fmt: skip


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """The server on a free port until the block is left."""
    (port,) = free_ports(1)
    server = S3Server(f"http://127.0.0.1:{port}", "headgate", "headgate-lab-secret", folder / "buckets")
    server.folder.mkdir(parents=True, exist_ok=True)
    running = start(s3_program(server, "127.0.0.1", port, folder / "logs" / "versitygw.log"))
    try:
        wait_ready(running)
        yield server
    finally:
        stop(running)
