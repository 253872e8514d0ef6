"""An exposition as numbers, read with Prometheus' own parser."""

from __future__ import annotations

from functools import cache

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[tuple[str, str], ...], float]


@cache
def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Sample name -> labels and value of each series."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(text: str, name: str, **labels: str) -> float:
    """Sum over the series that have these labels."""
    return sum(number for found, number in samples(text).get(name, []) if labels.items() <= found.items())
