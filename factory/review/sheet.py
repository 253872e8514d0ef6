"""What a review is of: the drawn items, in the order in which they are shown, and how they were drawn.

Design: a sheet is one small JSON object, written once with put-if-absent under an id that its settings determine, so
the same command joins the same review, and a second reviewer sees the same items. The truth of a blinded review (which
items are real) is in the sheet and never on the page. All records lie beside the dataset, never in it:

    datasets/<name>/records/<version>/reviews/<review>/sheet.json
                                              /decisions/<reviewer>/<number>.json

Cost: about 150 bytes an item, more where a real item brings its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from factory.errors import ConfigError, StoreError
from factory.identity import canonical_json
from factory.publish.places import records_prefix
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import read_mapping, typed_in

SCHEMA_VERSION = 1

Kind = Literal["judge", "blind"]
Draw = Literal["random", "stratified", "lowest-agreement"]


@dataclass(frozen=True)
class Item:
    """One thing to look at. `item` is opaque; `sample_id`, `shard` and `row` say where a synthetic one lies; a real one
    has none of them and brings its text."""

    item: str
    sample_id: str | None = None
    shard: str | None = None
    row: int | None = None
    stratum: str = ""
    question: str | None = None
    answer: str | None = None

    @property
    def real(self) -> bool:
        return self.sample_id is None


@dataclass(frozen=True)
class Stratum:
    """`rows` of the dataset have this value; `drawn` of them are in the sheet."""

    name: str
    rows: int
    drawn: int


@dataclass(frozen=True)
class RealFile:
    """The human items of a blinded review: `name` of the file, its hash, rows that could be used, and whether they have
    answers (else questions alone are shown, of both kinds)."""

    name: str
    sha256: str
    rows: int
    answers: bool


@dataclass(frozen=True)
class Sheet:
    """`population` is the dataset's rows; `manifest_sha256` ties the sheet to its very bytes. `strata` is empty unless
    drawn by `by`; `created` is UTC in ISO 8601."""

    review: str
    kind: Kind
    dataset: str
    version: str
    manifest_sha256: str
    draw: Draw
    by: str | None
    size: int
    seed: int
    population: int
    strata: tuple[Stratum, ...]
    reasons: tuple[str, ...]
    real: RealFile | None
    items: tuple[Item, ...]
    created: str
    schema_version: int = SCHEMA_VERSION


def reviews_prefix(name: str, version: str) -> str:
    return f"{records_prefix(name, version)}/reviews"


def sheet_key(name: str, version: str, review: str) -> str:
    return f"{reviews_prefix(name, version)}/{review}/sheet.json"


def decisions_prefix(sheet: Sheet) -> str:
    return f"{reviews_prefix(sheet.dataset, sheet.version)}/{sheet.review}/decisions"


def write_sheet(store: Store, sheet: Sheet) -> Sheet:
    """Writes the sheet, or returns the one that another reviewer's command wrote first."""
    key = sheet_key(sheet.dataset, sheet.version, sheet.review)
    store.put_if_absent(key, canonical_json(asdict(sheet)))
    return read_sheet(store, key)


def read_sheet(store: Store, key: str) -> Sheet:
    """Raises AbsentObjectError, and StoreError for a sheet that is damaged or of a later version."""
    value = read_mapping(store, key, ("schema_version", "items"))
    if isinstance(value["schema_version"], int) and value["schema_version"] > SCHEMA_VERSION:
        raise StoreError(
            f"{key} in {store.uri} has schema version {value['schema_version']}, this factory reads {SCHEMA_VERSION}",
            cause="a later version of the factory wrote it",
            remedy="upgrade the factory",
        )
    return typed_in(Sheet, value, store.uri, key)


def read_sheets(store: Store, name: str, version: str, manifest_sha256: str) -> list[Sheet]:
    """Every review of one version of a dataset, oldest first.

    Raises StoreError where one was drawn from other bytes than those of `manifest_sha256`.
    """
    prefix = f"{reviews_prefix(name, version)}/"
    keys = [info.key for info in store.list(prefix) if info.key.endswith("/sheet.json")]
    sheets = [_of_these_bytes(store, read_sheet(store, key), manifest_sha256) for key in keys]
    return sorted(sheets, key=lambda sheet: (sheet.created, sheet.review))


def find_sheet(store: Store, manifest: Mapping[str, Any], manifest_sha256: str, review: str) -> Sheet:
    """The review of that id. Raises ConfigError where there is none, StoreError as `read_sheets` does."""
    try:
        sheet = read_sheet(store, sheet_key(manifest["name"], manifest["version"], review))
    except AbsentObjectError:
        sheets = read_sheets(store, manifest["name"], manifest["version"], manifest_sha256)
        known = ", ".join(each.review for each in sheets) or "none yet"
        raise ConfigError(f"there is no review {review} of this version", remedy=f"its reviews: {known}") from None
    return _of_these_bytes(store, sheet, manifest_sha256)


def _of_these_bytes(store: Store, sheet: Sheet, manifest_sha256: str) -> Sheet:
    if sheet.manifest_sha256 != manifest_sha256:
        raise StoreError(
            f"the review {sheet.review} in {store.uri} was drawn from another {sheet.dataset} {sheet.version}",
            cause="--root names a place where a dataset of the same name and version was reviewed",
            remedy="pass the root that this dataset was made under",
        )
    return sheet
