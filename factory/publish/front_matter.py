"""The YAML front matter of a dataset card, as the Hugging Face hub reads it.

Design: the fields of the hub's dataset card specification (huggingface/hub-docs, datasetcard.md), from the manifest
alone; sizes are those of the files. What a manifest does not know (languages nobody determined) is left out.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from factory.licences.expression import terms
from factory.publish.manifest import ATTRIBUTION, Manifest, published_schema

HUB_LICENCES = {
    "Apache-2.0": "apache-2.0", "MIT": "mit", "BSD-2-Clause": "bsd-2-clause", "BSD-3-Clause": "bsd-3-clause",
    "CC0-1.0": "cc0-1.0", "CC-BY-2.0": "cc-by-2.0", "CC-BY-2.5": "cc-by-2.5", "CC-BY-3.0": "cc-by-3.0",
    "CC-BY-4.0": "cc-by-4.0", "CC-BY-SA-3.0": "cc-by-sa-3.0", "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC-BY-NC-2.0": "cc-by-nc-2.0", "CC-BY-NC-3.0": "cc-by-nc-3.0", "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-ND-4.0": "cc-by-nd-4.0", "CC-BY-NC-ND-3.0": "cc-by-nc-nd-3.0", "CC-BY-NC-ND-4.0": "cc-by-nc-nd-4.0",
    "CC-BY-NC-SA-2.0": "cc-by-nc-sa-2.0", "CC-BY-NC-SA-3.0": "cc-by-nc-sa-3.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0", "ODC-By-1.0": "odc-by", "ODbL-1.0": "odbl", "PDDL-1.0": "pddl",
    "GPL-2.0-only": "gpl-2.0", "GPL-3.0-only": "gpl-3.0", "LGPL-3.0-only": "lgpl-3.0",
    "AGPL-3.0-only": "agpl-3.0", "MPL-2.0": "mpl-2.0", "ISC": "isc", "Zlib": "zlib", "Unlicense": "unlicense",
    "BSL-1.0": "bsl-1.0", "Artistic-2.0": "artistic-2.0", "EPL-2.0": "epl-2.0", "WTFPL": "wtfpl",
    "GFDL-1.3-only": "gfdl", "CDLA-Permissive-2.0": "cdla-permissive-2.0",
}  # fmt: skip
"""SPDX id -> the hub's own id, for licences the hub knows by name."""

SIZE_CATEGORIES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
    (10_000_000_000, "1B<n<10B"), (100_000_000_000, "10B<n<100B"), (1_000_000_000_000, "100B<n<1T"),
)  # fmt: skip


def front_matter(manifest: Manifest) -> dict[str, Any]:
    """The YAML block as plain data."""
    rows = manifest["totals"]["rows"]
    front: dict[str, Any] = {}
    if manifest["languages"]:
        front["language"] = manifest["languages"]
    front |= hub_licence(manifest["license"]["dataset"])
    front |= {
        "pretty_name": manifest["name"],
        "tags": ["synthetic", "machine-generated", "question-answering", "corpus-derived", manifest["domain"]],
        "size_categories": [size_category(rows)],
        "task_categories": ["question-answering", "text-generation"],
        "annotations_creators": ["machine-generated"],
        "language_creators": _language_creators(manifest),
        "source_datasets": ["original"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split["name"], "path": f"data/{split['name']}-*.parquet"} for split in manifest["splits"]
                ],
            }
        ],
        "dataset_info": {
            "features": [_feature(field.name, field.type) for field in published_schema(manifest)],
            "splits": [
                {"name": split["name"], "num_bytes": split["num_bytes"], "num_examples": split["rows"]}
                for split in manifest["splits"]
            ],
            "download_size": sum(split["bytes"] for split in manifest["splits"]),
            "dataset_size": sum(split["num_bytes"] for split in manifest["splits"]),
        },
    }
    return front


def size_category(rows: int) -> str:
    return next((name for bound, name in SIZE_CATEGORIES if rows < bound), "n>1T")


def _language_creators(manifest: Manifest) -> list[str]:
    """Machines; and authors unknown where questions were taken from the documents as they stood there."""
    found = ["found"] if manifest["totals"]["origins"].get("extracted") else []
    return ["machine-generated", *found]


def hub_licence(expression: str) -> dict[str, Any]:
    """`license` for the front matter: the hub's ids where it has them, else `other` with the expression."""
    parts = terms(expression)
    if all(part in HUB_LICENCES for part in parts):
        known = [HUB_LICENCES[part] for part in parts]
        return {"license": known[0] if len(known) == 1 else known}
    return {"license": "other", "license_name": expression, "license_link": ATTRIBUTION}


def _feature(name: str, kind: pa.DataType) -> dict[str, Any]:
    return {"name": name, **_kind(kind)}


def _kind(kind: pa.DataType) -> dict[str, Any]:
    """An Arrow type as the hub writes it (datasets.Features in YAML)."""
    if pa.types.is_struct(kind):
        return {"struct": [_feature(field.name, field.type) for field in kind]}
    if pa.types.is_list(kind):
        inner = _kind(kind.value_type)
        return {"list": inner["dtype"] if "dtype" in inner else inner.get("struct", inner)}
    return {"dtype": {"double": "float64", "float": "float32"}.get(str(kind), str(kind))}
