"""The cluster that a person's kubeconfig means, as kubectl finds it. Called by the commands that look at one."""

from __future__ import annotations

from kubernetes import client, config

from headgate.errors import ClusterError, Disposition
from headgate.kube.client import Kube

_ATTEMPTS_S = 10


class NoCluster(ClusterError):
    """No kubeconfig says which cluster is meant."""

    reason = "NoCluster"
    disposition = Disposition.TERMINAL


def open_context(kubeconfig: str | None, context: str | None) -> tuple[Kube, str]:
    """The cluster of ``context`` (the current one by default) and its namespace. Raises :class:`NoCluster`."""
    configuration = client.Configuration()
    try:
        config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)
        contexts, current = config.list_kube_config_contexts(config_file=kubeconfig)
    except (config.ConfigException, OSError) as error:
        raise NoCluster(
            f"No cluster is known: {error}.".replace("..", "."),
            remedy="Set KUBECONFIG or --kubeconfig; `kubectl config get-contexts` lists what there is.",
        ) from error
    chosen = next((one for one in contexts if one["name"] == context), current)
    namespace = str(chosen["context"].get("namespace") or "default")
    configuration.retries = False
    return Kube(client.ApiClient(configuration)), namespace
