"""Reads and merges ConfigMaps with the pod's own service account: the one permission that a Flink run has.

Two requests of the Kubernetes API by the standard library; a client library would double the image's Python for them.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headgate_runtime.errors import RuntimeFailure, Stage

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_S = 10
_ATTEMPTS = 5


class ApiUnreachable(RuntimeFailure):
    """The Kubernetes API refused or did not answer."""

    stage = Stage.WAIT
    reason = "ApiUnreachable"


@dataclass(frozen=True, slots=True)
class ConfigMaps:
    """The ConfigMaps of one namespace."""

    base: str
    account: Path
    namespace: str

    @classmethod
    def in_cluster(cls, account: Path = ACCOUNT) -> ConfigMaps:
        """As the pod's service account, in the pod's namespace."""
        host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}", account, (account / "namespace").read_text().strip())

    def read(self, name: str) -> dict[str, str] | None:
        """The data of a ConfigMap; None where there is none."""
        found = self._request("GET", f"/{name}", None)
        return None if found is None else dict(found.get("data") or {})

    def merge(self, name: str, data: dict[str, str]) -> None:
        """Set the given keys of a ConfigMap that exists; one that does not is left to whoever owns the run."""
        self._request("PATCH", f"/{name}", {"data": data})

    def names(self, selector: str) -> tuple[str, ...]:
        """The names of the ConfigMaps whose labels fit."""
        found = self._request("GET", f"?labelSelector={quote(selector, safe='')}", None) or {}
        return tuple(str(one["metadata"]["name"]) for one in found.get("items") or ())

    def _request(self, method: str, rest: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
        problem = ""
        for _ in range(_ATTEMPTS):
            request = urllib.request.Request(  # the scheme is fixed above
                f"{self.base}/api/v1/namespaces/{self.namespace}/configmaps{rest}",
                data=None if body is None else json.dumps(body).encode(),
                method=method,
                headers={
                    # Read anew each time: the token is rotated while main() waits.
                    "Authorization": f"Bearer {(self.account / 'token').read_text().strip()}",
                    "Content-Type": "application/merge-patch+json",
                },
            )
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls()) as answer:
                    return dict(json.load(answer))
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                problem = f"{error.code} {error.reason}"
                if error.code < 500 and error.code != 429:
                    break
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                problem = str(getattr(error, "reason", error))
        raise ApiUnreachable(
            f"{method} of ConfigMaps in {self.namespace}, {rest[1:]}: {problem}. Check the run's Role and the network."
        )

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.account / "ca.crt"))
