"""What ``headgate build`` says on the way and at the end: one line a step on stderr, the image's name on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from headgate.cli.console import plural, size, tell
from headgate.imagebuild.registry.calls import Traffic
from headgate.imagebuild.request import BuildRequest, BuildResult, LayerState

_ANNOUNCED = 16 * 1024 * 1024
"""Bytes from which a layer's upload is reported while it goes."""


class BuildLines:
    """Listens to a build; see ``imagebuild.request.Progress``."""

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._began = time.monotonic()

    def stage(self, text: str) -> None:
        """A step begins."""
        tell(f"{text} …")

    def sent(self, layer: str, count: int, total: int) -> None:
        """Bytes went out; a large layer says so at every tenth."""
        sent = self._sent[layer] = self._sent.get(layer, 0) + count
        tenth = sent * 10 // total if total else 10
        if total >= _ANNOUNCED and tenth > self._told.get(layer, 0) and tenth < 10:
            self._told[layer] = tenth
            end = "\r" if sys.stderr.isatty() else "\n"
            sys.stderr.write(f"  {layer}: {size(sent)} of {size(total)}{end}")
            sys.stderr.flush()

    def layer(self, layer: str, total: int, state: LayerState) -> None:
        """A layer is settled."""
        tell(f"  {layer:<14} {state.value:<9} {size(total)}")

    def closing(self, description: dict[str, Any], *, dry_run: bool) -> Iterator[str]:
        """The last lines."""
        seconds = time.monotonic() - self._began
        if dry_run:
            yield f"plan {description['plan']}"
            missing = [layer for layer in description["layers"] if layer["state"] == LayerState.MISSING.value]
            if not description["built"]:
                yield "it is built already: nothing would be uploaded"
            else:
                amount = size(sum(int(layer["size"]) for layer in missing))
                yield f"would be uploaded: {plural(len(missing), 'layer')}, {amount} (nothing was written)"
            return
        done = "built" if description["built"] else "was built already"
        yield (
            f"{done} in {seconds:.1f} s, {size(description['bytesSent'])} sent, "
            f"{size(description['bytesReceived'])} received, {plural(description['requests'], 'request')}"
        )


def describe_result(request: BuildRequest, result: BuildResult, revision: str, traffic: Traffic) -> dict[str, Any]:
    """The result as a JSON object."""
    dependencies = result.plan.dependencies
    return {
        "image": f"{request.target_name}@{result.digest}",
        "digest": result.digest,
        "built": result.built,
        "dryRun": request.dry_run,
        "revision": revision,
        "plan": result.plan.key,
        "tag": result.plan.tag,
        "base": result.plan.base_digest,
        "lockDigest": f"sha256:{dependencies.lock_sha256}" if dependencies else "",
        "models": [
            {"slot": model.slot, "version": model.version, "digest": model.digest, "uri": model.uri, "etag": model.etag}
            for model in request.models
        ],
        "layers": [{"name": name, "size": total, "state": state.value} for name, total, state in result.layers],
        "bytesSent": traffic.sent,
        "bytesReceived": traffic.received,
        "requests": traffic.requests,
    }
