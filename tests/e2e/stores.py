"""The lab's S3, as the tests look into it."""

from __future__ import annotations

from obstore.store import S3Store

from lab.cluster.layout import S3, S3_ACCESS_KEY, S3_SECRET_KEY


def bucket(name: str) -> S3Store:
    """One of the lab's buckets."""
    return S3Store(
        name, endpoint=S3, region="us-east-1", access_key_id=S3_ACCESS_KEY, secret_access_key=S3_SECRET_KEY,
        virtual_hosted_style_request=False, client_options={"allow_http": True},
    )  # fmt: skip
