"""Whether a store keeps what is deleted: S3 buckets can, and nothing here takes old versions away."""

from __future__ import annotations

from typing import Any

from factory.store.base import Store


def kept_versions(store: Store) -> str | None:
    """What to say of old versions of objects; None for a store that has none."""
    found: Any = store
    bucket = getattr(found, "bucket", None)
    if bucket is None:
        return None
    from factory.store.s3_client import client

    try:
        answer = client(found.endpoint_url, found.region).get_bucket_versioning(Bucket=bucket)
        status: str = answer.get("Status", "")
    except Exception as error:  # a server without the call, or a key without the right to it
        return (
            f"whether the bucket {bucket} keeps old versions could not be asked ({type(error).__name__}): if it does, "
            "delete the versions of what was replaced and removed"
        )
    if not status:
        return None
    return (
        f"the bucket {bucket} has versioning ({status}): what was replaced and removed is still there as old versions, "
        "until they are deleted (aws s3api delete-object --version-id, or a lifecycle rule for noncurrent versions)"
    )
