"""What a run exports equals what it records: scraped over HTTP while it works, compared with ledger and report."""

from __future__ import annotations

from factory.observe import catalogue
from tests.observe.conftest import DOCUMENTS, GROWN, Watched
from tests.observe.exposition import samples, value

TOKENS = ("prompt", "cached", "generated")


def test_counters_equal_the_ledger(first: Watched) -> None:
    text, dones = first.last, first.dones()
    assert set(dones) >= {"select", "extract", "answer", "shards"}
    for step, done in dones.items():
        for kind in catalogue.ROW_KINDS:
            assert value(text, "factory_rows_total", step=step, kind=kind) == done["counts"][kind], (step, kind)
        assert value(text, "factory_commits_total", step=step) == done["units"]
        assert value(text, "factory_requests_total", step=step) == done["spent_now"].get("requests", 0)
        for kind in TOKENS:
            assert value(text, "factory_tokens_total", step=step, kind=kind) == done["ledger"].get(f"{kind}_tokens", 0)
        assert _rejects(text, step) == {
            (side, reason): rows for side, reasons in done["reasons"].items() for reason, rows in reasons.items()
        }
    assert value(text, "factory_rows_total", step="select", kind="inputs") == DOCUMENTS
    assert sum(_rejects(text, "extract").values()) + sum(_rejects(text, "question_1").values()) > 0


def test_after_the_corpus_has_grown_counters_say_what_was_done_now_and_gauges_what_is_there(
    first: Watched, grown: Watched
) -> None:
    before, after = first.last, grown.last
    assert grown.run == first.run
    text, dones = after, grown.dones()
    assert value(text, "factory_rows_total", step="select", kind="inputs") == GROWN
    assert value(text, "factory_committed_rows", step="select", kind="inputs") == DOCUMENTS + GROWN
    for step, done in dones.items():
        if step in ("select", "extract", "question_1", "question_2"):
            assert 0 < value(text, "factory_commits_total", step=step) < done["units"]
            assert value(text, "factory_units", step=step, state="reused") == done["units_reused"] > 0
        assert value(text, "factory_commits_total", step=step) == done["units"] - done["units_reused"]
        assert value(text, "factory_units", step=step, state="committed") == done["units"]
        assert value(text, "factory_requests_total", step=step) == done["spent_now"].get("requests", 0)
        for kind in TOKENS:
            assert value(text, "factory_tokens_total", step=step, kind=kind) == done["spent_now"].get(
                f"{kind}_tokens", 0
            )
            assert value(text, "factory_committed_tokens", step=step, kind=kind) == done["ledger"].get(
                f"{kind}_tokens", 0
            )
        for kind in catalogue.ROW_KINDS:
            assert value(text, "factory_committed_rows", step=step, kind=kind) == done["counts"][kind]
    both = value(before, "factory_rows_total", step="extract", kind="accepted") + value(
        after, "factory_rows_total", step="extract", kind="accepted"
    )
    assert both == dones["extract"]["counts"]["accepted"]


def test_engines_phases_and_states(first: Watched) -> None:
    text, record = first.last, first.record
    assert (
        value(text, "factory_engine_starts_total", kind="first") == record["engine_starts"]["scripted"]["starts"] == 1
    )
    assert value(text, "factory_engine_starts_total", kind="replacement") == 0
    asked = value(text, "factory_unit_seconds_sum", step="extract")
    phases = {labels["phase"]: seconds for labels, seconds in _of(text, "factory_phase_seconds_total", "extract")}
    assert set(phases) == {"read", "wait", "generate", "parse", "commit"}
    units = first.dones()["extract"]["units"]
    assert phases["generate"] >= 0.3 * units  # the scripted engine's latency
    assert sum(phases.values()) <= asked
    assert value(text, "factory_unit_seconds_count", step="extract") == units
    assert {labels["phase"] for labels, _ in _of(text, "factory_phase_seconds_total", "curate")} == {"work", "commit"}
    states = {labels["state"]: number for labels, number in samples(text)["factory_run_state"]}
    assert states == {state: float(state == "finished") for state in catalogue.STATES}
    during = next(text for text in first.scrapes if value(text, "factory_step_active", step="extract"))
    assert value(during, "factory_run_state", state="running") == 1
    assert any("factory_engine_open_batches{" in text for text in first.scrapes)  # looked at every 5 s
    assert any(value(text, "factory_engine_replicas", state="answering") == 1 for text in first.scrapes)
    assert value(text, "factory_engine_replicas", state="answering") == 0  # they were ended


def test_money_is_that_of_the_ledger(first: Watched) -> None:
    from factory.cost.runs import cost_of_run

    paid = cost_of_run(first.run, first.record["config"], first.dones()).paid.money
    assert paid.amount is not None
    assert abs(value(first.last, "factory_spent", currency="USD") - paid.amount) < 1e-9
    assert value(first.last, "factory_unpriced") == 0


def test_only_what_the_catalogue_names_is_exported_with_the_labels_it_names(first: Watched, grown: Watched) -> None:
    known = {metric.name: metric for metric in catalogue.METRICS}
    histograms = {name + end: metric for name, metric in known.items() for end in ("_bucket", "_sum", "_count")}
    for name, series in samples(first.last + grown.last[grown.last.index("# HELP factory_run_started") :]).items():
        metric = known.get(name) or histograms[name]
        for labels, _ in series:
            assert set(labels) - {"le"} == set(metric.labels)
            assert labels["run"] == first.run
    exported = set(samples(first.last))
    missing = {metric.name for metric in catalogue.METRICS if metric.kind != "histogram"} - exported
    assert missing <= {"factory_engine_open_requests", "factory_engine_open_batches"}  # only while engines are there


def test_prometheus_finds_the_endpoint_while_it_is_there(first: Watched) -> None:
    (target,) = first.found_by[-1]
    assert target["targets"][0].startswith("127.0.0.1:")
    assert target["labels"] == {"job": "factory"}
    assert not list((first.root.parent / f"{first.root.name}-targets").glob("*.json"))


def _rejects(text: str, step: str) -> dict[tuple[str, str], float]:
    return {(labels["side"], labels["reason"]): rows for labels, rows in _of(text, "factory_rejects_total", step)}


def _of(text: str, name: str, step: str) -> list[tuple[dict[str, str], float]]:
    return [(labels, number) for labels, number in samples(text).get(name, []) if labels["step"] == step]
