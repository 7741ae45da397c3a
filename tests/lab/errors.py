"""What can go wrong in the lab, as sentences for the person who started it.

The tree:

    LabError
    ├── BuildError      a binary or jar could not be made or fetched
    ├── StartError      a part ended or never became ready: names its log and quotes the end of it
    └── NeedsRoot       the cluster was asked for without root
"""

from __future__ import annotations


class LabError(Exception):
    """Base of all; ``str(error)`` says what is wrong, where, and what to do."""


class BuildError(LabError):
    """A binary or a jar could not be made or fetched."""


class StartError(LabError):
    """A part ended early or did not become ready in time."""


class NeedsRoot(LabError):
    """The cluster makes network bridges, mounts and cgroups, which only root may."""
