"""Where Headgate keeps things on this machine, and where the runtime's source lies.

Called by every other module of this package. It computes paths and reads the environment that it is given; it creates
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import headgate
from headgate.errors import ToolMissing

PACKAGE = Path(headgate.__file__).resolve().parent


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The folder for what can be made again: ``$XDG_CACHE_HOME/headgate``, by default ``~/.cache/headgate``."""
    return _xdg(environ, "XDG_CACHE_HOME", ".cache")


def state_folder(environ: Mapping[str, str]) -> Path:
    """The folder for logs of runs: ``$XDG_STATE_HOME/headgate``, by default ``~/.local/state/headgate``."""
    return _xdg(environ, "XDG_STATE_HOME", ".local/state")


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> Path:
    given = environ.get(variable, "")
    # The XDG specification asks that a relative path be ignored.
    if given and Path(given).is_absolute():
        return Path(given) / "headgate"
    home = environ.get("HOME", "")
    return (Path(home) if home else Path.home()) / default / "headgate"


@dataclass(frozen=True, slots=True)
class RuntimeSource:
    """The runtime project: ``headgate_runtime/``, ``requirements.lock`` and ``connectors.lock.json`` under ``root``."""

    root: Path
    checkout: bool
    """True in a git checkout, False inside an installed wheel."""

    @property
    def lock(self) -> Path:
        """The hash-pinned requirements of the runtime."""
        return self.root / "requirements.lock"

    @property
    def package(self) -> Path:
        """The importable package itself."""
        return self.root / "headgate_runtime"

    @property
    def connectors(self) -> Path:
        """The lock file of connector and format jars."""
        return self.root / "connectors.lock.json"


def find_runtime_source(package: Path = PACKAGE) -> RuntimeSource:
    """The runtime's source next to ``package``: inside the wheel, or in the checkout that holds it.

    Raises ``ToolMissing`` when neither is there, which means a broken installation.
    """
    bundled = package / "_runtime"
    if (bundled / "headgate_runtime").is_dir():
        return RuntimeSource(bundled, checkout=False)
    checkout = package.parents[1] / "images" / "runtime"
    if (checkout / "headgate_runtime").is_dir():
        return RuntimeSource(checkout, checkout=True)
    raise ToolMissing(
        f"The runtime's source is neither in {bundled} nor in {checkout}.",
        remedy="Install Headgate again, or run it from a complete checkout.",
    )
