"""Brings layers into the target by the cheapest way that works: they are there, they are mounted, or they are sent.

Base layers are mounted from the base's repository. Across registries that is impossible: they are copied only when the request
says so, since it may be hundreds of megabytes. Called by the executor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headgate.imagebuild.errors import BaseRefused
from headgate.imagebuild.layers import Layer
from headgate.imagebuild.manifest import Descriptor
from headgate.imagebuild.request import BuildRequest, LayerState, Progress
from headgate.imagebuild.stores import Blob

Settled = tuple[str, int, LayerState]
"""A layer's name, bytes and state."""


def settle_base(request: BuildRequest, layers: tuple[Descriptor, ...], progress: Progress) -> Settled:
    """Make sure that the target has the base's layers; BaseRefused when they would have to be copied without leave."""
    size = sum(layer.size for layer in layers)
    missing = [layer for layer in dict.fromkeys(layers) if not request.target.has(layer.digest)]
    state = LayerState.PRESENT
    near = request.base.location[0] == request.target.location[0]
    if missing and near and not request.dry_run:
        missing = [layer for layer in missing if not request.target.mount(layer.digest, request.base.location[1])]
        state = LayerState.MOUNTED
    if missing and not near and not request.copy_base:
        amount = sum(layer.size for layer in missing)
        raise BaseRefused(
            f"The base {request.base_name} lies in another registry than {request.target_name}, which lacks "
            f"{len(missing)} of its layers ({amount / 1e6:.0f} MB); layers cannot be mounted across registries.",
            remedy="Say --copy-base to copy them once, or copy the base first and name the copy with --base.",
        )
    if missing and request.dry_run:
        state = LayerState.MISSING
    elif missing:
        for layer in missing:
            read = _reader(request, layer)
            blob = Blob(layer.digest, layer.size, read)
            request.target.upload(blob, lambda count: progress.sent("base", count, size))
        state = LayerState.COPIED
    progress.layer("base", size, state)
    return "base", size, state


def settle_layer(request: BuildRequest, layer: Layer, progress: Progress) -> Settled:
    """Make sure that the target has ``layer``."""
    target, state = request.target, LayerState.UPLOADED
    if target.has(layer.digest):
        state = LayerState.PRESENT
    elif request.dry_run:
        state = LayerState.MISSING
    elif any(target.mount(layer.digest, source) for source in request.mount_from):
        state = LayerState.MOUNTED
    else:
        blob = Blob(layer.digest, layer.size, layer.read)
        target.upload(blob, lambda count: progress.sent(layer.name, count, layer.size))
    progress.layer(layer.name, layer.size, state)
    return layer.name, layer.size, state


def _reader(request: BuildRequest, layer: Descriptor) -> Callable[[], Iterator[bytes]]:
    return lambda: request.base.stream(layer)
