"""The numbers behind the metrics of a run: added to by the driver, read by whoever scrapes.

Design: plain sums under one lock, made into Prometheus families when somebody asks. So counting costs a dictionary
entry whether or not anybody asks, and a scrape touches neither Ray nor the store.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from factory.observe.catalogue import METRICS, OTHER, REASONS_AT_MOST, REJECTS, UNIT_SECONDS, Metric
from factory.printable import printable

Labels = tuple[str, ...]


class Numbers:
    """One value a metric and set of labels. Labels are given in the catalogue's order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}

    def add(self, metric: Metric, value: float, *labels: str) -> None:
        with self._lock:
            series = self._values.setdefault(metric.name, {})
            shown = self._bounded(metric, series, _shown(metric, labels))
            series[shown] = series.get(shown, 0) + value

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        with self._lock:
            self._values.setdefault(metric.name, {})[_shown(metric, labels)] = value

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """`value` in seconds, into a histogram: a count for each bucket and the sum."""
        with self._lock:
            series = self._histograms.setdefault(metric.name, {})
            counts = series.setdefault(_shown(metric, labels), [0.0] * (len(UNIT_SECONDS) + 2))
            counts[bisect_left(UNIT_SECONDS, value)] += 1
            counts[-1] += value

    def forget(self, metric: Metric, *labels: str) -> None:
        """Takes out every series whose first labels are these."""
        with self._lock:
            series = self._values.get(metric.name, {})
            for known in [known for known in series if known[: len(labels)] == labels]:
                del series[known]

    def collect(self) -> Iterator[Any]:
        """Families for prometheus_client, in the catalogue's order; a metric without a series is left out."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        with self._lock:
            values = {name: dict(series) for name, series in self._values.items()}
            histograms = {
                name: {labels: list(counts) for labels, counts in series.items()}
                for name, series in self._histograms.items()
            }
        for metric in METRICS:
            if metric.kind == "histogram":
                if metric.name in histograms:
                    histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
                    for labels, counts in histograms[metric.name].items():
                        histogram.add_metric(labels, _buckets(counts), counts[-1])
                    yield histogram
            elif metric.name in values:
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                family = kind(metric.name, metric.meaning, labels=metric.labels)
                for labels, value in values[metric.name].items():
                    family.add_metric(labels, value)
                yield family

    @staticmethod
    def _bounded(metric: Metric, series: dict[Labels, float], labels: Labels) -> Labels:
        if metric is not REJECTS or labels in series:
            return labels
        alike = sum(known[:-1] == labels[:-1] for known in series)
        return labels if alike < REASONS_AT_MOST else (*labels[:-1], OTHER)


def _shown(metric: Metric, labels: Labels) -> Labels:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {labels}")
    return tuple(printable(label) for label in labels)


def _buckets(counts: list[float]) -> list[tuple[str, float]]:
    total, buckets = 0.0, []
    for bound, count in zip((*map(str, UNIT_SECONDS), "+Inf"), counts, strict=False):
        total += count
        buckets.append((bound, total))
    return buckets
