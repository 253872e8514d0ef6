"""What a dataset's rows rest on, in figures: distinct sources by licence, and the hosts they were found at.

Design: counted while the attribution streams by, so that file and figures are of the same entries; `verify` counts
again. A host stands for itself (`docs.python.org`): registrable domains would need a list that changes every week.
Cost: a dictionary entry a host, about 150 bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from factory.licences.expression import combine
from factory.publish.attribution import Attribution

HOSTS_LISTED = 1000
"""Hosts that the manifest names, the most frequent first: what the EU's template asks of small providers (section
2.3: the top 5 % of all, or 1,000)."""


@dataclass
class SourceCounts:
    """Counts of distinct (source, licence, url) entries: mutable, because entries come one at a time."""

    places: int = 0
    without_url: int = 0
    licenses: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)

    def counted(self, entries: Iterable[Attribution]) -> Iterator[Attribution]:
        """The entries as they come, each counted."""
        for entry in entries:
            self.places += 1
            self.licenses[combine([entry.license])] += 1
            host = host_of(entry.url)
            if host is None:
                self.without_url += 1
            else:
                self.hosts[host] += 1
            yield entry

    def to_json(self) -> dict[str, Any]:
        hosts = sorted(self.hosts.items(), key=lambda pair: (-pair[1], pair[0]))
        return {
            "places": self.places,
            "without_url": self.without_url,
            "licenses": dict(sorted(self.licenses.items())),
            "hosts": len(hosts),
            "top_hosts": [list(pair) for pair in hosts[:HOSTS_LISTED]],
        }


def host_of(url: str) -> str | None:
    """The host of a URL in small letters, without a leading `www.`; None where it names none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:  # brackets that are no IPv6 address
        return None
    return (host.removeprefix("www.") or None) if host else None
