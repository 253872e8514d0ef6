from __future__ import annotations

import pytest

from factory.errors import ConfigError
from factory.govern.config import GovernanceConfig, contradictions_in
from factory.run.compose import compose
from factory.run.first_notes import models_not_at_work


def told(**keys: object) -> list[str]:
    return list(contradictions_in(GovernanceConfig.model_validate(keys)))


def test_crawlers_of_a_corpus_that_nobody_crawled_and_a_day_that_no_calendar_has_are_contradictions() -> None:
    assert told(crawled=True, crawlers=("bot",), models=({"name": "m", "released": "2024-02-29"},)) == []
    assert told(crawlers=("bot",)) == []
    [crawled] = told(crawled=False, crawlers=("bot",))
    assert "bot" in crawled
    [released] = told(models=({"name": "m", "released": "2025-13-45"},))
    assert "2025-13-45" in released


@pytest.mark.parametrize(
    "given",
    [
        ["governance.crawled=false", "governance.crawlers=[bot]"],
        ["governance.models=[{name: m, released: '2025-02-30'}]"],
    ],
)
def test_a_run_with_them_is_refused_before_it_starts(given: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"governance\.(crawlers|models)"):
        compose(["preset=demo", "engine=scripted", *given])


def test_a_model_that_no_role_asks_is_told() -> None:
    config = compose(["preset=demo", "engine=scripted", "governance.models=[{name: slip}, {name: right}]"])
    assert "describes slip, which no role" in str(models_not_at_work(config, {"right"}))
    assert models_not_at_work(config, {"right", "slip"}) is None
