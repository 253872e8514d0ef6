from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.curate import candidates
from factory.curate.minhash import LshParameters, shingle_hashes, sketch_keys
from factory.curate.shingles import shingled
from factory.curate.words import tokenise
from factory.identity import make_id
from tests.curate.one_process import Duplicates, Rows, find_duplicates

PARAMETERS = LshParameters(3, 128, 0.7)
DUCKS = (
    "Janet keeps ducks on a small farm near the river and sells the eggs of every duck at the market in town for two "
    "dollars each. How much money does she take home in a week of seven days if every duck lays one egg a day?"
)


def judge(
    texts: Sequence[str],
    levels: Sequence[int] | None = None,
    eligible: Sequence[bool] | None = None,
    names: Sequence[int] | None = None,
) -> Duplicates:
    rows = Rows(
        texts,
        ids=np.array([make_id("question", name) for name in names or range(len(texts))], "S32"),
        levels=np.array(levels or [1] * len(texts), np.int8),
        sample_keys=np.zeros(len(texts), np.uint64),
        eligible=np.array(eligible or [True] * len(texts), np.bool_),
    )
    return find_duplicates(rows, PARAMETERS)


def jaccard(one: str, other: str) -> float:
    hashes, offsets = shingle_hashes(tokenise([one, other]), 3)
    first, second = set(hashes[: offsets[1]].tolist()), set(hashes[offsets[1] :].tolist())
    return len(first & second) / len(first | second)


def test_equal_texts_leave_one_behind() -> None:
    found = judge(["What is a prime?", "What is an ideal?", "what is a PRIME"])
    assert len(found.dropped) == 1
    assert found.exact.tolist() == [True]
    assert {int(found.dropped[0]), int(found.kept[0])} == {0, 2}


def test_a_small_edit_is_near_and_measured() -> None:
    edited = DUCKS.replace("river", "lake")
    found = judge([DUCKS, edited])
    assert found.exact.tolist() == [False]
    assert found.similarity.tolist() == [jaccard(DUCKS, edited)]


def test_a_changed_number_stays() -> None:
    assert not len(judge([DUCKS, DUCKS.replace("two", "three"), DUCKS.replace("seven days", "31 days")]).dropped)


def test_a_changed_operator_stays() -> None:
    question = "Find every real solution x of the equation x^2 {} 5x = 6 and explain in a few words how you found it"
    assert not len(judge([question.format("+"), question.format("-")]).dropped)


def test_the_lower_level_is_kept_then_the_smaller_id() -> None:
    texts = [DUCKS] * 4
    found = judge(texts, levels=[2, 1, 1, 2])
    first = min((1, 2), key=lambda index: make_id("question", index))
    assert set(found.kept.tolist()) == {first}
    assert len(found.dropped) == 3


def test_a_contaminated_row_neither_keeps_nor_drops_others() -> None:
    found = judge([DUCKS, DUCKS, DUCKS], eligible=[False, True, True])
    assert len(found.dropped) == 1
    assert 0 not in found.dropped.tolist() + found.kept.tolist()


def test_short_questions_are_duplicates_only_when_equal() -> None:
    assert not len(judge(["Define ring", "Define field", "Define"]).dropped)
    assert len(judge(["Define ring", "define RING!"]).dropped) == 1


def test_no_chains() -> None:
    """A ~ B ~ C with A and C apart: only B may go, or A and C, never all but one."""
    words = DUCKS.split()
    chain = [" ".join([*(f"x{place}q" for place in range(step * 4)), *words[step * 4 :]]) for step in range(4)]
    assert jaccard(chain[0], chain[1]) >= 0.7 > jaccard(chain[0], chain[2])
    found = judge(chain)
    for row, keeper in zip(found.dropped.tolist(), found.kept.tolist(), strict=True):
        assert keeper not in found.dropped.tolist()
        assert jaccard(chain[row], chain[keeper]) >= 0.7


def test_copies_of_a_dropped_row_name_the_row_that_is_kept() -> None:
    edited = DUCKS.replace("river", "lake")
    found = judge([edited, DUCKS, edited, edited], levels=[2, 1, 2, 2])
    assert found.dropped.tolist() == [0, 2, 3]
    assert set(found.kept.tolist()) == {1}
    assert not found.exact.any()


