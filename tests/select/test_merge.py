from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from factory.identity import add_digests, ids_digest
from factory.run.outputs import Output, write_outputs
from factory.run.units import Unit, UnitResult
from factory.select.merge import MergeStep
from factory.store.base import Store
from tests.run.rows import commit_documents, document


def merge(store: Store, outputs: list[Output], limit: int | None = None) -> UnitResult:
    key = write_outputs(store, "run0", "select", outputs)
    return MergeStep(limit).work(store, Unit("m", parameters={"outputs": key}))


def kept(result: UnitResult, sizes: dict[str, int]) -> set[tuple[str, int]]:
    found = set()
    for row in result.tables[0].to_pylist():
        picks = range(sizes[row["file"]]) if row["picks"] is None else row["picks"]
        found |= {(row["file"], pick) for pick in picks}
    return found


def test_first_occurrence_is_kept_and_every_origin_is_remembered(local_store: Store) -> None:
    first = commit_documents(local_store, "u0", [[document("a", url="http://one"), document("b", row=1)]])
    second = commit_documents(
        local_store, "u1", [[document("c", shard="b"), document("a", shard="b", row=1, url="http://two")]]
    )
    result = merge(local_store, first + second)
    assert kept(result, {output.file.name: 2 for output in first + second}) == {
        (first[0].file.name, 0),
        (first[0].file.name, 1),
        (second[0].file.name, 0),
    }
    assert [reject.reason for reject in result.rejects] == ["duplicate_document"]
    assert result.rejects[0].evidence["kept_file"] == first[0].file.name
    origins = result.tables[1].to_pylist()
    assert [origin["url"] for origin in origins[0]["origins"]] == ["http://one", "http://two"]


def test_rows_in_and_out_add_up_with_digests(local_store: Store) -> None:
    rows: list[dict[str, Any]] = [document(f"d{index % 7}", row=index) for index in range(20)]
    outputs = commit_documents(local_store, "u0", [rows[:9], rows[9:]])
    result = merge(local_store, outputs)
    assert result.inputs == 20
    assert result.used == 7
    assert len(result.rejects) == 13
    assert result.input_ids_digest == add_digests(output.file.ids_digest for output in outputs)
    assert result.accepted_ids_digest == ids_digest({row["chunk_id"] for row in rows})


def test_all_chunks_of_a_document_stay_or_go_together_across_files(local_store: Store) -> None:
    long = [document("long", chunk=index, chunks=5) for index in range(5)]
    again = [document("long", chunk=index, chunks=5, shard="b") for index in range(5)]
    first = commit_documents(local_store, "u0", [long[:3], long[3:]])
    second = commit_documents(local_store, "u1", [again[:2], again[2:]])
    result = merge(local_store, first + second)
    assert result.used == 5
    assert [row["file"] for row in result.tables[0].to_pylist()] == [output.file.name for output in first]
    assert len(result.rejects) == 5


def test_the_same_document_at_the_end_of_one_file_and_the_start_of_the_next_is_a_duplicate(local_store: Store) -> None:
    outputs = commit_documents(local_store, "u0", [[document("x"), document("a", row=1)], [document("a", row=2)]])
    result = merge(local_store, outputs)
    assert (result.used, len(result.rejects)) == (2, 1)


def test_a_sample_is_exact_and_part_of_every_larger_sample(local_store: Store) -> None:
    rows = [document(f"d{index}", row=index) for index in range(40)]
    outputs = commit_documents(local_store, "u0", [rows[:15], rows[15:]])
    sizes = {output.file.name: output.file.rows for output in outputs}
    samples = [kept(merge(local_store, outputs, limit), sizes) for limit in (5, 12, 39, 40, 100)]
    assert [len(sample) for sample in samples] == [5, 12, 39, 40, 40]
    for smaller, larger in itertools.pairwise(samples):
        assert smaller <= larger


def test_what_a_limit_leaves_out_is_a_reject_with_that_reason(local_store: Store) -> None:
    outputs = commit_documents(local_store, "u0", [[document(f"d{index}", row=index) for index in range(6)]])
    result = merge(local_store, outputs, 2)
    assert {reject.reason for reject in result.rejects} == {"outside_limit"}
    assert result.facts["documents"] == 2


def test_files_written_anew_after_an_erasure_are_sampled_as_those_before_it(local_store: Store) -> None:
    rows = [document(f"d{index}", row=index) for index in range(400)]
    before = commit_documents(local_store, "u0", [rows[:150], rows[150:]])
    folder = before[0].file.name.partition("/")[0]
    after = [
        replace(each, file=replace(each.file, name=each.file.name.replace(folder, "select-1111111111111111")))
        for each in before
    ]
    key = write_outputs(local_store, "run1", "select", after)
    unit = Unit("m", parameters={"outputs": key})
    picks = MergeStep(20, sampled_as=folder).work(local_store, unit).tables[0].column("picks")
    assert picks == merge(local_store, before, 20).tables[0].column("picks")
    assert picks != MergeStep(20).work(local_store, unit).tables[0].column("picks")


def test_an_empty_selection_merges_to_nothing(local_store: Store) -> None:
    result = merge(local_store, [])
    assert (result.inputs, result.used, result.accepted) == (0, 0, 0)
