"""The sample of a pass: which of the documents that ranges offered are looked at, with their texts.

Design: one global unit over the passes' index tables (some tens of bytes a candidate); texts are read only of what
was chosen. Half random, so that the report can say something about the corpus as a whole; half nearest the
threshold, where the classifier is least sure and a rating moves it most (uncertainty sampling, Lewis and Gale
1994). The random half is drawn first: it is the same whatever the classifier, so that another kind of classifier
finds it rated already. Documents that a ratings file names come besides. Parts of about one model unit each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from factory.corpus.documents import document_id
from factory.run.outputs import Output, read_outputs
from factory.run.units import Unit, UnitResult
from factory.select.training.corpus_pass import TEXT, Draw, order_of, seen_by_classifiers
from factory.store.base import Store
from factory.store.parquet import read_parquet, read_rows

STEP_VERSION = 2

Half = Literal["given", "random", "boundary"]
HALVES: tuple[Half, ...] = ("given", "random", "boundary")

SAMPLED = pa.schema([*TEXT, ("score", pa.float64()), ("half", pa.string()), ("names", pa.list_(pa.string()))])

GIVEN_TEXT = pa.schema([("text", pa.string()), ("source", pa.string()), ("name", pa.string())])
"""Texts that ratings files bring themselves, as the filters leave them; `name` is the id of the text as it came,
which is what its ratings are found by."""


@dataclass(frozen=True)
class _Place:
    """A candidate: where its text lies, and what decides about it."""

    doc_id: str
    order: int
    score: float | None
    names: tuple[str, ...]
    key: str
    row: int


@dataclass(frozen=True)
class SampleStep:
    """WorkStep, global: `parameters` name the outputs of a pass ("outputs") and texts besides ("texts", a key)."""

    name: str
    draw: Draw
    unit_rows: int
    texts_sha256: str = ""

    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        draw = [self.draw.random, self.draw.boundary, self.draw.threshold, self.draw.seed]
        return {"draw": draw, "unit_rows": self.unit_rows, "texts": self.texts_sha256}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        key = unit.parameters.get("outputs", "")
        places = _candidates(store, read_outputs(store, key)) if key else []
        chosen = choose(places, self.draw)
        rows = {half: _rows(store, half, chosen[half]) for half in HALVES}
        rows = _with_texts(rows, _texts(store, unit.parameters.get("texts", "")))
        rows["given"].sort(key=lambda row: order_of(self.draw.seed, row["doc_id"]))
        tables = [
            pa.Table.from_pylist(rows[half][start : start + self.unit_rows], schema=SAMPLED)
            for half in HALVES
            for start in range(0, len(rows[half]), self.unit_rows)
        ]
        count = sum(table.num_rows for table in tables)
        return UnitResult(
            inputs=count,
            used=count,
            tables=tuple(tables),
            id_column="doc_id",
            facts={half: len(rows[half]) for half in HALVES} | {"candidates": len(places)},
        )


def choose(places: Sequence[_Place], draw: Draw) -> dict[Half, list[_Place]]:
    """What is given, the `draw.random` smallest by order of the rest, and of what is then left the
    `draw.boundary` nearest the threshold; each document once."""
    first: dict[str, _Place] = {}
    for place in places:
        first.setdefault(place.doc_id, place)
    given = [place for place in first.values() if place.names]
    rest = sorted((place for place in first.values() if not place.names), key=lambda place: place.order)
    left = [place for place in rest[draw.random :] if place.score is not None]
    left.sort(key=lambda place: (abs((place.score or 0.0) - draw.threshold), place.order))
    return {"given": given, "random": rest[: draw.random], "boundary": left[: draw.boundary]}


def _candidates(store: Store, outputs: Sequence[Output]) -> list[_Place]:
    """Every unit has three files: candidates, their texts, what was kept."""
    files: dict[str, dict[str, str]] = {}
    for output in outputs:
        files.setdefault(output.unit, {})[output.file.name.rsplit("/", 1)[1]] = output.file.key
    places: list[_Place] = []
    for parts in files.values():
        table = read_parquet(store, parts["0"])
        columns = [table.column(name).to_pylist() for name in ("doc_id", "order", "score", "wanted")]
        places += [
            _Place(doc_id, order, score, tuple(names or ()), parts["1"], row)
            for row, (doc_id, order, score, names) in enumerate(zip(*columns, strict=True))
        ]
    return places


def _rows(store: Store, half: Half, places: Sequence[_Place]) -> list[dict[str, Any]]:
    """SAMPLED rows in the order of `places`; each file is read once."""
    by_file: dict[str, list[_Place]] = {}
    for place in places:
        by_file.setdefault(place.key, []).append(place)
    found: dict[str, dict[str, Any]] = {}
    for key, wanted in by_file.items():
        texts = read_rows(store, key, [place.row for place in wanted]).to_pylist()
        for place, row in zip(wanted, texts, strict=True):
            found[place.doc_id] = {**row, "score": place.score, "half": half, "names": list(place.names)}
    return [found[place.doc_id] for place in places]


def _with_texts(
    rows: Mapping[Half, list[dict[str, Any]]], texts: Mapping[str, dict[str, Any]]
) -> dict[Half, list[dict[str, Any]]]:
    """Rated texts are given, also where the corpus has them and they were drawn: else their ratings were lost."""
    drawn = {row["doc_id"]: row for half in HALVES for row in rows[half]}
    given = [row for row in rows["given"] if row["doc_id"] not in texts]
    for doc_id, text in texts.items():
        row = drawn.get(doc_id, text)
        names = row["names"] if row["half"] == "given" else []
        given.append({**row, "half": "given", "names": sorted({*names, *text["names"]})})
    left = {half: [row for row in rows[half] if row["doc_id"] not in texts] for half in HALVES}
    return {**left, "given": given}


def _texts(store: Store, key: str) -> dict[str, dict[str, Any]]:
    """SAMPLED rows by document id; texts that differ in what was masked are one document with several names."""
    if not key:
        return {}
    rows: dict[str, dict[str, Any]] = {}
    for row in read_parquet(store, key).to_pylist():
        doc_id = document_id(row["text"])
        known = rows.setdefault(
            doc_id,
            {
                "doc_id": doc_id,
                "text": seen_by_classifiers(row["text"]),
                "source": row["source"],
                "license": "",
                "url": "",
                "shard": "",
                "shard_row": None,
                "score": None,
                "half": "given",
                "names": [],
            },
        )
        if row["name"] not in known["names"]:
            known["names"].append(row["name"])
    return rows
