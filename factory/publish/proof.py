"""Proving a dataset against the root it was made under: every step's totals and every row's lineage.

Design: nothing of the manifest is believed. Each step is summed again from the commits of the units in the
run's plan; each row is followed to its committed answer, its requests and its source passages, whose text
must hash to the ids the row names. Shards are taken a few at a time, so that what is looked up fits in
memory (about 1 GB), and every file that any step committed, rejects and requests included, must have the bytes
its commit names. Cost: one read of everything the run committed, and the shards once more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.corpus.documents import Span, chunk_id, document_id
from factory.errors import FactoryError, TransientStoreError
from factory.identity import add_digests, canonical_json, fingerprint, sha256_hex
from factory.publish.checks import Check, Faults
from factory.publish.manifest import Manifest
from factory.publish.verify import equation_faults
from factory.run.outputs import resolve
from factory.run.record import kept_plan_key
from factory.store.base import Store
from factory.store.commits import PARALLEL_READS, Commit, Counts, read_commits
from factory.store.parquet import read_parquet

ROWS_AT_ONCE = 500_000
"""Rows whose lineage is looked up together: about 1 GB of ids and references."""

Commits = Mapping[str, Sequence[Commit]]
"""Step folder -> commits of the units in the run's plan."""


def verify_root(root: Store, dataset: Store, prefix: str, manifest: Manifest) -> Iterator[Check]:
    """Checks a dataset whose bytes were verified already (`verify_bytes`) against the `root` of its run."""
    steps = Faults("steps")
    commits = {step["folder"]: _commits_of(root, step, steps) for step in manifest["steps"]}
    yield steps.check(f"{len(commits)} steps are committed as planned")
    yield _check_files(root, commits)
    yield _check_conservation(manifest, commits)
    yield _check_shards(root, manifest)
    answers, requests, sources = Faults("answers"), Faults("requests"), Faults("sources")
    for tables in _groups(dataset, prefix, manifest):
        rows = pa.concat_tables(tables)
        _follow_answers(root, rows, answers)
        _follow_requests(root, rows, commits, requests)
        _follow_sources(root, rows, sources)
    yield answers.check("every row is the committed answer its lineage names")
    yield requests.check("every request a row names is in its step's requests")
    yield sources.check("every source passage is there, and its text hashes to the ids rows name")


def _commits_of(root: Store, step: Mapping[str, Any], faults: Faults) -> list[Commit]:
    folder = step["folder"]
    try:
        plan = orjson.loads(root.get(kept_plan_key(folder, step["plan"])))
        faults.expect(fingerprint(sorted(plan["units"])) == step["plan"], f"the plan of {folder} is not the manifest's")
        identity = root.get(f"steps/{folder}/step.json")
        faults.expect(identity == canonical_json(step["identity"]), f"steps/{folder}/step.json is not the manifest's")
        found = list(read_commits(root, folder, plan["units"]))
    except (KeyError, TypeError, orjson.JSONDecodeError, FactoryError) as error:
        faults.add(f"step {step['name']} ({folder}) cannot be read from {root.uri}: {error}")
        return []
    faults.expect(len(found) == step["units"], f"{folder} has {len(found)} units instead of {step['units']}")
    return found


def _check_files(root: Store, commits: Commits) -> Check:
    """Every file of every committed unit, by its hash."""
    faults = Faults("files of steps")
    named = [
        (key, sha256)
        for found in commits.values()
        for commit in found
        for key, sha256 in (
            *((file.key, file.sha256) for file in commit.files),
            *((str(other["key"]), str(other["sha256"])) for other in commit.other_files.values()),
        )
    ]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        faults.extend(fault for fault in pool.map(lambda item: _file_fault(root, *item), named) if fault)
    return faults.check(f"{len(named)} committed files have the bytes their commits name")


def _file_fault(root: Store, key: str, sha256: str) -> str:
    try:
        data = root.get(key)
    except KeyError:
        return f"{key} is missing"
    except TransientStoreError:
        raise
    except FactoryError as error:
        return f"{key} cannot be read: {error.what}"
    return "" if sha256_hex(data) == sha256 else f"{key} has other bytes than were committed"


