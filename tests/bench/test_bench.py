"""The benchmarks themselves work: each runs at its smallest size and says what it has to say."""

from __future__ import annotations

import pytest

from tests.bench.figures import DOCUMENT, Figures, Row, rewrite
from tests.runs import run_module

KEYS = {
    "engine": {"ratio_median", "ratio_min", "ratio_with_step_start_median", "idle_engine_core_share_max"},
    "pipeline": {"requests_per_second_per_core", "ratio_to_plain_loop", "framework_ms_per_unit", "driver_peak_mib"},
    "select": {"documents_per_second", "scoring_ratio", "language_ratio", "chain_ratio_to_lid"},
    "decon": {"recall", "clean_share_marked", "microseconds_a_row", "rows_per_second"},
    "graph": {"walks", "scales", "growth_seconds_per_passage", "grown_share"},
    "requests": {"most_open", "lost", "wrong", "given_up", "retries", "most_sockets", "client_ms_per_request"},
    "impact": {"slowest_seconds", "processor_seconds", "lookups", "making_seconds"},
    "evaluate": {"processor_seconds", "wall_seconds", "perplexity_processor_seconds", "parts"},
    "packs": {"packs"},
    "programs": {"tasks", "chosen right", "first right", "right test"},
    "units": {"looks", "feed"},
    "cluster": {"efficiency", "tail_share", "worked", "disturbed"},
    "resume": {"again_seconds", "again_requests", "units_redone", "in_flight_at_kill", "overhead_ratio"},
}


def run_bench(name: str) -> dict[str, object]:
    done = run_module("tests.bench", name, "--tiny")
    assert done.code == 0, done.stderr[-4000:]
    assert done.result["benchmark"] == name
    return done.result


SLOW = [
    pytest.param(name, marks=pytest.mark.slow) for name in ("engine", "graph", "packs", "pipeline", "requests", "units")
]


@pytest.mark.parametrize("name", ["decon", "evaluate", "impact", "programs", "select", *SLOW])
def test_a_benchmark_ends_with_its_figures_as_one_json_object(name: str) -> None:
    result = run_bench(name)
    assert result.keys() >= KEYS[name] | {"sizes", "machine"}
    machine = result["machine"]
    assert isinstance(machine, dict)
    assert machine.keys() >= {"python", "ray", "vllm", "pyarrow", "cores", "load_average_at_start"}


@pytest.mark.slow
def test_a_run_on_a_cluster_that_loses_a_node_makes_the_same_dataset() -> None:
    result = run_bench("cluster")
    assert result.keys() >= KEYS["cluster"]
    disturbed = result["disturbed"]
    assert isinstance(disturbed, dict)
    assert disturbed["same_rows"] is True
    assert disturbed["redone_only_in_flight"] is True


@pytest.mark.slow
def test_resume_redoes_only_what_was_in_flight() -> None:
    result = run_bench("resume")
    assert result.keys() >= KEYS["resume"]
    assert result["again_requests"] == 0
    assert result["redone_only_in_flight"] is True


def test_the_document_has_a_place_for_every_benchmark() -> None:
    text = DOCUMENT.read_text()
    for name in KEYS:
        figures = Figures(name, [Row("a figure", "42 apples", "> 1:", True)], {})
        changed = rewrite(text, figures)
        assert "| a figure | 42 apples | > 1: met |" in changed
        assert rewrite(changed, figures) == changed


def test_a_document_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        rewrite("# Benchmarks", Figures("engine", [], {}))
