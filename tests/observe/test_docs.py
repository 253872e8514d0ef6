"""The guide lists every metric as the code exports it."""

from __future__ import annotations

from factory.observe import catalogue
from tests.resident import REPOSITORY


def test_the_table_of_metrics_is_the_catalogues() -> None:
    guide = (REPOSITORY / "docs" / "observability.md").read_text()
    assert catalogue.table() in guide, "write it anew: python -m factory.observe.catalogue"


def test_bounds_that_the_guide_states_are_the_codes() -> None:
    from factory.observe import commits_view, engines, traces

    guide = (REPOSITORY / "docs" / "observability.md").read_text()
    assert f"at most {catalogue.REASONS_AT_MOST} a step and side" in guide
    assert f"`replica` at most {catalogue.REPLICAS_AT_MOST}" in guide
    assert f"{commits_view.LISTED_AT_MOST:,} units are listed whole" in guide
    assert f"{commits_view.PREFIXES_AT_MOST} of their 256 prefixes" in guide
    assert f"most {commits_view.READ_AT_MOST} commits are read" in guide
    assert commits_view.UNITS_FOR_A_TIME == 8
    assert f"every {engines.LOOK_S:g} s" in guide
    assert f"at most {traces.FLUSH_S:g} s at the end" in guide
