"""Where a dataset or mix lies below its root, and where what is said about it later is kept.

Design: records lie beside the versions of a dataset and never inside one, which nothing may be added to.
"""

from __future__ import annotations


def dataset_prefix(name: str, version: str) -> str:
    return f"datasets/{name}/{version}"


def records_prefix(name: str, version: str) -> str:
    """Bundles, sign-offs, signatures, reviews, evaluations and the claim on the version."""
    return f"datasets/{name}/{records_beside(version)}"


def records_beside(version: str) -> str:
    """The same, below the folder that holds the versions of a dataset."""
    return f"records/{version}"


def first_path(shard: str) -> str:
    """The path that a shard was published under: an erasure writes it again under a name of its own."""
    stem = shard.removesuffix(".parquet")
    return f"{stem.rpartition('-e')[0] or stem}.parquet"


def path_after(shard: str, erasure: str) -> str:
    """The path of a shard that an erasure has written again."""
    return f"{first_path(shard).removesuffix('.parquet')}-e{erasure[:12]}.parquet"
