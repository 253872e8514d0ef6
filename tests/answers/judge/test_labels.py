"""Labels that people gave, read for a comparison with a judge."""

from __future__ import annotations

import pytest

from factory.answers.judge.labels import Scale, labelled, scale_of
from factory.errors import ConfigError

ROWS = [{"sample_id": "a", "label": 1}, {"sample_id": "b", "label": 5}]


def test_a_reversed_scale_is_called_so() -> None:
    with pytest.raises(ConfigError, match="--scale 5 1 is reversed") as error:
        labelled(ROWS, (5.0, 1.0), "labels.jsonl")
    assert "--scale 1 5" in error.value.remedy


def test_labels_are_shares_of_the_scale_and_none_lies_outside() -> None:
    assert [row.label for row in labelled(ROWS, (1.0, 5.0), "labels.jsonl")] == [0.0, 1.0]
    with pytest.raises(ConfigError, match="outside the scale 1 to 4"):
        labelled(ROWS, (1.0, 4.0), "labels.jsonl")


def test_labels_that_are_all_equal_are_placed_by_a_stated_scale_alone() -> None:
    same = [{"sample_id": "a", "label": 5}, {"sample_id": "b", "label": 5}]
    assert [row.label for row in labelled(same, (1.0, 5.0), "labels.jsonl")] == [1.0, 1.0]
    for scale in (None, (5.0, 5.0)):
        with pytest.raises(ConfigError) as error:
            labelled(same, scale, "labels.jsonl")
        assert "--scale 1 5" in error.value.remedy


def test_words_need_no_scale_and_good_is_the_best_even_where_all_are_good() -> None:
    words = [{"sample_id": "a", "label": "good"}, {"sample_id": "b", "label": "good"}]
    assert [row.label for row in labelled(words, None, "labels.jsonl")] == [1.0, 1.0]
    assert [row.label for row in labelled(words, (1.0, 5.0), "labels.jsonl")] == [1.0, 1.0]


def test_words_among_numbers_are_refused() -> None:
    mixed = [{"sample_id": "a", "label": "good"}, {"sample_id": "b", "label": 5}, {"sample_id": "c", "label": ""}]
    with pytest.raises(ConfigError, match="1 labels are words and 1 are numbers"):
        labelled(mixed, None, "labels.jsonl")


def test_the_scale_that_nobody_stated_is_known_as_assumed() -> None:
    high = [{"sample_id": "a", "label": 4}, {"sample_id": "b", "label": 5}]
    assert scale_of(high, None, "labels.jsonl") == Scale(4.0, 5.0, assumed=True)
    assert not scale_of(high, (1.0, 5.0), "labels.jsonl").assumed
