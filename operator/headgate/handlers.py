"""kopf, and only here: one daemon per ModelDeployment, woken by its own changes and by its children's.

A daemon asks the controller for one round after another. It never decides: deletion is a branch of the plan, which is why
there is no deletion handler, and the daemon outlives the deletion until the plan has let the object go. When the operator
itself ends, the round under way is finished and nothing is torn down.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import kopf

from headgate.api.resources import GROUP, VERSION
from headgate.controller import BACK_OFF, Controller, Outcome
from headgate.flink.rest import FlinkRest
from headgate.kube.client import Kube, load_api
from headgate.kube.observe import Observer
from headgate.planning.buildjob import BuildSettings
from headgate.planning.manifests import DEPLOYMENT_LABEL, rest_url

log = logging.getLogger("headgate")

Key = tuple[str, str]
_WAKE: defaultdict[Key, asyncio.Event] = defaultdict(asyncio.Event)
_PLURAL = "modeldeployments"
CHILDREN = (("batch", "v1", "jobs"), ("apps", "v1", "deployments"), ("", "v1", "pods"), ("", "v1", "configmaps"))


def make_controller() -> Controller:
    """The controller of this process, from its environment."""
    kube = Kube(load_api(os.environ.get("KUBECONFIG")))

    def open_flink(run: str, namespace: str) -> FlinkRest:
        template = os.environ.get("HEADGATE_FLINK_URL", "")
        return FlinkRest(template.format(run=run, namespace=namespace) if template else rest_url(run, namespace))

    builders = int(os.environ.get("HEADGATE_BUILDERS", "2"))
    return Controller(
        kube, Observer(kube, open_flink, builders), open_flink, BuildSettings.from_environment(os.environ), _now
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
    memo.controller = await asyncio.to_thread(make_controller)


@kopf.daemon(GROUP, VERSION, _PLURAL, cancellation_backoff=3600)
async def reconcile(*, name: str, namespace: str | None, stopped: kopf.DaemonStopped, memo: Any, **_: Any) -> None:
    """Round after round, until the object is gone or the operator ends."""
    namespace = namespace or ""
    key = (namespace, name)
    while True:
        outcome = await _round(memo.controller, namespace, name)
        if outcome.requeue is None or (stopped and _only_exiting(stopped)):
            _WAKE.pop(key, None)
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
async def changed(*, name: str, namespace: str | None, **_: Any) -> None:
    """The object itself changed: its daemon looks at once."""
    _WAKE[(namespace or "", name)].set()


async def _child_changed(*, labels: Any, namespace: str | None, **_: Any) -> None:
    _WAKE[(namespace or "", labels[DEPLOYMENT_LABEL])].set()


for _group, _version, _kind in CHILDREN:
    kopf.on.event(_group, _version, _kind, labels={DEPLOYMENT_LABEL: kopf.PRESENT}, id=f"child-{_kind}")(_child_changed)
