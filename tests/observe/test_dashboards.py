"""Every query of the dashboard and every alert asks for a metric that is exported, with labels and values it has."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.observe import catalogue
from factory.observe.forwarded import FORWARDED, OWN_LABELS
from tests.observe.closed_sets import VALUES
from tests.observe.promql import asked, grouped, holds, parsed
from tests.resident import REPOSITORY

FOLDER = REPOSITORY / "infra" / "dashboards"
VLLM_LABELS = {*OWN_LABELS, "engine", "model_name", "finished_reason"}

LABELS: dict[str, set[str]] = {
    **{metric.name: set(metric.labels) for metric in (*catalogue.METRICS, *catalogue.RAY_METRICS)},
    **{
        f"{catalogue.UNIT_TIME.name}{end}": {*catalogue.UNIT_TIME.labels, "le"} for end in ("_bucket", "_sum", "_count")
    },
    **{name + end: VLLM_LABELS | {"le"} for name in FORWARDED for end in ("", "_total", "_bucket", "_sum", "_count")},
}
del LABELS[catalogue.UNIT_TIME.name]  # a histogram is exported as its parts


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "factory.json").read_text())
    return found


def _targets() -> list[tuple[str, dict[str, Any]]]:
    return [
        (panel["title"], target)
        for panel in _dashboard()["panels"]
        for target in panel.get("targets", ())
        if panel["type"] != "row"
    ]


def _rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _complaints(expression: str) -> list[str]:
    tree = parsed(expression)
    found = []
    metrics = list(asked(tree))
    for each in metrics:
        known = LABELS.get(each.metric)
        if known is None:
            found.append(f"{each.metric} is not exported")
            continue
        for label, operator, wanted in each.matchers:
            if label not in known:
                found.append(f"{each.metric} has no label {label}")
            values = VALUES.get((each.metric, label))
            if values is not None and not any(holds(operator, wanted, value) for value in values):
                found.append(f"{each.metric}: {label}{operator}{wanted} matches none of {values}")
    for part, labels in grouped(tree):
        inner = {each.metric for each in asked(part)}
        found += [
            f"{metric} has no label {label} to group by"
            for metric in inner & LABELS.keys()
            for label in labels - LABELS[metric]
        ]
    return found if metrics else ["it asks for no metric"]


@pytest.mark.parametrize(("title", "target"), _targets(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_panel_asks_for_what_is_exported(title: str, target: dict[str, Any]) -> None:
    assert _complaints(target["expr"]) == []
    legend = {part.split("}}")[0].strip() for part in target["legendFormat"].split("{{")[1:]}
    metrics = {each.metric for each in asked(parsed(target["expr"]))}
    assert all(legend <= LABELS[metric] for metric in metrics), title


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])
def test_every_alert_asks_for_what_is_exported(rule: dict[str, Any]) -> None:
    assert _complaints(rule["expr"]) == []
    named = "".join(rule["annotations"].values())
    used = {part.split("}}")[0].strip().removeprefix("$labels.") for part in named.split("{{")[1:]}
    kept = set.intersection(*(LABELS[each.metric] for each in asked(parsed(rule["expr"]))))
    assert used <= kept
    assert rule["labels"]["severity"] in ("page", "warn")


@pytest.mark.parametrize(
    "wrong",
    [
        "factory_rows",
        "rate(factory_rows_total{unit='x'}[5m])",
        "factory_rows_total{kind='in'}",
        "sum by (host) (factory_rows_total)",
        "factory_unit_seconds",
        "factory_units / ignoring (kind) factory_units",
        "vector(1)",
    ],
)
def test_what_is_not_exported_is_found(wrong: str) -> None:
    assert _complaints(wrong)


def test_what_is_no_promql_is_found() -> None:
    with pytest.raises(ValueError):
        parsed("sum by (step (factory_rows_total)")


def test_every_metric_of_the_catalogue_is_on_the_dashboard_or_in_an_alert() -> None:
    shown = {each.metric for _, target in _targets() for each in asked(parsed(target["expr"]))}
    shown |= {each.metric for rule in _rules() for each in asked(parsed(rule["expr"]))}
    left_out = {"factory_run_info", "factory_run_started_timestamp_seconds", "factory_step_active"}
    left_out |= {"factory_committed_tokens", "factory_engine_start_seconds_total"}
    exported = {metric.name for metric in (*catalogue.METRICS, *catalogue.RAY_METRICS) if metric.kind != "histogram"}
    assert exported - shown <= left_out
    assert "factory_unit_seconds_bucket" in shown


def test_panels_are_laid_out_without_overlap_and_ids_are_unique() -> None:
    panels = _dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
    names = {variable["name"] for variable in _dashboard()["templating"]["list"]}
    assert names == {"datasource", "run"}
    assert all(target["datasource"]["uid"] == "${datasource}" for _, target in _targets())


def test_the_example_of_a_scrape_configuration_names_what_runs_write() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    files = {job["job_name"]: job.get("file_sd_configs", [{}])[0].get("files") for job in config["scrape_configs"]}
    assert files["factory"] == ["/var/lib/factory/targets/*.json"]
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    assert files["ray"] == [f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"]
    assert config["rule_files"] == ["alerts.yaml"]
    sources, providers = yaml.safe_load_all((FOLDER / "grafana.yaml").read_text())
    assert sources["datasources"][0]["type"] == "prometheus"
    assert providers["providers"][0]["options"]["path"]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool comes with Prometheus; see docs/observability.md"
)
def test_prometheus_itself_takes_rules_and_configuration(tmp_path: Path) -> None:
    for name in ("alerts.yaml", "prometheus.yaml"):
        shutil.copy(FOLDER / name, tmp_path / name)
    for what in (["rules", "alerts.yaml"], ["config", "prometheus.yaml"]):
        done = subprocess.run(["promtool", "check", *what], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
