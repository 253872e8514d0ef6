"""YAML that a person wrote: what PyYAML passes over in silence is said."""

from __future__ import annotations

import pytest

from factory.yaml_text import parse_yaml


@pytest.mark.parametrize(
    "text",
    ["name: a\nsettings: {gate: 1}\nname: b\n", "outer:\n  inner: 1\n  inner: 2\n", "- {a: 1, a: 1}\n"],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"stands here a second time(.|\n)*line"):
        parse_yaml(text)


def test_keys_of_several_mappings_and_merged_ones_may_be_the_same() -> None:
    text = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n"
    assert parse_yaml(text) == {"base": {"a": 1, "b": 2}, "other": {"a": 1, "b": 3}}
