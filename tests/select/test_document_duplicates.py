"""Near-duplicate documents: found over the whole corpus, verified, and left out of what is asked about."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from factory.corpus.documents import document_id
from factory.curate.minhash import LshParameters
from factory.identity import ids_digest
from factory.run.outputs import Output, write_outputs
from factory.run.steps import document_steps
from factory.run.units import FileRef, Unit, unit_over
from factory.select.document_repeats import read_repeats
from factory.select.document_sketch import document_starts, document_texts
from factory.select.merge import MergeStep
from factory.store.base import Store
from factory.tables import DOCUMENT
from tests.corpora import row_of, write_corpus
from tests.curate.passes import Passes, decided_by
from tests.runs import done_of, run_factory

PARAMETERS = LshParameters(5, 128, 0.8)
WORDS = [
    f"{a}{b}" for a in ("lin", "mor", "tar", "vel", "sun", "qui", "bor", "nex") for b in ("a", "o", "ix", "um", "er")
]


def text_of(seed: int, words: int = 300) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def with_changes(text: str, changes: int, seed: int) -> str:
    draw = random.Random(seed)
    words = text.split()
    for place in draw.sample(range(len(words)), changes):
        words[place] = "changed"
    return " ".join(words)


def commit_select(store: Store, files: list[list[list[str]]]) -> list[Output]:
    """Files of documents given as their chunks, as `select` would have committed them."""
    from factory.store.parquet import to_parquet

    outputs = []
    for number, documents in enumerate(files):
        rows = []
        for chunks in documents:
            doc_id = document_id("\n".join(chunks))
            for place, chunk in enumerate(chunks):
                row = dict.fromkeys(DOCUMENT.names)
                row |= {"chunk_id": f"{doc_id[:20]}-{number}-{place}", "doc_id": doc_id, "text": chunk}
                row |= {"chunk": place, "chunks": len(chunks), "source": "s", "license": "MIT", "url": "", "shard": "s"}
                rows.append(row | {"shard_row": len(rows), "span_start": 0, "span_end": len(chunk)})
        table = pa.Table.from_pylist(rows, schema=DOCUMENT)
        ids = table.column("chunk_id").to_pylist()
        outputs.append(committed(store, "select-x", f"u{number}", "", table, ids, to_parquet(table, {})))
    write_outputs(store, "run", "select", outputs)
    return outputs


def committed(
    store: Store, folder: str, unit: str, parent: str, table: pa.Table, ids: list[str], data: bytes
) -> Output:
    """A file with the commit that `resolve` finds it by."""
    from factory.identity import sha256_hex
    from factory.run.attempt import content_sha256
    from factory.store.commits import Commit, Counts, put_commit

    key = f"steps/{folder}/data/{unit}.parquet"
    store.put(key, data)
    file = FileRef(f"{folder}/{unit}/0", key, sha256_hex(data), content_sha256(table), table.num_rows, ids_digest(ids))
    counts = Counts(table.num_rows, table.num_rows, 0, 0, table.num_rows, 0)
    commit = Commit(
        unit=unit,
        attempt="a",
        step=folder,
        run="run",
        parent=parent,
        picks=None,
        files=(file,),
        other_files={},
        counts=counts,
        reasons={},
        input_ids_digest="",
        accepted_ids_digest="",
        ledger={},
        engine=None,
        facts={},
    )
    put_commit(store, commit)
    return Output(unit, parent, file)


def repeats_in(store: Store, files: list[list[list[str]]]) -> dict[str, tuple[str, float]]:
    units = [unit_over(output.file) for output in commit_select(store, files)]
    steps = document_steps(PARAMETERS)
    decided = decided_by(store, Passes(steps.sketch, steps.match, steps.compare, steps.decide), units)
    assert sum(commit.counts.inputs for commit in decided.commits) == sum(len(documents) for documents in files)
    return read_repeats(store, decided.key)


def test_a_changed_copy_is_found_whichever_file_it_is_in_and_similarity_is_exact(local_store: Store) -> None:
    base = text_of(1)
    changed = with_changes(base, 4, 2)
    found = repeats_in(local_store, [[[base], [text_of(3)]], [[text_of(4)], [changed]]])
    ((dropped, (kept, similarity)),) = found.items()
    assert {dropped, kept} == {document_id(base), document_id(changed)}

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[start : start + 5]) for start in range(len(words) - 4)}

    one, other = shingles(base), shingles(changed)
    assert similarity == pytest.approx(len(one & other) / len(one | other))


def test_documents_below_the_threshold_and_short_ones_stay(local_store: Store) -> None:
    base = text_of(1)
    assert not repeats_in(local_store, [[[base], [with_changes(base, 30, 2)], ["a b c"], ["a b d"], [text_of(9)]]])


def test_a_document_that_differs_in_numbers_alone_is_one(local_store: Store) -> None:
    base = text_of(1) + " printed on 12 may 2021"
    assert len(repeats_in(local_store, [[[base], [base.replace("12 may 2021", "13 may 2022")]]])) == 1


def test_chunked_documents_are_compared_whole(local_store: Store) -> None:
    base = text_of(1, 600)
    words = base.split()
    halves = [" ".join(words[:300]), " ".join(words[300:])]
    thirds = [" ".join(words[start : start + 200]) for start in (0, 200, 400)]
    # the second half of one is another document: alone it is no near-duplicate
    assert len(repeats_in(local_store, [[halves, thirds, [halves[1]]]])) == 1


def test_copies_of_a_document_do_not_drop_each_other(local_store: Store) -> None:
    base = text_of(1)
    assert not repeats_in(local_store, [[[base], [base]], [[base]]])


def test_nothing_selected_is_no_error(local_store: Store) -> None:
    assert repeats_in(local_store, []) == {}


def test_merge_leaves_near_duplicates_out_and_names_the_kept_one(local_store: Store) -> None:
    base = text_of(1)
    repeats_in(local_store, [[[base], [text_of(3)]], [[with_changes(base, 4, 2)]]])
    keys = {"outputs": "runs/run/select.outputs.json", "repeats": "runs/run/document_decide.outputs.json"}
    for limit in (None, 2):
        result = MergeStep(limit).work(local_store, Unit("m", parameters=keys))
        (reject,) = result.rejects
        assert reject.reason == "near_duplicate_document"
        assert reject.evidence["similarity"] > 0.8
        assert (result.used, result.facts["documents"]) == (2, 2)


def test_starts_and_texts_follow_the_chunks() -> None:
    table = pa.table({"doc_id": ["a", "a", "b", "b", "c"], "chunk": [0, 1, 0, 0, 3]})
    starts = document_starts(table)
    assert starts.tolist() == [0, 2, 3, 4]
    assert document_texts(list("vwxyz"), starts) == ["v\nw", "x", "y", "z"]


def test_a_run_with_near_duplicates_off_and_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 12)
    lines = [row_of(number) for number in range(4)]
    for line in lines:
        line["text"] = str(line["text"]) + "\n\nPrinted on another day."
    from tests.corpora import write_shard

    write_shard(corpus / "shard-900", lines, 1)
    root = tmp_path / "root"
    result = run_factory(corpus, str(root), ["select.duplicates.threshold=0.7"]).result
    merged = done_of(root, result["run"], "merge")
    matched = done_of(root, result["run"], "document_decide")
    assert matched["facts"]["near_duplicates"] >= 4
    assert merged["reasons"]["input"]["near_duplicate_document"] >= 4
    off = run_factory(corpus, str(root)).result
    assert "near_duplicate_document" not in done_of(root, off["run"], "merge")["reasons"].get("input", {})
