"""Finds the base image and reads what it says about itself: its manifest, its config, its labels. Never a layer.

Called by the executor and by ``headgate build --dry-run``.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.imagebuild.base import BaseFacts, read_base
from headgate.imagebuild.errors import ManifestRefused, RegistryMissing
from headgate.imagebuild.imageconfig import ImageConfig, parse_config
from headgate.imagebuild.manifest import Index, Manifest, Platform, choose_platform, parse_manifest
from headgate.imagebuild.stores import ImageSource


@dataclass(frozen=True, slots=True)
class Base:
    """A base image that is known to fit."""

    digest: str
    """Of what the reference names: an image's manifest, or an index."""
    manifest: Manifest
    config: ImageConfig
    facts: BaseFacts


def find_base(source: ImageSource, selector: str, name: str) -> str:
    """The digest that ``selector`` (a tag or a digest) stands for; RegistryMissing when there is none."""
    digest = source.find(selector)
    if not digest:
        raise RegistryMissing(f"There is no base image {name}.", remedy="Name another with --base.")
    return digest


def load_base(source: ImageSource, digest: str, platform: Platform, name: str) -> Base:
    """Read the base; BaseRefused when it has not the labels or is for another machine."""
    fetched = source.manifest(digest)
    parsed = parse_manifest(fetched.data, fetched.media_type, f"The base {name}")
    if isinstance(parsed, Index):
        chosen = choose_platform(parsed, platform, f"The base {name}")
        fetched = source.manifest(chosen.digest)
        parsed = parse_manifest(fetched.data, fetched.media_type, f"The base {name}")
    if isinstance(parsed, Index):
        raise ManifestRefused(f"The base {name} is an index within an index.")
    config = parse_config(source.blob(parsed.config), f"The config of the base {name}")
    if len(config.diff_ids) != len(parsed.layers):
        raise ManifestRefused(f"The base {name} has {len(parsed.layers)} layers and {len(config.diff_ids)} diff-ids.")
    return Base(digest, parsed, config, read_base(config, platform, name))
