"""The lab for the end-to-end tests: brought up once, left as it was found; and the timings at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from e2e.cluster import run_lab
from e2e.release import RELEASE_NAMESPACE, install, uninstall
from e2e.stopwatch import STOPWATCH
from lab.cluster.layout import TENANTS
from lab.cluster.status import report


@pytest.fixture(scope="session")
def lab() -> Iterator[None]:
    """The lab, running. One that ran before stays up."""
    if os.geteuid() != 0:
        pytest.skip("the cluster needs root")
    ran = report().lines != ("the lab is not running",)
    with STOPWATCH.step("lab up"):
        run_lab("up")
    yield
    if not ran:
        with STOPWATCH.step("lab down"):
            run_lab("down")


@pytest.fixture(scope="session")
def runtime_image(lab: None) -> str:
    """The base image in the lab's registry, by digest."""
    with STOPWATCH.step("base image built, or found, and pushed"):
        return run_lab("image", "runtime").split()[-1]


@pytest.fixture(scope="session")
def tenant(lab: None) -> str:
    """A namespace that takes restricted pods only."""
    return TENANTS[0]


@pytest.fixture(scope="session")
def operator_image(lab: None) -> str:
    """The image of operator and builder in the lab's registry, by digest."""
    with STOPWATCH.step("operator's image built, or found, and pushed"):
        return run_lab("image", "operator").split()[-1]


@pytest.fixture(scope="session")
def operator(request: pytest.FixtureRequest, lab: None, runtime_image: str) -> Iterator[str]:
    """The operator, installed by its chart; gives the release's namespace.

    ``HEADGATE_E2E_OPERATOR``: the namespace of a release that runs already and is left alone; ``outside``: a process of yours.
    """
    given = os.environ.get("HEADGATE_E2E_OPERATOR", "")
    if given:
        yield "" if given == "outside" else given
        return
    image = str(request.getfixturevalue("operator_image"))
    with STOPWATCH.step("helm install"):
        install(image, runtime_image)
    yield RELEASE_NAMESPACE
    uninstall()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long everything took."""
    if STOPWATCH.taken:
        terminalreporter.section("timings")
        for line in STOPWATCH.lines():
            terminalreporter.write_line(line)
