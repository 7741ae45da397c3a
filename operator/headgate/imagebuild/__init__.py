"""Builds job images without a daemon: a pure plan, then an executor that sends a registry only what it lacks.

Read in this order: ``plan`` (what an image is), ``layers`` (how bytes come to be), ``registry`` (how they travel),
``executor`` (what is done, in which order). Called by ``headgate.cli.build`` and by the builder's Job in a cluster.
It takes plain values, files and bytes, and never a ModelDeployment.
"""
