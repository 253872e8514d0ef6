"""Which licences can hold together for one derived text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.licences.together import conflict, passed_on_under

STATED = [
    "MIT", "Apache-2.0", "PostgreSQL", "PSF-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "GFDL-1.2-or-later",
    "GFDL-1.3-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-or-later", "LGPL-2.1-or-later", "MPL-2.0",
    "CC-BY-NC-SA-3.0", "CC-BY-ND-4.0", "GPL-2.0-or-later OR CC-BY-SA-3.0", "MIT OR Apache-2.0", "public domain", "",
    "GPL-3.0-or-later AND others", "(MIT AND",
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MIT", "CC-BY-SA-4.0"),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0"),
        ("CC-BY-SA-4.0", "GPL-3.0-or-later"),
        ("GPL-2.0-or-later", "GPL-3.0-only"),
        ("GPL-2.0-or-later OR CC-BY-SA-3.0", "CC-BY-SA-4.0"),
        ("GFDL-1.2-or-later", "GFDL-1.3-or-later"),
        ("MPL-2.0", "GPL-2.0-or-later"),
        ("GPL-3.0-or-later", ""),
        ("public domain", "GFDL-1.3-only"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
    ],
)
def test_these_can_hold_together(one: str, other: str) -> None:
    assert not conflict(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GFDL-1.2-or-later", "CC-BY-SA-4.0"),
        ("GPL-2.0-only", "GPL-3.0-or-later"),
        ("GPL-2.0-or-later", "CC-BY-SA-4.0 AND CC-BY-SA-3.0 AND GFDL-1.3-only"),
        ("CC-BY-SA-3.0", "GPL-3.0-or-later AND others"),
        ("CC-BY-NC-SA-3.0", "CC-BY-SA-3.0"),
        ("CC-BY-ND-4.0", "CC-BY-SA-4.0"),
        ("CC-BY-ND-4.0", "MIT"),
        ("GPL-2.0-only OR GFDL-1.3-only", "CC-BY-SA-4.0"),
    ],
)
def test_these_cannot(one: str, other: str) -> None:
    assert conflict(one, other)


@given(one=st.sampled_from(STATED), other=st.sampled_from(STATED))
def test_order_does_not_matter_and_joining_with_and_says_the_same(one: str, other: str) -> None:
    assert conflict(one, other) == conflict(other, one)
    if one and other and "others" not in one + other and "AND" not in (one + other):
        assert conflict(one, other) == (passed_on_under(f"({one}) AND ({other})") == frozenset())


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_statement_breaks_it(one: str, other: str) -> None:
    assert conflict(one, other) in (True, False)
