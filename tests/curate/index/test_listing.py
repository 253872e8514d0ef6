"""The list of segments: only compare-and-swap changes it, whoever comes at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from factory.curate.config import IndexConfig
from factory.curate.index.build import build_segment
from factory.curate.index.listing import (
    LIST,
    change_list,
    read_list,
    replace_list,
    with_segment,
    without_members,
)
from factory.curate.index.pin import check_comparable, check_names, current_view, read_view, view_bytes, wanted_members
from factory.curate.index.segment import lsh_identity, read_segment, segment_key
from factory.curate.minhash import LshParameters
from factory.errors import ConfigError, StoreError
from factory.run.compose import compose
from factory.store.base import AbsentObjectError, Store
from tests.curate.index.published import PARAMETERS, publish, samples, view_now
from tests.curate.test_passes import DUCKS, PRIME

ALL = IndexConfig(use="all")


def test_of_many_that_register_at_once_none_is_lost(store: Store) -> None:
    names = [f"dataset_{number}" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda name: publish(store, name, [f"{PRIME} {name}"]), names))
    assert read_list(store).datasets == sorted(names)


def test_a_list_that_changed_since_it_was_read_is_not_overwritten(store: Store) -> None:
    publish(store, "one", [DUCKS])
    seen = read_list(store)
    publish(store, "two", [PRIME])
    made = build_segment(store, [samples([DUCKS])], ("three", "v1"), PARAMETERS)
    assert made is not None
    assert not replace_list(store, seen, with_segment(seen, made))
    assert read_list(store).datasets == ["one", "two"]


def test_of_two_that_finish_together_the_second_sees_the_first(store: Store) -> None:
    """What registration does: nothing is written while the list holds what was not compared with."""
    seen: set[tuple[str, str]] = set()

    def register(name: str) -> bool:
        made = build_segment(store, [samples([DUCKS], name)], (name, "v1"), PARAMETERS)
        assert made is not None
        unseen: list[bool] = []

        def change(listed):  # type: ignore[no-untyped-def]
            unseen.append(bool(set(wanted_members(listed, name, ALL)) - seen))
            return None if unseen[-1] else with_segment(listed, made)

        change_list(store, change)
        return not unseen[-1]

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(register, [f"run_{number}" for number in range(8)]))
    assert sum(won) == 1
    assert len(read_list(store).entries) == 1


def test_the_same_questions_make_the_same_segment(store: Store) -> None:
    first = publish(store, "one", [DUCKS, PRIME])
    before = store.get(segment_key(first.segment_id))
    again = build_segment(store, [samples([DUCKS], "one"), samples([PRIME], "one")], ("one", "v1"), PARAMETERS)
    assert again == first == read_segment(store, first.segment_id)
    assert store.get(segment_key(first.segment_id)) == before
    other = build_segment(store, [samples([DUCKS, PRIME], "one")], ("one", "v2"), PARAMETERS)
    assert other is not None
    assert other.segment_id != first.segment_id


def test_a_dataset_added_again_takes_the_place_of_what_stood_there(store: Store) -> None:
    publish(store, "one", [DUCKS])
    publish(store, "one", [PRIME])
    (entry,) = read_list(store).entries
    assert dict(entry.members) == {("one", "v1"): 1}


def test_a_run_is_not_compared_with_its_own_dataset_nor_with_what_it_does_not_name(store: Store) -> None:
    for name in ("algebra", "calculus", "chemistry"):
        publish(store, name, [f"{DUCKS} {name}"])
    lsh = lsh_identity(PARAMETERS)
    assert {name for name, _ in current_view(store, "algebra", ALL, lsh).members} == {"calculus", "chemistry"}
    named = IndexConfig(use=("chemistry",))
    assert [name for name, _ in current_view(store, "algebra", named, lsh).members] == ["chemistry"]
    assert current_view(store, "algebra", IndexConfig(), lsh).parts == ()
    seen = frozenset({("calculus", "v1")})
    assert [name for name, _ in current_view(store, "algebra", ALL, lsh, seen).members] == ["chemistry"]


def test_a_view_says_the_same_after_it_was_written(store: Store) -> None:
    publish(store, "algebra", [DUCKS, PRIME])
    view = view_now(store)
    store.put("runs/r/index.json", view_bytes(view, samples="x"))
    assert read_view(store, "runs/r/index.json") == view


def test_names_that_are_not_there_and_ones_own_are_refused(store: Store) -> None:
    publish(store, "algebra", [DUCKS])
    listed = read_list(store)
    with pytest.raises(ConfigError, match=r"no dataset 'algebar'.*it has: algebra"):
        check_names(listed, store.uri, "calculus", IndexConfig(use=("algebar",)))
    with pytest.raises(ConfigError, match="publishes itself"):
        check_names(listed, store.uri, "algebra", IndexConfig(use=("algebra",)))
    check_names(listed, store.uri, "calculus", IndexConfig(use=("algebra",)))


def test_a_segment_of_other_settings_is_named_with_both_and_how_to_rebuild_it(store: Store) -> None:
    publish(store, "algebra", [DUCKS])
    listed, members = read_list(store), frozenset({("algebra", "v1")})
    other = lsh_identity(replace(PARAMETERS, shingle_words=4))
    with pytest.raises(ConfigError) as said:
        check_comparable(listed, store.uri, members, other)
    assert "algebra@v1 with shingle_words 3" in said.value.what
    assert "shingle_words 4" in said.value.what
    assert "factory index add datasets/algebra/v1" in said.value.remedy
    check_comparable(listed, store.uri, frozenset(), other)
    # A threshold that gives the same bands is the same identity: candidates are verified anyway.
    same = LshParameters(3, 128, 0.71)
    assert same.bands == PARAMETERS.bands
    check_comparable(listed, store.uri, members, lsh_identity(same))


def test_a_segment_whose_folder_is_gone_or_damaged_is_said(store: Store) -> None:
    made = publish(store, "algebra", [DUCKS])
    store.put(segment_key(made.segment_id), b'{"kind": "factory-index-segment"}')
    with pytest.raises(StoreError, match="lacks format"):
        view_now(store)
    store.delete(segment_key(made.segment_id))
    with pytest.raises(AbsentObjectError):
        view_now(store)
    store.put(LIST, b"[]")
    with pytest.raises(StoreError, match="list"):
        read_list(store)


def test_removing_is_undone_by_adding_and_leaves_files_alone(store: Store) -> None:
    made = publish(store, "algebra", [DUCKS])
    view = view_now(store)
    change_list(store, lambda listed: without_members(listed, frozenset({("algebra", "v1")})))
    assert read_list(store).entries == ()
    assert all(store.head(file.key) for part in view.parts for file in part.files)
    change_list(store, lambda listed: with_segment(listed, made))
    assert view_now(store) == view


def test_a_run_without_the_index_has_the_id_it_had_before_there_was_one() -> None:
    given = ["preset=demo", "engine=scripted", "store.root=anywhere"]
    assert "index" not in compose(given).recipe()["curate"]
    assert compose([*given, "curate.index.use=all"]).recipe()["curate"]["index"] == {"use": "all", "register": False}
    assert compose([*given, "curate.index.use=[algebra]"]).curate.index.use == ("algebra",)
    production = compose(["preset=production", "engine=scripted", "store.root=anywhere"])
    assert production.curate.index == IndexConfig(use="all", register=True)
