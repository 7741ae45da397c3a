"""kopf, and only here: it finds the ModelDeployments and tells when one of them changes; ``rounds`` does the rest.

Of kopf's two ways, events and daemons, this is the first. A daemon would need a finalizer of kopf's own, and an operator that
starts in the middle of a deletion is given no daemon for the object, so that nobody would end its stream.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import kopf

from headgate import logs
from headgate.api.resources import GROUP, VERSION
from headgate.controller import Controller
from headgate.flink.rest import FlinkRest
from headgate.kube.client import Kube, load_api
from headgate.kube.observe import Observer
from headgate.kube.watch import ChildWatch
from headgate.metrics import Metrics, serve
from headgate.planning.buildjob import BuildSettings
from headgate.planning.manifests import rest_url
from headgate.planning.runspec import PodSettings
from headgate.planning.scope import Installation
from headgate.rounds import Rounds

_PLURAL = "modeldeployments"
_ROUNDS_AT_ONCE = 12


def make_controller(metrics: Metrics) -> Controller:
    """The controller of this process, from its environment."""
    api = load_api(os.environ.get("KUBECONFIG"))
    metrics.count_requests(api)
    kube = Kube(api)
    namespaces = tuple(os.environ.get("HEADGATE_NAMESPACES", "").split())

    def open_flink(run: str, namespace: str) -> FlinkRest:
        template = os.environ.get("HEADGATE_FLINK_URL", "")
        return FlinkRest(template.format(run=run, namespace=namespace) if template else rest_url(run, namespace))

    builders = int(os.environ.get("HEADGATE_BUILDERS", "2"))
    return Controller(
        kube,
        Observer(kube, open_flink, builders, Installation.from_environment(os.environ), namespaces),
        open_flink,
        BuildSettings.from_environment(os.environ),
        _now,
        PodSettings.from_text(os.environ.get("HEADGATE_RUNS", "")),
    )


def _now() -> datetime:
    return datetime.now(UTC)


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> None:
    """Settings that kopf's defaults do not have, the controller, and the watches of what belongs to the objects."""
    for noisy in ("kopf.objects", "httpx", "httpcore", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings.posting.enabled = False
    loop = asyncio.get_running_loop()
    # A round is mostly waiting for answers: more of them at once than a machine has cores.
    threads = ThreadPoolExecutor(_ROUNDS_AT_ONCE, thread_name_prefix="round")
    loop.set_default_executor(threads)
    logs.install("headgate")
    metrics = Metrics()
    metrics.queue(threads._work_queue.qsize)
    controller = await asyncio.to_thread(make_controller, metrics)
    memo.rounds = Rounds(metrics.measured(controller.reconcile))

    def wake(namespace: str, name: str) -> None:
        loop.call_soon_threadsafe(memo.rounds.wake, (namespace, name))

    memo.watch = ChildWatch(controller.kube, wake, controller.observer.namespaces)
    memo.watch.start()
    if address := os.environ.get("HEADGATE_METRICS", ""):
        memo.server = serve(metrics, address)
    metrics.ready = True


@kopf.on.cleanup()
async def end(memo: Any, **_: Any) -> None:
    """The operator ends: nobody is woken any more, and what is under way is finished."""
    memo.watch.stop()
    await memo.rounds.end()
    if "server" in memo:
        await asyncio.to_thread(memo.server.shutdown)


@kopf.on.event(GROUP, VERSION, _PLURAL)
async def changed(*, type: str | None, name: str, namespace: str | None, meta: Any, memo: Any, **_: Any) -> None:  # noqa: A002 - kopf's word
    """An object is there, was changed, or is gone. A change of its status alone is one that a round of its own made."""
    key = (namespace or "", name)
    if type == "DELETED":
        memo.rounds.wake(key)
        return
    annotations = tuple(sorted((meta.get("annotations") or {}).items()))
    memo.rounds.look_after(key, (meta.get("uid"), meta.get("generation"), meta.get("deletionTimestamp"), annotations))
