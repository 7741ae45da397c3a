"""Reads the base's image config and renders the built image's from it.

Format: the OCI image specification 1.1, config.md. What the base says about users, entry point and ports stays as it
is; environment, labels, layers and history are added to. No clock: the created time is the base's own, so that the same
inputs give the same digest. Pure; called by the executor.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from headgate.imagebuild.canonical import canonical_json, check_digest
from headgate.imagebuild.errors import ManifestRefused
from headgate.imagebuild.manifest import Platform, check_size

EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What this package uses of an image config; ``raw`` holds the whole of it."""

    raw: bytes
    platform: Platform
    labels: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    diff_ids: tuple[str, ...]

    def label(self, key: str) -> str:
        """The label's value, or an empty string."""
        return dict(self.labels).get(key, "")


@dataclass(frozen=True, slots=True)
class AddedLayer:
    """One layer on top of the base: the digest of its uncompressed tar and the line for the image's history."""

    diff_id: str
    created_by: str


def parse_config(data: bytes, subject: str) -> ImageConfig:
    """Read an image config; :class:`ManifestRefused` when it is none."""
    check_size(len(data), subject)
    try:
        value = json.loads(data)
        config = value.get("config") or {}
        diff_ids = tuple(check_digest(str(item), subject) for item in value["rootfs"]["diff_ids"])
        labels = tuple(sorted((str(k), str(v)) for k, v in (config.get("Labels") or {}).items()))
        environment = tuple(_pair(str(item)) for item in config.get("Env") or [])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestRefused(f"{subject} is not the config of an image ({error!r}).") from error
    platform = Platform(str(value.get("os", "")), str(value.get("architecture", "")), str(value.get("variant") or ""))
    return ImageConfig(data, platform, labels, environment, diff_ids)


def render_config(
    base: ImageConfig,
    layers: tuple[AddedLayer, ...],
    environment: tuple[tuple[str, str], ...],
    labels: tuple[tuple[str, str], ...],
) -> bytes:
    """The config of an image that adds ``layers`` to ``base``; ``environment`` and ``labels`` win over the base's."""
    value = json.loads(base.raw)
    config = dict(value.get("config") or {})
    config["Env"] = [f"{key}={item}" for key, item in {**dict(base.environment), **dict(environment)}.items()]
    config["Labels"] = {**dict(base.labels), **dict(labels)}
    created = str(value.get("created") or EPOCH)
    value["config"] = config
    value["created"] = created
    value["rootfs"] = {"type": "layers", "diff_ids": [*base.diff_ids, *(layer.diff_id for layer in layers)]}
    value["history"] = [
        *(value.get("history") or []),
        *({"created": created, "created_by": layer.created_by} for layer in layers),
    ]
    for key in ("container", "container_config", "docker_version", "id", "parent"):
        value.pop(key, None)
    return canonical_json(value)


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value
