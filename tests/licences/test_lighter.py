from __future__ import annotations

import pytest

from factory.licences.lighter import lighter_note


def test_a_licence_that_asks_for_less_than_the_sources_is_told_with_the_rows() -> None:
    note = lighter_note("CC0-1.0", {"notice": 127, "share-alike": 3})
    assert note is not None
    assert "publish.license=CC0-1.0" in note
    assert "notice (127 rows), share-alike (3 rows)" in note


@pytest.mark.parametrize("license", ["BSD-3-Clause", "Apache-2.0", "CC-BY-SA-4.0 AND MIT"])
def test_one_that_asks_for_as_much_is_not(license: str) -> None:
    assert lighter_note(license, {"notice": 127}) is None
    assert lighter_note("CC0-1.0", {}) is None
