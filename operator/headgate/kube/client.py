"""The one door to the Kubernetes API: objects as plain dicts, server-side apply under one field manager, errors of our own.

Built on the official client's dynamic part, so that every kind goes through the same few calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

from headgate.errors import ClusterError
from headgate.kube.errors import ApiConflict, ApiForbidden, ApiInvalid, ApiUnavailable

Manifest = dict[str, Any]

FIELD_MANAGER = "headgate"
_TIMEOUT = (5, 30)
_CONNECTIONS = 32
_FAILURES = (ApiException, DynamicApiError, urllib3.exceptions.HTTPError)


def load_api(kubeconfig: str | None = None) -> client.ApiClient:
    """A client from a kubeconfig, or from the pod's service account where none is given."""
    configuration = client.Configuration()
    if kubeconfig:
        config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)
    else:
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)
    # Rounds and watches keep a connection each.
    configuration.connection_pool_maxsize = _CONNECTIONS
    configuration.retries = urllib3.Retry(
        total=3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), allowed_methods=None
    )
    return client.ApiClient(configuration)


class Kube:
    """Calls on objects by apiVersion, kind, namespace and name."""

    def __init__(self, api: client.ApiClient) -> None:
        self._dynamic = DynamicClient(api)
        self._core = client.CoreV1Api(api)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None."""
        try:
            found = self._resource(api_version, kind).get(name=name, namespace=namespace, _request_timeout=_TIMEOUT)
        except _FAILURES as error:
            if _status(error) == 404:
                return None
            raise _mapped(error, f"get {kind} {namespace}/{name}") from error
        return dict(found.to_dict())

    def list(
        self, api_version: str, kind: str, namespace: str | None, selector: Mapping[str, str]
    ) -> tuple[Manifest, ...]:
        """The objects whose labels are as given."""
        labels = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
        try:
            found = self._resource(api_version, kind).get(
                namespace=namespace, label_selector=labels, _request_timeout=_TIMEOUT
            )
        except _FAILURES as error:
            raise _mapped(error, f"list {kind} in {namespace or 'all namespaces'}") from error
        return tuple(dict(item) for item in found.to_dict()["items"])

    def list_from(
        self, api_version: str, kind: str, namespace: str | None, selector: str
    ) -> tuple[str, tuple[Manifest, ...]]:
        """The version to watch from, and the objects that a label selector finds."""
        try:
            found = self._resource(api_version, kind).get(
                namespace=namespace, label_selector=selector, _request_timeout=_TIMEOUT
            )
        except _FAILURES as error:
            raise _mapped(error, f"list {kind} in {namespace or 'all namespaces'}") from error
        raw = found.to_dict()
        return str(raw["metadata"]["resourceVersion"]), tuple(dict(item) for item in raw["items"])

    def watch(
        self, api_version: str, kind: str, namespace: str | None, selector: str, version: str, seconds: int
    ) -> Iterator[tuple[str, Manifest]]:
        """Changes after ``version`` as pairs of what happened and the object, bookmarks among them, for so many seconds.

        Raises ApiInvalid where the version is too old by now.
        """
        resource = self._resource(api_version, kind)
        try:
            for event in self._dynamic.watch(
                resource, namespace=namespace, label_selector=selector, resource_version=version, timeout=seconds,
                allow_watch_bookmarks=True,
            ):  # fmt: skip
                yield str(event["type"]), dict(event["raw_object"])
        except _FAILURES as error:
            raise _mapped(error, f"watch {kind} in {namespace or 'all namespaces'}") from error

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply; fields of other managers stay theirs, those of ours are taken back."""
        metadata = manifest["metadata"]
        what = f"apply {manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
        try:
            resource = self._resource(manifest["apiVersion"], manifest["kind"])
            applied = self._dynamic.server_side_apply(
                resource, body=manifest, name=metadata["name"], namespace=metadata.get("namespace"),
                field_manager=FIELD_MANAGER, force_conflicts=True, _request_timeout=_TIMEOUT,
            )  # fmt: skip
        except _FAILURES as error:
            raise _mapped(error, what) from error
        return dict(applied.to_dict())

    def merge(
        self, api_version: str, kind: str, namespace: str, name: str, patch: Manifest, *, status: bool = False
    ) -> Manifest | None:
        """A merge patch of the object (or its status subresource); None where the object is gone."""
        resource = self._resource(api_version, kind)
        target = resource.status if status else resource
        try:
            changed = target.patch(
                body=patch, name=name, namespace=namespace, content_type="application/merge-patch+json",
                field_manager=FIELD_MANAGER, _request_timeout=_TIMEOUT,
            )  # fmt: skip
        except _FAILURES as error:
            if _status(error) == 404:
                return None
            raise _mapped(error, f"patch {kind} {namespace}/{name}") from error
        return dict(changed.to_dict())

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """Delete the object and what belongs to it; one that is gone is gone."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            self._resource(api_version, kind).delete(
                name=name, namespace=namespace, body=body, _request_timeout=_TIMEOUT
            )
        except _FAILURES as error:
            if _status(error) != 404:
                raise _mapped(error, f"delete {kind} {namespace}/{name}") from error

    def create(self, manifest: Manifest) -> None:
        """Create; an object of that name that is there already is left as it is."""
        metadata = manifest["metadata"]
        try:
            self._resource(manifest["apiVersion"], manifest["kind"]).create(
                body=manifest,
                namespace=metadata.get("namespace"),
                field_manager=FIELD_MANAGER,
                _request_timeout=_TIMEOUT,
            )
        except _FAILURES as error:
            if _status(error) != 409:
                raise _mapped(error, f"create {manifest['kind']} {metadata.get('namespace', '')}") from error

    def logs(self, namespace: str, pod: str, lines: int) -> str:
        """The last lines of a pod's only container; empty where there are none."""
        try:
            return str(self._core.read_namespaced_pod_log(pod, namespace, tail_lines=lines, _request_timeout=_TIMEOUT))
        except _FAILURES as error:
            if _status(error) in {400, 404}:
                return ""
            raise _mapped(error, f"logs of {namespace}/{pod}") from error

    def _resource(self, api_version: str, kind: str) -> Any:
        try:
            return self._dynamic.resources.get(api_version=api_version, kind=kind)
        except ResourceNotFoundError as error:
            raise ApiUnavailable(
                f"The API server does not know {kind} of {api_version}; are Headgate's CRDs installed?"
            ) from error
        except _FAILURES as error:
            raise _mapped(error, f"discover {kind}") from error


def _status(error: BaseException) -> int:
    return int(getattr(error, "status", 0) or 0)


def _mapped(error: BaseException, what: str) -> ClusterError:
    status = _status(error)
    said = _message(error)
    if status == 409:
        return ApiConflict(f"Kubernetes: {what}: {said}")
    if status in {401, 403}:
        quota = "exceeded quota" in said
        return ApiInvalid(f"Kubernetes: {what}: {said}") if quota else ApiForbidden(f"Kubernetes: {what}: {said}")
    if status in {400, 404, 405, 410, 415, 422}:
        return ApiInvalid(f"Kubernetes: {what}: {said}")
    return ApiUnavailable(f"Kubernetes: {what}: {said or type(error).__name__}")


def _message(error: BaseException) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if isinstance(body, str):
        try:
            return str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            return body[:500]
    return str(error)[:500]
