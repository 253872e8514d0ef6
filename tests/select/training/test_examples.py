from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.select.training.examples import EXAMPLE, Example, digest, from_table, ratings_table, to_table
from factory.store.parquet import to_parquet
from tests.select.training.fields import example, two_fields

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
EXAMPLES = st.builds(
    Example,
    text=WORDS,
    score=st.floats(1, 10),
    doc_id=WORDS,
    source=WORDS,
    origin=st.sampled_from(["cold_start_positive", "corpus_negative", "user_positive", "rated"]),
    rater=WORDS,
)


@given(st.lists(EXAMPLES, max_size=8))
def test_a_table_gives_the_same_examples_back(examples: list[Example]) -> None:
    table = to_table(examples)
    assert table.schema == EXAMPLE
    assert from_table(table) == examples


@given(st.lists(EXAMPLES, min_size=1, max_size=5), EXAMPLES)
def test_the_digest_changes_with_any_example(examples: list[Example], other: Example) -> None:
    assert digest(examples) == digest(list(examples))
    assert digest([*examples, other]) != digest(examples)
    if other != examples[0]:
        assert digest([other, *examples[1:]]) != digest(examples)


@pytest.mark.parametrize("score", [0.99, 10.01, float("nan")])
def test_scores_lie_between_1_and_10(score: float) -> None:
    with pytest.raises(ValueError, match="between 1 and 10"):
        example("text", score)


def test_an_unknown_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="no origin of examples"):
        example("text", 5, origin="guessed")  # type: ignore[arg-type]


def test_ratings_do_not_depend_on_the_order_and_hold_no_text() -> None:
    examples = two_fields(5)
    table = ratings_table(examples)
    assert "text" not in table.column_names
    assert to_parquet(table, {}) == to_parquet(ratings_table(examples[::-1]), {})
