"""`export.json`: what an export is of, how it was made, what became of every row, and the hash of every file.

Design: sealed like the manifest of a dataset (publish/manifest.py) and under another name, so that nobody takes an
export for a dataset. Counts of files are equations that `factory verify` adds up again. Nothing of this machine is in
it; `created` is when the first attempt began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from factory.export.carried import generators
from factory.export.encode import described
from factory.export.recipe import EXPORT_VERSION, Recipe
from factory.export.shaped import added, counts_in
from factory.export.source import Source
from factory.licences.expression import combine
from factory.publish.manifest import Manifest
from factory.publish.samples import DIGITAL_SOURCE_TYPE

EXPORT = "export.json"
KIND, MANIFEST_VERSION = "factory-export", 1
ATTRIBUTION, CARD = "ATTRIBUTION.md", "README.md"


def build_manifest(
    source: Source,
    recipe: Recipe,
    standing: str,
    created: str,
    schema: pa.Schema,
    receipts: Sequence[Mapping[str, Any]],
    files: Sequence[Mapping[str, Any]],
    software: Mapping[str, str],
    extra: Mapping[str, Any],
) -> Manifest:
    """The manifest without its digest. `receipts` are those of all pieces (pieces.make), in order; `files` entries of
    files without rows; `extra` what the form adds."""
    totals = totals_of(receipts)
    return {
        "kind": KIND,
        "manifest_version": MANIFEST_VERSION,
        "export_version": EXPORT_VERSION,
        "form": recipe.form,
        "created": created,
        "source": source.record(),
        "standing": standing,
        "recipe": recipe.record(),
        "synthetic": True if not source.mix else "as rows say",
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "generators": generators(source),
        "license": license_of(totals, source.manifest["license"]["dataset"]),
        "columns": described(schema),
        "totals": totals,
        "pieces": [dict(receipt) for receipt in receipts],
        **extra,
        "software": dict(software),
        "files": sorted([*file_entries(receipts), *map(dict, files)], key=lambda entry: str(entry["path"])),
    }


def totals_of(receipts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums over pieces: rows by split, counts, licences and duties."""
    splits, licenses, duties = Counter[str](), Counter[str](), Counter[str]()
    for receipt in receipts:
        splits[receipt["split"]] += receipt["rows"]
        licenses.update(receipt["licenses"])
        duties.update(receipt["duties"])
    return {
        "rows": sum(splits.values()),
        "splits": dict(sorted(splits.items())),
        "counts": added([counts_in(receipt["counts"]) for receipt in receipts]).record(),
        "licenses": dict(sorted(licenses.items())),
        "duties": dict(sorted(duties.items())),
    }


def license_of(totals: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Of the whole: what the dataset is published under, and what the exported rows' own sources combine to."""
    return {"dataset": dataset, "combined_sources": combine(totals["licenses"])}


def file_entries(receipts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files of pieces as the list of files names them."""
    return [
        {name: receipt[name] for name in ("path", "bytes", "sha256", "rows")} for receipt in receipts if receipt["path"]
    ]
