from __future__ import annotations

import pytest

from factory.licences.duties import FAMILIES, MEANINGS, combined_duties, duties_of


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("CC0-1.0", ()),
        ("public domain", ()),
        ("CC-BY-4.0", ("attribution", "changes")),
        ("CC BY-SA 3.0", ("attribution", "changes", "share-alike")),
        ("CC BY-SA", ("attribution", "changes", "share-alike")),
        ("GFDL-1.2-or-later", ("attribution", "changes", "notice", "share-alike")),
        ("GPL-2.0-or-later", ("changes", "notice", "share-alike", "source")),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ("changes", "notice", "share-alike", "source")),
        ("LGPL-2.1-only", ("changes", "notice", "share-alike", "source")),
        ("MIT", ("notice",)),
        ("BSD", ("notice",)),
        ("BSD-3-Clause", ("notice",)),
        ("Apache-2.0", ("changes", "notice")),
        ("PSF-2.0", ("changes", "notice")),
        ("PostgreSQL", ("notice",)),
        ("ODbL-1.0", ("attribution", "notice", "share-alike")),
        ("by-nc-sa", ("attribution", "changes", "non-commercial", "share-alike")),
        ("Unlicense", ()),
        ("UNLICENSED", ("no-derivatives", "non-commercial")),
        ("LicenseRef-Proprietary", ("no-derivatives", "non-commercial", "unknown")),
        ("MIT + Commons Clause", ("notice", "restricted-use")),
        ("BUSL-1.1", ("notice", "restricted-use")),
        ("SSPL-1.0", ("changes", "notice", "share-alike", "source")),
        ("MIT, but ask me first", ("unknown",)),
        ("LicenseRef-MIT", ("unknown",)),
        ("(MIT", ("unknown",)),
        ("", ("unknown",)),
        ("Custom terms", ("unknown",)),
        ("Zend-2.0", ("unknown",)),
    ],
)
def test_licences_bring_the_duties_of_their_family(stated: str, expected: tuple[str, ...]) -> None:
    assert duties_of(stated) == expected


def test_all_parts_of_a_conjunction_count() -> None:
    assert duties_of("CC-BY-SA-4.0 AND MIT") == ("attribution", "changes", "notice", "share-alike")
    assert duties_of("GPL-3.0-or-later AND others (per page)")[-1] == "unknown"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("MIT OR Apache-2.0", ("notice",)),
        ("GPL-2.0-or-later OR CC-BY-SA-3.0", ("attribution", "changes", "share-alike")),
        ("CC-BY-NC-4.0 OR MIT", ("notice",)),
        ("House rules OR CC-BY-SA-4.0", ("attribution", "changes", "share-alike")),
    ],
)
def test_of_alternatives_the_lightest_counts(stated: str, expected: tuple[str, ...]) -> None:
    assert duties_of(stated) == expected


def test_a_row_has_the_duties_of_all_its_licences() -> None:
    assert combined_duties(["MIT", "CC BY 4.0", None]) == ["attribution", "changes", "notice", "unknown"]
    assert combined_duties([]) == []


def test_the_table_names_only_duties_that_have_a_meaning() -> None:
    assert {duty for _, duties in FAMILIES for duty in duties} <= MEANINGS.keys()
