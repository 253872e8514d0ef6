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
