"""kopf, and only here: one daemon per ModelDeployment, woken by its own changes and by its children's.

A daemon asks the controller for one round after another. It never decides: deletion is a branch of the plan, which is why
there is no deletion handler, and the daemon outlives the deletion until the plan has let the object go. When the operator
itself ends, the round under way is finished and nothing is torn down.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import kopf

from headgate.api.resources import GROUP, VERSION
from headgate.controller import BACK_OFF, Controller, Outcome
from headgate.flink.rest import FlinkRest
from headgate.kube.client import Kube, load_api
from headgate.kube.observe import Observer
from headgate.kube.watch import ChildWatch
from headgate.planning.buildjob import BuildSettings
from headgate.planning.manifests import PodSettings, rest_url

log = logging.getLogger("headgate")

Key = tuple[str, str]
_WAKE: dict[Key, asyncio.Event] = {}
_ASKED: dict[Key, Any] = {}
_PLURAL = "modeldeployments"
_ROUNDS_AT_ONCE = 12


def make_controller() -> Controller:
    """The controller of this process, from its environment."""
    kube = Kube(load_api(os.environ.get("KUBECONFIG")))
    namespaces = tuple(os.environ.get("HEADGATE_NAMESPACES", "").split())

    def open_flink(run: str, namespace: str) -> FlinkRest:
        template = os.environ.get("HEADGATE_FLINK_URL", "")
        return FlinkRest(template.format(run=run, namespace=namespace) if template else rest_url(run, namespace))

    builders = int(os.environ.get("HEADGATE_BUILDERS", "2"))
    return Controller(
        kube,
        Observer(kube, open_flink, builders, namespaces),
        open_flink,
        BuildSettings.from_environment(os.environ),
        _now,
        PodSettings.from_text(os.environ.get("HEADGATE_RUNS", "")),
    )


def _now() -> datetime:
    return datetime.now(UTC)


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, memo: Any, **_: Any) -> None:
    """Settings that kopf's defaults do not have, and the controller."""
    settings.background.cancellation_polling = 5
    settings.persistence.finalizer = "headgate.dev/daemon"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="headgate.dev")
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix="headgate.dev")
    settings.posting.enabled = False
    settings.scanning.disabled = False
    loop = asyncio.get_running_loop()
    # A round is mostly waiting for answers: more of them at once than a machine has cores.
    loop.set_default_executor(ThreadPoolExecutor(_ROUNDS_AT_ONCE, thread_name_prefix="round"))
    memo.controller = await asyncio.to_thread(make_controller)
    observer = memo.controller.observer

    def wake(namespace: str, name: str) -> None:
        loop.call_soon_threadsafe(_wake, (namespace, name))

    memo.watch = ChildWatch(observer.kube, wake, observer.namespaces)
    memo.watch.start()


@kopf.on.cleanup()
async def end(memo: Any, **_: Any) -> None:
    """Nobody is woken any more."""
    memo.watch.stop()


@kopf.daemon(GROUP, VERSION, _PLURAL, cancellation_backoff=3600)
async def reconcile(*, name: str, namespace: str | None, stopped: kopf.DaemonStopped, memo: Any, **_: Any) -> None:
    """Round after round, until the object is gone or the operator ends."""
    namespace = namespace or ""
    key = (namespace, name)
    _WAKE.setdefault(key, asyncio.Event())
    while True:
        outcome = await _round(memo.controller, namespace, name)
        if outcome.requeue is None or (stopped and _only_exiting(stopped)):
            _WAKE.pop(key, None)
            _ASKED.pop(key, None)
            return
        await _sleep(key, outcome.requeue.total_seconds(), stopped)


async def _round(controller: Controller, namespace: str, name: str) -> Outcome:
    try:
        return await asyncio.to_thread(controller.reconcile, namespace, name)
    except Exception:
        # A mistake of ours in one object must not end the daemon: say it with its trace, and look again.
        log.exception("%s/%s: the round failed", namespace, name)
        return Outcome(BACK_OFF * 6)


def _only_exiting(stopped: kopf.DaemonStopped) -> bool:
    """Whether the operator ends; a deleted object's daemon goes on until the plan has let it go."""
    return kopf.DaemonStoppingReason.RESOURCE_DELETED not in (stopped.reason or kopf.DaemonStoppingReason(0))


async def _sleep(key: Key, seconds: float, stopped: kopf.DaemonStopped) -> None:
    """Until something changes, the operator ends, or ``seconds`` have passed."""
    wake = _WAKE[key]
    waiting: set[asyncio.Future[Any]] = {asyncio.ensure_future(wake.wait())}
    if not stopped:
        waiting.add(asyncio.ensure_future(_ended(stopped)))
    _, left = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    wake.clear()


async def _ended(stopped: kopf.DaemonStopped) -> None:
    await stopped.wait()


@kopf.on.event(GROUP, VERSION, _PLURAL)
async def changed(*, name: str, namespace: str | None, meta: Any, **_: Any) -> None:
    """The object itself changed: its daemon looks at once, unless it was its own status that it wrote."""
    key = (namespace or "", name)
    asked = (
        meta.get("generation"),
        meta.get("deletionTimestamp"),
        tuple(sorted((meta.get("annotations") or {}).items())),
    )
    if _ASKED.get(key) != asked:
        _ASKED[key] = asked
        _wake(key)


def _wake(key: Key) -> None:
    """Only who has a daemon is woken: an object that is gone leaves nothing behind here."""
    if key in _WAKE:
        _WAKE[key].set()
