from __future__ import annotations

import pytest

from factory.publish.attribution import Attribution
from factory.publish.sources import HOSTS_LISTED, SourceCounts, host_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.org/a?b", "example.org"),
        ("http://docs.python.org:8080/3/", "docs.python.org"),
        ("https://user:word@example.org/", "example.org"),
        ("", None),
        ("no url at all", None),
        ("file:///data/x", None),
        ("https://[::1/", None),
        ("https://www./", None),
    ],
)
def test_a_host_is_read_off_a_url_or_is_none(url: str, host: str | None) -> None:
    assert host_of(url) == host


def test_entries_pass_through_and_are_counted_once_each() -> None:
    entries = [
        Attribution("a", "MIT", "https://one.org/1"),
        Attribution("a", "MIT", "https://one.org/2"),
        Attribution("b", "CC BY 4.0", "https://two.org/"),
        Attribution("b", "", ""),
    ]
    counts = SourceCounts()
    assert list(counts.counted(entries)) == entries
    found = counts.to_json()
    assert (found["places"], found["without_url"], found["hosts"]) == (4, 1, 2)
    assert found["top_hosts"] == [["one.org", 2], ["two.org", 1]]
    assert sum(found["licenses"].values()) == 4
    assert found["licenses"]["MIT"] == 2


def test_of_many_hosts_the_most_frequent_are_named_and_all_are_counted() -> None:
    often = [Attribution("web", "MIT", f"https://often.org/{number}") for number in range(3)]
    many = [Attribution("web", "MIT", f"https://h{number:05d}.org/") for number in range(HOSTS_LISTED + 5)]
    counts = SourceCounts()
    assert len(list(counts.counted([*many, *often]))) == HOSTS_LISTED + 8
    found = counts.to_json()
    assert found["hosts"] == HOSTS_LISTED + 6
    assert len(found["top_hosts"]) == HOSTS_LISTED
    assert found["top_hosts"][0] == ["often.org", 3]