def test_nothing_to_judge() -> None:
    assert not len(judge([]).dropped)


def planted(seed: int, number: int) -> list[str]:
    """Random questions, a third of them edits of others."""
    source = random.Random(seed)
    vocabulary = ["".join(source.choices("abcdefgh", k=source.randint(2, 6))) for _ in range(60)]
    texts: list[str] = []
    for _ in range(number):
        words = source.choices(vocabulary, k=source.randint(2, 30))
        if texts and source.random() < 0.35:
            words = source.choice(texts).split()
            words[source.randrange(len(words))] = source.choice(vocabulary)
        texts.append(" ".join(words))
    return texts


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 120))
def test_the_outcome_is_the_greedy_one_whatever_the_order_of_rows(seed: int, number: int) -> None:
    """Every dropped row has a kept one at or above the threshold, every pair of kept rows that share a band
    key lies below it, and shuffling the rows changes no row's fate."""
    texts = planted(seed, number)
    usual = judge(texts)
    shuffled = random.Random(seed).sample(range(number), number)
    again = judge([texts[row] for row in shuffled], names=shuffled)
    assert sorted(shuffled[row] for row in again.dropped.tolist()) == usual.dropped.tolist()
    dropped = set(usual.dropped.tolist())
    for row, keeper, similarity in zip(
        usual.dropped.tolist(), usual.kept.tolist(), usual.similarity.tolist(), strict=True
    ):
        assert keeper not in dropped
        assert abs(jaccard(texts[row], texts[keeper]) - similarity) < 1e-12
        assert similarity >= 0.7
    array, views = shingled(texts, PARAMETERS.shingling)
    keys, _ = sketch_keys(array, views, PARAMETERS)
    kept = [row for row in range(number) if row not in dropped]
    for place, row in enumerate(kept):
        for other in kept[:place]:
            assert not (keys[row] == keys[other]).any() or jaccard(texts[row], texts[other]) < 0.7


def test_ten_thousand_copies_cost_ten_thousand_pairs() -> None:
    found = judge([DUCKS] * 10_000 + ["What is a prime?"])
    assert len(found.dropped) == 9_999
    assert found.pairs == 0


def test_a_crowd_around_one_question_falls_with_it_though_not_all_pairs_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates, "HUBS", 4)
    crowd = [DUCKS.replace("river", f"river{chr(97 + number // 20)}{chr(97 + number % 20)}") for number in range(40)]
    found = judge(crowd)
    assert found.crowded > 0
    assert found.pairs < 40 * 39 / 2
    assert len(found.dropped) == 39


@pytest.mark.parametrize("pair_bits", [candidates.PAIR_BITS, 0])
@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 5), st.integers(0, 9), st.booleans()))
)
def test_pairs_are_sorted_and_met_once_whatever_they_are_sorted_as(
    pair_bits: int, pairs: list[tuple[int, int, int, int, bool]]
) -> None:
    wanted: dict[tuple[int, int], bool] = {}
    rows = []
    for place, row, other_place, other_row, exact in pairs:
        one, other = sorted(((place << 32) + row, (other_place << 32) + other_row))
        if one != other:
            rows.append((one, other, exact))
            wanted[one, other] = wanted.get((one, other), False) or exact
    first, second = (np.array([row[column] for row in rows], np.uint64) for column in (0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "PAIR_BITS", pair_bits)
        found = candidates.distinct_pairs(first, second, np.array([row[2] for row in rows], np.bool_))
    assert list(zip(*(column.tolist() for column in found), strict=True)) == [
        (one, other, exact) for (one, other), exact in sorted(wanted.items())
    ]


def test_most_one_word_edits_of_ordinary_questions_are_found() -> None:
    source = random.Random(11)
    vocabulary = ["".join(source.choices("abcdefghijklmnop", k=source.randint(2, 9))) for _ in range(5000)]
    originals = [" ".join(source.choices(vocabulary, k=40)) for _ in range(300)]
    edits = []
    for text in originals:
        words = text.split()
        words[source.randrange(len(words))] = "zebra"
        edits.append(" ".join(words))
    assert len(judge(originals + edits).dropped) >= 298