def _check_conservation(manifest: Manifest, commits: Commits) -> Check:
    faults = Faults("conservation")
    by_name = {step["name"]: step for step in manifest["steps"]}
    for step in manifest["steps"]:
        name = step["name"]
        total = Counts()
        for commit in commits[step["folder"]]:
            total += commit.counts
            faults.extend(f"{name} unit {commit.unit}: {fault}" for fault in equation_faults(commit.counts.to_json()))
        faults.expect(total.to_json() == step["counts"], f"{name}: its commits add up to {total.to_json()}")
        for side in ("input", "accepted"):
            digests = [getattr(commit, f"{side}_ids_digest") or "0" for commit in commits[step["folder"]]]
            faults.expect(add_digests(digests) == step[f"{side}_digest"], f"{name}: other {side} rows than stated")
        parents = [by_name[parent] for parent in step["reads"] if parent in by_name]
        if parents:
            accepted = sum(parent["counts"]["accepted"] for parent in parents)
            names = " and ".join(parent["name"] for parent in parents)
            faults.expect(step["counts"]["inputs"] == accepted, f"{name} did not read all rows of {names}")
            digest = add_digests(parent["accepted_digest"] for parent in parents)
            faults.expect(step["input_digest"] == digest, f"{name} read other rows than {names} accepted")
    return faults.check("rows in = used + rejected + quarantined in every unit, and steps read what steps gave")


def _check_shards(root: Store, manifest: Manifest) -> Check:
    faults = Faults("shards")
    folders = {step["folder"] for step in manifest["steps"]}
    for shard in manifest["shards"]:
        try:
            source = resolve(root, shard["source"])
        except (KeyError, IndexError, ValueError, FactoryError):
            faults.add(f"{shard['path']}: its source {shard['source']} is not committed")
            continue
        faults.expect(source.content_sha256 == shard["content_sha256"], f"{shard['path']}: its source has other rows")
        faults.expect(source.rows == shard["rows"], f"{shard['path']}: its source has {source.rows} rows")
        unknown = set(shard["lineage"]["steps"]) - folders
        faults.expect(not unknown, f"{shard['path']}: the manifest does not know {sorted(unknown)}, which made rows")
        faults.expect(shard["lineage"]["runs"] == [manifest["run"]], f"{shard['path']}: rows of another run")
        faults.expect(shard["lineage"]["seeds"] == [manifest["seed"]], f"{shard['path']}: rows of another seed")
    return faults.check(f"{len(manifest['shards'])} shards are what the run committed")


def _groups(dataset: Store, prefix: str, manifest: Manifest) -> Iterator[list[pa.Table]]:
    """Shards' rows, a few shards at a time."""
    columns = ["sample_id", "question", "answer", "doc_ids", "lineage"]
    group: list[pa.Table] = []
    for shard in manifest["shards"]:
        data = dataset.get(f"{prefix}/{shard['path']}" if prefix else shard["path"])
        group.append(pq.read_table(pa.BufferReader(data), columns=columns).replace_schema_metadata(None))
        if sum(table.num_rows for table in group) >= ROWS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _follow_answers(root: Store, rows: pa.Table, faults: Faults) -> None:
    lineage = rows.column("lineage")
    wanted = pa.table(
        {
            "file": pc.struct_field(lineage, "answer_file"),
            "row": pc.struct_field(lineage, "answer_row"),
            "answer_id": pc.struct_field(lineage, "answer_id"),
            "question_id": pc.struct_field(lineage, "question_id"),
            "text": rows.column("question"),
            "answer": rows.column("answer"),
        }
    )
    _compare(root, wanted, ("answer_id", "question_id", "text", "answer"), faults)


def _follow_sources(root: Store, rows: pa.Table, faults: Faults) -> None:
    sources = pc.list_flatten(pc.struct_field(rows.column("lineage"), "sources"))
    names = ["file", "row", "chunk_id", "doc_id", "span_start", "span_end", "shard", "shard_row"]
    wanted = pa.table({name: pc.struct_field(sources, name) for name in names}).group_by(names).aggregate([])
    _compare(root, wanted, tuple(names[2:]), faults, _passage_faults)
    in_sources = pa.table({"doc_id": pc.unique(wanted.column("doc_id"))}).column("doc_id")
    named = pc.unique(pc.list_flatten(rows.column("doc_ids")))
    for doc_id in pc.filter(named, pc.invert(pc.is_in(named, in_sources.combine_chunks()))).to_pylist():
        faults.add(f"document {doc_id} has no source passage")


