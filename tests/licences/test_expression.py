from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.licences.expression import LONGEST_EXPRESSION, combine, parse, terms, write
from factory.licences.stated import UNKNOWN

KNOWN = ["MIT", "Apache-2.0", "BSD-3-Clause", "CC-BY-SA-4.0", "GPL-2.0-or-later", "PSF-2.0", "CC0-1.0"]
simple = st.sampled_from([*KNOWN, "LicenseRef-house", "GPL-2.0-only WITH Classpath-exception-2.0"])
expression = st.recursive(
    simple,
    lambda inner: st.builds(
        lambda parts, operator: "(" + f" {operator} ".join(parts) + ")",
        st.lists(inner, min_size=2, max_size=3),
        st.sampled_from(["AND", "OR"]),
    ),
    max_leaves=6,
)
stated = st.one_of(expression, st.text(max_size=40), st.none(), st.sampled_from(["unknown", "", "Custom terms v2"]))


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["MIT"], "MIT"),
        (["mit", "MIT"], "MIT"),
        (["MIT", "Apache-2.0"], "Apache-2.0 AND MIT"),
        (["MIT OR Apache-2.0", "BSD-3-Clause"], "(Apache-2.0 OR MIT) AND BSD-3-Clause"),
        (["MIT AND (Apache-2.0 OR Zlib)", "MIT"], "(Apache-2.0 OR Zlib) AND MIT"),
        (["GPL-2.0-only WITH Classpath-exception-2.0", "MIT"], "GPL-2.0-only WITH Classpath-exception-2.0 AND MIT"),
        (["unknown", "MIT"], f"{UNKNOWN} AND MIT"),
        ([None, ""], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_licences_combine_into_one_spdx_expression(licences: list[str | None], expected: str) -> None:
    assert combine(licences) == expected


def test_words_that_are_no_licence_id_stay_recognisable_and_apart() -> None:
    one, other = combine(["Free for teaching!"]), combine(["Free for teaching?"])
    assert one.startswith("LicenseRef-Free-for-teaching-")
    assert one != other


@given(st.lists(stated, max_size=5))
def test_combining_does_not_depend_on_order_or_repetition(licences: list[str | None]) -> None:
    whole = combine(licences)
    assert combine(reversed(licences)) == whole
    assert combine(licences * 2) == whole


@given(st.lists(stated, min_size=1, max_size=4), st.lists(stated, min_size=1, max_size=4))
def test_combining_combinations_changes_nothing(left: list[str | None], right: list[str | None]) -> None:
    assert combine([combine(left), combine(right)]) == combine([*left, *right])
    assert combine([combine(left)]) == combine(left)


@given(st.lists(stated, min_size=1, max_size=5))
def test_no_licence_is_lost(licences: list[str | None]) -> None:
    whole = set(terms(combine(licences)))
    for licence in licences:
        assert set(terms(combine([licence]))) <= whole


@given(st.lists(expression, min_size=1, max_size=4))
def test_the_result_is_a_valid_spdx_expression(licences: list[str]) -> None:
    from packaging.licenses import canonicalize_license_expression

    assert canonicalize_license_expression(combine(licences)) == combine(licences)


@given(stated)
def test_what_is_written_is_read_back(licence: str | None) -> None:
    node = parse(licence or "")
    assert parse(write(node)) == node


@pytest.mark.parametrize(
    "licence",
    [
        "(" * 1900 + "MIT",
        "(" * 990 + "MIT" + ")" * 990,
        "MIT OR (" * 240 + "ISC" + ")" * 240,
        "x/" * 900,
        " and ".join(["MIT"] * 280),
        "MIT AND " * 240 + "MIT",
        "\0\U0001f600 licence \u202e",
        "Permission is hereby granted to anybody. " * 500,
        ")" * 500 + " AND " + "(" * 500,
    ],
)
def test_no_text_however_odd_breaks_the_parser(licence: str) -> None:
    assert len(combine([licence])) <= LONGEST_EXPRESSION + 100
