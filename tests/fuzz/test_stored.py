"""Small objects of a root that were cut short, edited or written by somebody else: read, or refused by name."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example

from factory.curate.index.listing import read_list
from factory.curate.index.pin import read_view
from factory.curate.index.segment import Part, Segment, Span, read_segment, segment_bytes, segment_key
from factory.errors import ConfigError, StoreError
from factory.identity import canonical_json, sha256_hex
from factory.publish.gates.reference import Reference
from factory.publish.manifest import kind_of, seal, unseal
from factory.review.decisions import Decision, decision_key, fold, last_standing, read_decisions
from factory.review.sheet import Item, RealFile, Sheet, Stratum, read_sheet, sheet_key
from factory.run.outputs import Output, outputs_key, read_outputs
from factory.run.record import done_key, plan_key, planned_units, read_done, read_record, record_key
from factory.run.units import FileRef
from factory.select.scoring import Scoring
from factory.select.selector_artefact import Draft, read_manifest, save
from factory.select.training.models import noted
from factory.store.commit_index import index_bytes, index_key, index_rows
from factory.store.commits import Commit, Counts, commit_key, read_commit
from factory.store.lease import holder_of, lease_key
from factory.store.local import LocalStore
from factory.store.objects import mapping_in
from tests.fuzz.breaking import broken_bytes, broken_json, json_bytes
from tests.fuzz.harness import fuzzed, refused

FILE = FileRef("s/u/0", "steps/s/data/u.a.0.parquet", "0" * 64, "1" * 64, 3, "2" * 64)
UNIT = "ab" * 16
COMMIT = Commit(
    UNIT,
    "attempt",
    "step-1",
    "run",
    "parent",
    (0, 1, 2),
    (FILE,),
    {"rejects": {"key": "k", "rows": 1, "bytes": 5, "sha256": "3" * 64}},
    Counts(inputs=3, used=2, rejected=1, accepted=2),
    {"input": {"too_short": 1}},
    "4" * 64,
    "5" * 64,
    {"requests": 3.0, "seconds": 0.5},
    {"kind": "scripted"},
    {"rows": [1, 2]},
)
COMMITTED = orjson.loads(canonical_json(COMMIT.to_json()))
HOLDER = {"machine": "m", "pid": 1, "born": 2.5, "what": "run", "nonce": "n", "written": 1}
DONE = {
    "step": "extract",
    "folder": "extract-1",
    "counts": Counts(3, 3, accepted=3).to_json(),
    "ledger": {"requests": 3.0},
    "units": 1,
    "units_reused": 0,
    "wall_seconds": 1.5,
    "facts": {"topics": 4},
    "reasons": {"input": {"x": 1}},
    "accepted_digest": "6" * 64,
    "input_digest": "7" * 64,
}
SEGMENT = Segment("5e" * 16, {"permutations": 128}, (Part(FILE, FILE, FILE, (Span("d", "v", 0, 3),)),))
SEGMENT_JSON = orjson.loads(segment_bytes(SEGMENT))
LISTED = {
    "kind": "factory-index",
    "format": 1,
    "entries": [{"segment": "5e" * 16, "lsh": {"permutations": 128}, "members": [["d", "v", 3]]}],
}
SHEET = Sheet(
    "r1",
    "judge",
    "d",
    "v",
    "8" * 64,
    "stratified",
    "level",
    2,
    1,
    9,
    (Stratum("1", 9, 2),),
    ("wrong",),
    RealFile("h.jsonl", "9" * 64, 3, True),
    (Item("i1", "s1", "data/a", 0), Item("i2", question="q")),
    "2024-05-01",
)
SHEET_JSON = orjson.loads(canonical_json(asdict(SHEET)))
DECISION = Decision("r1", "ada", 0, "i1", "s1", "accept", 4, ("wrong",), "no", 1.5, "2024-05-01", "nonce-01")
DECISION_JSON = orjson.loads(canonical_json(asdict(DECISION)))
SHAPE = {
    "rows": 3,
    "groups": {"level": {"1": 3}},
    "bounds": {"level": 2**62},
    "lengths": {"question": [[3, 1]], "answer": []},
}


@pytest.fixture(scope="module")
def store(place: Path) -> LocalStore:
    return LocalStore(str(place))


def test_the_valid_ones_are_read(store: LocalStore) -> None:
    store.put(commit_key("step-1", UNIT), orjson.dumps(COMMITTED))
    assert read_commit(store, "step-1", UNIT) == COMMIT
    store.put(segment_key(SEGMENT.segment_id), segment_bytes(SEGMENT))
    assert read_segment(store, SEGMENT.segment_id) == SEGMENT
    store.put(sheet_key("d", "v", "r1"), orjson.dumps(SHEET_JSON))
    assert read_sheet(store, sheet_key("d", "v", "r1")) == SHEET
    store.put(decision_key(SHEET, "ada", 0), orjson.dumps(DECISION_JSON))
    assert read_decisions(store, SHEET, "ada") == [DECISION]
    store.put(done_key("run", "extract"), orjson.dumps(DONE))
    assert read_done(store, "run", "extract") == DONE


@fuzzed(
    "factory.store.commits.read_commit", "factory.store.commits.Commit.from_json", share=4, data=json_bytes(COMMITTED)
)
@example(data=orjson.dumps({**COMMITTED, "counts": [1, 2]}))
@example(data=orjson.dumps({**COMMITTED, "counts": {"inputs": "3"}}))
@example(data=orjson.dumps({**COMMITTED, "counts": Counts(3, 1).to_json()}))
@example(data=orjson.dumps({**COMMITTED, "files": [{**asdict(FILE), "rows": -1}]}))
def test_a_commit_that_is_read_conserves(store: LocalStore, data: bytes) -> None:
    store.put(commit_key("step-1", UNIT), data)
    with refused(StoreError):
        commit = read_commit(store, "step-1", UNIT)
        commit.counts.check("read back")
        assert all(number >= 0 for number in commit.counts.to_json().values())
        assert all(isinstance(file, FileRef) and file.rows >= 0 for file in commit.files)
        (commit.counts + commit.counts).to_json()
        assert Commit.from_json(orjson.loads(canonical_json(commit.to_json()))) == commit
        sum(commit.ledger.values())
        assert all(isinstance(rows, int) for side in commit.reasons.values() for rows in side.values())


@fuzzed("factory.store.lease.holder_of", share=2, data=json_bytes(HOLDER))
@example(data=orjson.dumps({**HOLDER, "pid": -5}))
@example(data=orjson.dumps({**HOLDER, "pid": 2**63}))
@example(data=b'{"machine": "m", "pid": 1e999, "born": 1, "what": "w", "nonce": "n"}')
def test_a_lease_says_who_holds_it_or_nothing(store: LocalStore, data: bytes) -> None:
    from factory.store import lease

    here = data.replace(b'"m"', orjson.dumps(lease._machine()))
    for body in (data, here):
        store.put(lease_key("run"), body)
        found = holder_of(store, "run")
        if found is not None:
            str(found[0])
            assert found[0].gone in (True, False)


@fuzzed(
    "factory.store.objects.mapping_in",
    "factory.run.record.read_done",
    "factory.run.record.read_record",
    "factory.run.record.planned_units",
    share=2,
    data=json_bytes(DONE),
)
@example(data=orjson.dumps({**DONE, "counts": {}}))
@example(data=orjson.dumps({**DONE, "counts": {**DONE["counts"], "accepted": "3"}}))
@example(data=orjson.dumps({**DONE, "ledger": []}))
def test_a_done_record_has_what_everybody_reads(store: LocalStore, data: bytes) -> None:
    store.put(done_key("run", "extract"), data)
    with refused(StoreError):
        done = read_done(store, "run", "extract")
        assert done is not None
        assert all(isinstance(number, int) for number in done["counts"].values())
        assert {"inputs", "used", "rejected", "quarantined", "accepted", "output_rejected"} <= done["counts"].keys()
        sum(done["ledger"].values())
        assert isinstance(done["folder"], str)
    store.put(record_key("run"), data)
    with refused(StoreError):
        read_record(store, "run")
    store.put(plan_key("run", "extract"), data.replace(b'"facts"', b'"units"'))
    with refused(StoreError):
        assert all(isinstance(unit, str) for unit in planned_units(store, "run", "extract"))
    with refused(StoreError):
        mapping_in(data, store.uri, "runs/run.json", ("run",))


@fuzzed("factory.run.outputs.read_outputs", data=json_bytes([asdict(Output("u", "p", FILE))]))
def test_outputs_are_files_or_refused(store: LocalStore, data: bytes) -> None:
    key = outputs_key("run", "extract")
    store.put(key, data)
    with refused(StoreError):
        for output in read_outputs(store, key):
            assert isinstance(output.file.key, str)
            assert isinstance(output.file.rows, int)


@fuzzed("factory.curate.index.segment.read_segment", share=2, data=json_bytes(SEGMENT_JSON))
def test_a_segment_is_parts_or_refused(store: LocalStore, data: bytes) -> None:
    store.put(segment_key(SEGMENT.segment_id), data)
    with refused(StoreError):
        segment = read_segment(store, SEGMENT.segment_id)
        assert all(rows >= 0 for rows in segment.members.values())
        segment_bytes(segment)


@fuzzed("factory.curate.index.listing.read_list", share=2, data=json_bytes(LISTED))
def test_the_list_is_entries_or_refused(store: LocalStore, data: bytes) -> None:
    store.put("curate/index/list.json", data)
    with refused(StoreError):
        listed = read_list(store)
        assert all(isinstance(name, str) for member in listed.members for name in member)
        assert all(isinstance(name, str) for name in listed.datasets)
        [dict(entry.lsh) for entry in listed.entries]


@fuzzed(
    "factory.curate.index.pin.read_view", data=json_bytes({"segments": ["5e" * 16], "parts": SEGMENT_JSON["parts"]})
)
def test_a_view_is_parts_or_refused(store: LocalStore, data: bytes) -> None:
    store.put("runs/run/index.json", data)
    with refused(StoreError):
        view = read_view(store, "runs/run/index.json")
        assert view.rows >= 0
        assert view.digest


@fuzzed("factory.review.sheet.read_sheet", share=2, data=json_bytes(SHEET_JSON))
def test_a_sheet_is_items_or_refused(store: LocalStore, data: bytes) -> None:
    key = sheet_key("d", "v", "r1")
    store.put(key, data)
    with refused(StoreError):
        sheet = read_sheet(store, key)
        assert all(isinstance(item.item, str) for item in sheet.items)
        canonical_json(asdict(sheet))


ROWS = [(UNIT, "etag", orjson.dumps(COMMITTED)), ("cd" * 16, "other", b"{}")]


@fuzzed("factory.store.commit_index.index_rows", data=broken_bytes([index_bytes("step-1", ROWS)]))
def test_an_index_of_commits_gives_what_was_written_or_is_refused(store: LocalStore, data: bytes) -> None:
    key = index_key("step-1", 0)
    store.put(key, data)
    with refused(StoreError):
        for row in index_rows(store, key):
            assert row in ROWS


@fuzzed("factory.review.decisions.read_decisions", share=2, data=json_bytes(DECISION_JSON))
def test_a_decision_stands_or_is_refused(store: LocalStore, data: bytes) -> None:
    store.put(decision_key(SHEET, "ada", 0), data)
    with refused(StoreError):
        decisions = read_decisions(store, SHEET, "ada")
        fold(decisions)
        last_standing(decisions)


@fuzzed("factory.publish.gates.reference.Reference.load", data=json_bytes(SHAPE))
def test_a_shape_is_counts_or_refused(store: LocalStore, data: bytes) -> None:
    reference = Reference("x", "d" * 64)
    store.put(reference.key, data)
    with refused(StoreError, ConfigError):
        earlier = reference.load(store)
        assert all(isinstance(count, int) for groups in earlier.groups.values() for count in groups.values())
        assert all(isinstance(count, int) for bins in earlier.lengths.values() for count in bins.values())


NOTED = {"key": "training/models/x.bin", "sha256": "0" * 64, "scoring": Scoring("fasttext").to_json()}


@fuzzed("factory.select.training.models.noted", data=json_bytes(NOTED))
def test_a_note_of_a_model_is_one_or_refused(store: LocalStore, data: bytes) -> None:
    store.put("training/models/x.json", data)
    with refused(StoreError):
        model = noted(store, "training/models/x.json")
        assert isinstance(model.key, str)
        assert model.scoring.kind in ("fasttext", "forest")


@pytest.fixture(scope="module")
def kept(store: LocalStore) -> tuple[str, dict[str, Any]]:
    draft = Draft("maths", b"model", Scoring("fasttext"), {"epochs": 1}, 1, 6.5, ())
    found = save(store, draft, lambda name: f"<p>{name}</p>")
    return found.prefix, orjson.loads(store.get(f"{found.prefix}/manifest.json"))


def sealed(manifest: dict[str, Any]) -> bytes:
    """A manifest whose fingerprint fits what it says: forged with care."""
    from factory.identity import fingerprint

    content = {name: value for name, value in manifest.items() if name != "fingerprint"}
    files = content.get("files")
    if isinstance(files, dict):
        content["files"] = {name: file for name, file in files.items() if name != "report.html"}
    return canonical_json({**manifest, "fingerprint": fingerprint(content)})


@fuzzed("factory.select.selector_artefact.read_manifest", share=2, data=json_bytes({}))
def test_a_selectors_manifest_is_one_or_refused(
    store: LocalStore, kept: tuple[str, dict[str, Any]], data: bytes
) -> None:
    prefix, _ = kept
    read_selector(store, prefix, data)


SELECTOR = {
    "artefact_version": 1,
    "domain": "maths",
    "threshold": 6.5,
    "seed": 1,
    "scoring": Scoring("fasttext").to_json(),
    "parameters": {},
    "training": {},
    "held_out": {},
    "raters": {},
    "iterations": [],
    "licence_notes": [],
    "versions": {},
    "files": {"model.bin": {"sha256": "0" * 64, "bytes": 5}},
    "fingerprint": "",
}


@fuzzed("factory.select.selector_artefact.read_manifest", share=4, manifest=broken_json(SELECTOR))
def test_a_forged_manifest_of_a_selector_is_refused(store: LocalStore, manifest: Any) -> None:
    if isinstance(manifest, dict):
        read_selector(store, "selectors/forged", sealed(manifest))


def read_selector(store: LocalStore, prefix: str, data: bytes) -> None:
    store.put(f"{prefix}/manifest.json", data)
    with refused(ConfigError):
        manifest = read_manifest(store, prefix, sha256_hex(data))
        assert isinstance(manifest.threshold, int | float)
        assert isinstance(manifest.model_sha256, str)
        assert manifest.kind in ("fasttext", "forest")
        dict(manifest.files)


@fuzzed(
    "factory.publish.manifest.unseal",
    "factory.publish.manifest.kind_of",
    share=2,
    data=json_bytes(orjson.loads(seal({"kind": "x"}))),
)
def test_a_manifest_is_intact_or_refused(data: bytes) -> None:
    kind_of(data)
    with refused(StoreError):
        assert isinstance(unseal(data, "here"), dict)
