"""Which filters a configuration asks for, and in which order.

Design: cheapest first, because a document that falls early costs nothing later; personal data is masked
before anything is kept or scored, so no later filter, finding or reject carries it.
"""

from __future__ import annotations

from collections.abc import Iterator

from factory.config import FactoryConfig
from factory.curate.index_store import benchmark_index
from factory.select.benchmark_pages import BenchmarkPages
from factory.select.filters import Filter, Length
from factory.select.language import language_filter
from factory.select.licence import Licence
from factory.select.pii import Pii
from factory.select.quality import Quality, rules_of
from factory.select.selector import selector_filter


def filters_of(config: FactoryConfig) -> tuple[Filter, ...]:
    """Raises ConfigError where a filter's model or benchmark files are missing or not what they must be."""
    return tuple(_filters(config))


def _filters(config: FactoryConfig) -> Iterator[Filter]:
    select = config.select
    yield Licence(select.licence)
    yield Length(select.min_characters, select.max_characters)
    if rules_of(select.quality):
        yield Quality(select.quality)
    if select.language.languages:
        yield language_filter(select.language)
    if select.pii.action != "keep":
        yield Pii(select.pii)
    if select.benchmark_pages and config.curate.benchmarks:
        yield BenchmarkPages(benchmark_index(config.curate.benchmarks))
    if (selector := selector_filter(config)) is not None:
        yield selector
