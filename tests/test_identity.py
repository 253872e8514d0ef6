from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from factory.identity import add_digests, canonical_json, fingerprint, ids_digest, make_id, seed_for

words = st.text(max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, json_values, max_size=5))
def test_fingerprint_does_not_see_key_order(value: dict[str, object]) -> None:
    turned = dict(reversed(list(value.items())))
    assert fingerprint(value) == fingerprint(turned)
    assert canonical_json(value) == canonical_json(turned)


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, min_size=1, max_size=4))
def test_ids_differ_when_any_part_differs(left: list[str], right: list[str]) -> None:
    assert (make_id("question", *left) == make_id("question", *right)) == (left == right)


def test_ids_keep_part_boundaries_and_kinds_apart() -> None:
    assert make_id("a", "bc", "d") != make_id("a", "b", "cd")
    assert make_id("question", "x") != make_id("answer", "x")
    assert make_id("a", "1") == make_id("a", 1)


def test_ids_are_the_same_on_every_machine_and_day() -> None:
    # Written down once: a change of it would orphan every dataset published before.
    assert make_id("chunk", "d0", 0, 10) == "590ca6b955c3d017f90dcd64d3eb898b"


@given(st.lists(words, max_size=8), st.randoms(use_true_random=False))
def test_digest_of_ids_ignores_order_and_adds_up(ids: list[str], random: Random) -> None:
    shuffled = random.sample(ids, len(ids))
    assert ids_digest(ids) == ids_digest(shuffled)
    for cut in range(len(ids) + 1):
        assert add_digests([ids_digest(ids[:cut]), ids_digest(ids[cut:])]) == ids_digest(ids)


@given(st.lists(words, min_size=1, max_size=6, unique=True))
def test_digest_sees_a_lost_and_a_doubled_row(ids: list[str]) -> None:
    assert ids_digest(ids) != ids_digest(ids[1:])
    assert ids_digest(ids) != ids_digest([*ids, ids[0]])


@given(words, st.integers(0, 2**31))
def test_seeds_are_non_negative_and_fit_in_63_bits(name: str, number: int) -> None:
    assert 0 <= seed_for(name, number) < 2**63
