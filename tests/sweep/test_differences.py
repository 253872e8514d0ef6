"""In which keys configurations differ."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from factory.sweep.differences import ABSENT, differing, leaves

VALUES = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.lists(st.integers(0, 2), max_size=2))
CONFIGS = st.dictionaries(
    st.sampled_from("abc"), st.one_of(VALUES, st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)), max_size=3
)


@given(st.lists(CONFIGS, min_size=1, max_size=4))
def test_a_key_is_told_exactly_where_not_all_agree(configs: list[dict[str, Any]]) -> None:
    told = differing(configs)
    flat = [leaves(config) for config in configs]
    for key in {key for each in flat for key in each}:
        values = [each.get(key, ABSENT) for each in flat]
        agree = all(value == values[0] and type(value) is type(values[0]) for value in values)
        assert all((key in each) is not agree for each in told)
        if not agree:
            assert [each[key] for each in told] == values


def test_one_and_one_point_nought_are_one_number_and_true_is_none() -> None:
    assert differing([{"a": 1}, {"a": 1.0}]) == [{}, {}]
    assert differing([{"a": 1}, {"a": True}]) == [{"a": 1}, {"a": True}]


def test_where_work_is_done_tells_nothing_and_canaries_are_not_told() -> None:
    configs = [
        {"store": {"root": "/a"}, "observe": {"logs": "text"}, "gate": {"canaries": ["the secret"]}},
        {"store": {"root": "/b"}, "observe": {"logs": "json"}, "gate": {"canaries": None}},
    ]
    told = differing(configs)
    assert list(told[0]) == ["gate.canaries"]
    assert "secret" not in str(told)
