"""Wakes whoever looks after an object when one of its children changes: one watch a kind, by label, in a thread each.

The operator's framework would watch every pod and ConfigMap of the cluster and sort them out itself, Flink's leader election
with a write every few seconds among them; a label selector leaves that to the API server. An event that is missed does no
harm: every object is looked at again after a while in any case.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from headgate.errors import ClusterError
from headgate.kube.client import Kube
from headgate.kube.errors import ApiInvalid
from headgate.kube.objects import label
from headgate.planning.runspec import DEPLOYMENT_LABEL

log = logging.getLogger("headgate")

Wake = Callable[[str, str], None]
"""Called with namespace and name of a ModelDeployment, from any thread."""

KINDS = (("batch/v1", "Job"), ("apps/v1", "Deployment"), ("v1", "Pod"), ("v1", "ConfigMap"))
_WATCH_S = 280
_BACK_OFF_S = 5.0


class ChildWatch:
    """The watches of an operator. ``namespaces``: those that it looks after; none: all."""

    def __init__(self, kube: Kube, wake: Wake, namespaces: Sequence[str] = ()) -> None:
        self.kube, self.wake = kube, wake
        self.places: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._ended = threading.Event()

    def start(self) -> None:
        """Watch until :meth:`stop`; the threads do not keep the process alive."""
        for place in self.places:
            for api_version, kind in KINDS:
                name = f"watch {kind} {place or ''}".strip()
                threading.Thread(
                    target=self._keep_watching, args=(api_version, kind, place), name=name, daemon=True
                ).start()

    def stop(self) -> None:
        """Wake nobody any more."""
        self._ended.set()

    def _keep_watching(self, api_version: str, kind: str, place: str | None) -> None:
        version = ""
        while not self._ended.is_set():
            try:
                if not version:
                    version = self._look_at_all(api_version, kind, place)
                version = self._watch(api_version, kind, place, version)
            except ClusterError as error:
                if not isinstance(error, ApiInvalid):
                    log.warning("watch of %s: %s", kind, error)
                version = ""
                self._ended.wait(_BACK_OFF_S)

    def _look_at_all(self, api_version: str, kind: str, place: str | None) -> str:
        """Wake for every child that is there: nobody knows what was missed."""
        version, found = self.kube.list_from(api_version, kind, place, DEPLOYMENT_LABEL)
        for one in found:
            self.wake(one["metadata"]["namespace"], label(one, DEPLOYMENT_LABEL))
        return version

    def _watch(self, api_version: str, kind: str, place: str | None, version: str) -> str:
        """Follow changes for some minutes; gives the version to go on from."""
        for what, one in self.kube.watch(api_version, kind, place, DEPLOYMENT_LABEL, version, _WATCH_S):
            version = str(one["metadata"]["resourceVersion"])
            if self._ended.is_set():
                break
            if what != "BOOKMARK":
                self.wake(one["metadata"]["namespace"], label(one, DEPLOYMENT_LABEL))
        return version
