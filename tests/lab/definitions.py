"""Puts the project's CustomResourceDefinitions into a running API server, and waits until they are served.

Called by component tests and by the cluster's own set-up.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import yaml

from lab.errors import LabError
from lab.places import REPOSITORY

CRDS = REPOSITORY / "crds"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PATIENCE = 30
_EVENTS = threading.Event()


def definitions(folder: Path = CRDS) -> tuple[dict[str, Any], ...]:
    """Every definition of ``crds/``, parsed."""
    found = tuple(yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml")))
    if not found:
        raise LabError(f"there are no definitions in {folder}; run: headgate crd generate")
    return found


def install_definitions(client: httpx.Client, folder: Path = CRDS) -> None:
    """Apply all of ``crds/`` and return when every kind is listed without error."""
    wanted = definitions(folder)
    for definition in wanted:
        name = definition["metadata"]["name"]
        applied = client.patch(
            f"{_PATH}/{name}",
            params={"fieldManager": "lab", "force": "true", "fieldValidation": "Strict"},
            content=json.dumps(definition),
            headers={"content-type": "application/apply-patch+yaml"},
        )
        if applied.is_error:
            raise LabError(f"the API server refuses {name}: {applied.json()['message']}")
    for definition in wanted:
        _wait_served(client, definition)


def _wait_served(client: httpx.Client, definition: dict[str, Any]) -> None:
    """Watch the definition until it is Established, and then ask for its list, which may be refused for a moment."""
    name, spec = definition["metadata"]["name"], definition["spec"]
    watch = {"watch": "true", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": str(_PATIENCE)}
    with client.stream("GET", _PATH, params=watch, timeout=_PATIENCE + 5) as events:
        for line in events.iter_lines():
            conditions = json.loads(line)["object"].get("status", {}).get("conditions", [])
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                break
        else:
            raise LabError(f"{name} is not established after {_PATIENCE} s: {conditions}")
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    for _ in range(_PATIENCE * 10):
        if client.get(path).status_code == 200:
            return
        _EVENTS.wait(0.1)
    raise LabError(f"{path} is established but not served after {_PATIENCE} s")