def _passage_faults(passages: pa.Table) -> Iterator[str]:
    """Passages whose text does not hash to their ids; a document of one chunk must hash to its own id."""
    for passage in passages.to_pylist():
        text, span = passage["text"], Span(passage["span_start"], passage["span_end"])
        if len(text) != span.stop - span.start:
            yield f"passage {passage['chunk_id']} has {len(text)} characters, not {span.stop - span.start}"
        if chunk_id(passage["doc_id"], span) != passage["chunk_id"]:
            yield f"passage {passage['chunk_id']} is not that span of document {passage['doc_id']}"
        if passage["chunks"] == 1 and document_id(text) != passage["doc_id"]:
            yield f"the text of document {passage['doc_id']} does not hash to its id"


def _compare(
    root: Store,
    wanted: pa.Table,
    columns: Sequence[str],
    faults: Faults,
    examine: Callable[[pa.Table], Iterator[str]] | None = None,
) -> None:
    """Holds `wanted` (file, row, and what should stand there) against the committed files themselves."""
    ordered = wanted.sort_by([("file", "ascending"), ("row", "ascending")]).combine_chunks()
    files = ordered.column("file").to_pylist()
    start = 0
    while start < len(files):
        stop = start + 1
        while stop < len(files) and files[stop] == files[start]:
            stop += 1
        expected = ordered.slice(start, stop - start)
        start = stop
        file = files[stop - 1]
        found = _committed_rows(root, file, expected.column("row"), faults)
        if found is None:
            continue
        for name in columns:
            theirs, ours = found.column(name).to_pylist(), expected.column(name).to_pylist()
            differing = [row for row, (left, right) in enumerate(zip(theirs, ours, strict=True)) if left != right]
            faults.extend(f"{file} row {expected['row'][row]} has another {name} than the dataset" for row in differing)
        if examine is not None:
            faults.extend(examine(found))


def _committed_rows(root: Store, name: str, rows: Any, faults: Faults) -> pa.Table | None:
    try:
        file = resolve(root, name)
        data = root.get(file.key)
    except (KeyError, IndexError, ValueError, FactoryError):
        faults.add(f"{name} is not in {root.uri}")
        return None
    if sha256_hex(data) != file.sha256:
        faults.add(f"{file.key} has other bytes than were committed")
        return None
    table = pq.read_table(pa.BufferReader(data))
    if (pc.max(rows).as_py() or 0) >= table.num_rows or (pc.min(rows).as_py() or 0) < 0:
        faults.add(f"{name} has {table.num_rows} rows, lineage names one beyond them")
        return None
    return table.take(rows)


def _follow_requests(root: Store, rows: pa.Table, commits: Commits, faults: Faults) -> None:
    """Every request id must be in the requests file of a committed unit of its step."""
    lineage = rows.column("lineage")
    open_ids: dict[str, set[str]] = defaultdict(set)
    for folders, ids in (
        (pc.struct_field(lineage, "question_step"), pc.struct_field(lineage, "question_request_id").to_pylist()),
        (pc.struct_field(lineage, "answer_step"), pc.struct_field(lineage, "answer_request_ids").to_pylist()),
    ):
        for folder, found in zip(folders.to_pylist(), ids, strict=True):
            open_ids[folder].update([found] if isinstance(found, str) else found or [""])
    for folder, ids in open_ids.items():
        for commit in commits.get(folder, ()):
            if ids and "requests" in commit.other_files:
                try:
                    table = read_parquet(root, commit.other_files["requests"]["key"], ["request_id"])
                except (KeyError, FactoryError, pa.ArrowException) as error:
                    faults.add(f"requests of {folder} unit {commit.unit} cannot be read: {error}")
                    continue
                ids.difference_update(table.column("request_id").to_pylist())
        faults.extend(f"request {missing!r} is in no requests file of {folder}" for missing in sorted(ids))
