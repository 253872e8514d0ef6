"""Proving a dataset against the root it was made under: every step's totals and every row's lineage.

Design: nothing of the manifest is believed. Each step is summed again from the commits of the units in the
run's plan; each row is followed to its committed answer, its requests and its source passages, whose text
must hash to the ids the row names. Shards are taken a few at a time, so that what is looked up fits in
memory (about 1 GB), and every file that any step committed, rejects and requests included, must have the bytes
its commit names. Commits are read from their own objects, one after another, and an index that holds copies of them
must hold these very bytes. Cost: one read of everything the run committed, and the shards once more; in memory some
hundred bytes a unit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.corpus.documents import Span, chunk_id, document_id
from factory.errors import FactoryError, TransientStoreError
from factory.govern.erasure.records import changed_records, records, unfinished
from factory.identity import add_digests, canonical_json, fingerprint, sha256_hex
from factory.publish.checks import Check, Faults
from factory.publish.manifest import Manifest, erased_of
from factory.publish.verify import equation_faults
from factory.run.outputs import resolve
from factory.run.record import kept_plan_key
from factory.store.base import Store
from factory.store.commit_index import index_rows, list_commits
from factory.store.commits import Commit, Counts, ahead, commit_key, parsed_commit
from factory.store.parquet import read_parquet

ROWS_AT_ONCE = 500_000
"""Rows whose lineage is looked up together: about 1 GB of ids and references."""


@dataclass
class Summed:
    """What the commits of a step's units in the run's plan add up to: mutable, because they are read once, one after
    another. `requests` are the keys of their requests files, `bodies` unit -> digest of its commit's bytes; `emptied`
    (erasure, key, hash) of files that commits say lost rows."""

    units: int = 0
    counts: Counts = field(default_factory=Counts)
    ledger: Counter[str] = field(default_factory=Counter)
    digests: dict[str, str] = field(default_factory=lambda: {"input": "0", "accepted": "0"})
    files: int = 0
    requests: list[str] = field(default_factory=list)
    emptied: list[tuple[str, str, str]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def add(self, commit: Commit) -> None:
        self.units += 1
        self.counts += commit.counts
        self.ledger.update(commit.ledger)
        for side, digest in (("input", commit.input_ids_digest), ("accepted", commit.accepted_ids_digest)):
            self.digests[side] = add_digests([self.digests[side], digest or "0"])
        if "requests" in commit.other_files:
            self.requests.append(str(commit.other_files["requests"]["key"]))
        for erasure, kinds in commit.erased.items():
            self.emptied.extend((erasure, *file) for file in files_of(commit, kinds))


def files_of(commit: Commit, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    """Key and hash of the files of these kinds ("data 0", "requests"), as the commit names them."""
    for place, file in enumerate(commit.files):
        if f"data {file.name.rpartition('/')[2] or place}" in kinds:
            yield file.key, file.sha256
    for kind, other in commit.other_files.items():
        if kind in kinds:
            yield str(other["key"]), str(other["sha256"])


Summaries = Mapping[str, Summed]
"""By step folder."""


def verify_root(root: Store, dataset: Store, prefix: str, manifest: Manifest) -> Iterator[Check]:
    """Checks a dataset whose bytes were verified already (`verify_bytes`) against the `root` of its run."""
    steps, files, conserved = Faults("steps"), Faults("files of steps"), Faults("conservation")
    summed = {step["folder"]: sum_up(root, step, steps, files, conserved) for step in manifest["steps"]}
    for folder, summary in summed.items():
        steps.extend(_index_faults(root, folder, summary))
    yield steps.check(f"{len(summed)} steps are committed as planned")
    yield files.check(
        f"{sum(each.files for each in summed.values())} committed files have the bytes their commits name"
    )
    yield from _check_erased(root, summed)
    yield _check_conservation(manifest, summed, conserved)
    yield _check_shards(root, manifest)
    answers, requests, sources = Faults("answers"), Faults("requests"), Faults("sources")
    for tables in _groups(dataset, prefix, manifest):
        rows = pa.concat_tables(tables)
        _follow_answers(root, rows, answers)
        _follow_requests(root, rows, summed, requests)
        _follow_sources(root, rows, sources)
    yield answers.check("every row is the committed answer its lineage names")
    yield requests.check("every request a row names is in its step's requests")
    yield sources.check("every source passage is there, and its text hashes to the ids rows name")


def sum_up(root: Store, step: Mapping[str, Any], steps: Faults, files: Faults, conserved: Faults) -> Summed:
    """Reads every commit of a step's plan and every file they name, once."""
    folder, summed = step["folder"], Summed()

    def named(units: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Key and hash of every file of the units, whose commits are added up on the way."""
        for unit, data in ahead(units, lambda unit: (unit, root.get(commit_key(folder, unit)))):
            commit = parsed_commit(data, root.uri, commit_key(folder, unit))
            summed.add(commit)
            summed.bodies[unit] = bytes.fromhex(sha256_hex(data))
            faults = equation_faults(commit.counts.to_json())
            conserved.extend(f"{step['name']} unit {commit.unit}: {fault}" for fault in faults)
            yield from ((file.key, file.sha256) for file in commit.files)
            yield from ((str(other["key"]), str(other["sha256"])) for other in commit.other_files.values())

    try:
        plan = orjson.loads(root.get(kept_plan_key(folder, step["plan"])))
        steps.expect(fingerprint(sorted(plan["units"])) == step["plan"], f"the plan of {folder} is not the manifest's")
        identity = root.get(f"steps/{folder}/step.json")
        steps.expect(identity == canonical_json(step["identity"]), f"steps/{folder}/step.json is not the manifest's")
        for fault in ahead(named(plan["units"]), lambda file: _file_fault(root, *file)):
            summed.files += 1
            files.extend([fault] if fault else ())
    except TransientStoreError:
        raise
    except (KeyError, TypeError, ValueError, FactoryError) as error:
        steps.add(f"step {step['name']} ({folder}) cannot be read from {root.uri}: {error}")
        return Summed()
    steps.expect(summed.units == step["units"], f"{folder} has {summed.units} units instead of {step['units']}")
    return summed


def _index_faults(root: Store, folder: str, summed: Summed) -> Iterator[str]:
    """Copies of commits that readers would take for the commits, and that differ from them."""
    listed = list_commits(root, folder)
    for key in listed.indexes:
        try:
            for unit, tag, body in index_rows(root, key):
                known = summed.bodies.get(unit) if listed.tags.get(unit) == tag else None
                if known is not None and bytes.fromhex(sha256_hex(body)) != known:
                    yield f"{key} holds another commit of unit {unit} than its object; delete the index, a copy"
        except TransientStoreError:
            raise
        except (KeyError, FactoryError) as error:
            yield f"{key} cannot be read, delete it, it is a copy of commits: {error}"


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


def _check_erased(root: Store, summed: Summaries) -> Iterator[Check]:
    """Files that lost rows are accepted because an erasure record names them as they are; nothing where none has."""
    faults = Faults("erasures")
    changed = changed_records(root)
    faults.extend(changed.values())
    if changed:  # what they name cannot be believed
        yield faults.check("")
        return
    told = {record.erasure: record for record in records(root)}
    for begun in unfinished(root):
        faults.add(f"{begun.kind} {begun.erasure} was begun at {begun.at} and is not finished: give its command again")
    emptied = [file for summary in summed.values() for file in summary.emptied]
    # A file that two erasures went over is as the later one left it.
    left = {(change.key, change.new_sha256) for record in told.values() for change in record.changes}
    for erasure, key, sha256 in emptied:
        if erasure not in told:
            faults.add(f"{key}: its commit names the erasure {erasure}, of which there is no record")
        elif (key, sha256) not in left:
            faults.add(f"{key} is not as any erasure record left it")
    if not told and not faults.found:
        return
    files = len({key for _, key, _ in emptied})
    yield faults.check(f"{files} files of its steps are as records left them: " + "; ".join(
        record.in_words for record in told.values()
    ))  # fmt: skip


def _check_conservation(manifest: Manifest, summed: Summaries, faults: Faults) -> Check:
    by_name = {step["name"]: step for step in manifest["steps"]}
    for step in manifest["steps"]:
        name, found = step["name"], summed[step["folder"]]
        total = found.counts.to_json()
        faults.expect(total == step["counts"], f"{name}: its commits add up to {total}")
        for what, said in step["ledger"].items():
            spent = found.ledger.get(what, 0)
            faults.expect(said == spent, f"{name}: {what} {said}, its commits add up to {spent}")
        for side, digest in found.digests.items():
            faults.expect(add_digests([digest]) == step[f"{side}_digest"], f"{name}: other {side} rows than stated")
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
        rows = shard["rows"] + erased_of(manifest, shard["path"])
        faults.expect(source.rows == rows, f"{shard['path']}: its source has {source.rows} rows")
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


def _follow_requests(root: Store, rows: pa.Table, summed: Summaries, faults: Faults) -> None:
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
        for key in summed[folder].requests if folder in summed else ():
            if not ids:
                break
            try:
                table = read_parquet(root, key, ["request_id"])
            except (KeyError, FactoryError, pa.ArrowException) as error:
                faults.add(f"{key} of {folder} cannot be read: {error}")
                continue
            ids.difference_update(table.column("request_id").to_pylist())
        faults.extend(f"request {missing!r} is in no requests file of {folder}" for missing in sorted(ids))
