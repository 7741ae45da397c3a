"""``headgate verify IMAGE --key KEY``: was this image signed with that key, and is it still what was signed?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.console import OutputFormat, say, say_json
from headgate.cli.registries import Registries, RegistryFlags, read_key
from headgate.imagebuild.errors import RegistryMissing
from headgate.imagebuild.sign import load_public_key, verify_image


def verify(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="REPO:TAG, REPO@DIGEST or oci-layout:DIR.")],
    key: Annotated[Path, typer.Option("--key", metavar="PEM", help="The public key (ECDSA P-256).")],
    plain_http: Annotated[bool, typer.Option("--plain-http", help="Speak to the registry without TLS.")] = False,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", metavar="PEM", help="Trust these certificate authorities as well.")
    ] = None,
    auth_file: Annotated[
        list[Path] | None,
        typer.Option("--auth-file", metavar="JSON", help="Registry credentials (config.json); may be repeated."),
    ] = None,
    output: Annotated[OutputFormat, typer.Option("-o", "--output", help="How to show the result.")] = OutputFormat.TEXT,
) -> None:
    """Check an image's signature and list what is attached to it. Exit status 1 when no signature holds."""
    public = load_public_key(read_key(key))
    with Registries(RegistryFlags(plain_http, ca_file, tuple(auth_file or ()), ()), os.environ) as registries:
        found = registries.open(image, writable=False)
        digest = found.store.find(found.selector)
        if not digest:
            raise RegistryMissing(f"There is no image {image}.")
        identity = verify_image(found.store, found.name, digest, public)
        attached = sorted({item.artifact_type for item in found.store.referrers(digest) if item.artifact_type})
    if output is OutputFormat.JSON:
        say_json({"image": f"{found.name}@{digest}", "signedAs": identity, "attached": attached})
        return
    say(f"{found.name}@{digest} is signed as {identity}")
    for kind in attached:
        say(f"  attached: {kind}")
