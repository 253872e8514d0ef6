"""The run report: one HTML page that says what happened, why rows fell out, and what it cost.

Design: a pure function from facts to a self-contained page: no resource from anywhere, charts as inline SVG,
styles inline, light and dark by the reader's setting. Documents and completions hold HTML, LaTeX and script text:
the template escapes everything (autoescape), unprintable characters are replaced on the way in, and a
Content-Security-Policy forbids requests and scripts even if escaping ever failed. Where there is a picture of the
graph, one script of ours zooms it, and the policy allows that one by its hash.
Cost: about 30 ms a page of 80-200 kB; a picture of 1,900 nodes adds 85 ms and 410 kB.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from factory import __version__
from factory.cost.config import PricesConfig
from factory.cost.engines import by_model
from factory.cost.estimate.estimate import Compared, held_against
from factory.cost.runs import RunCost
from factory.cost.words import said_money
from factory.credentials import without_credentials
from factory.evaluate import charts, cost_view, costs, text
from factory.evaluate.checks import Equation, broken_equations
from factory.evaluate.diversity import picture, sections
from factory.evaluate.environment import page_environment
from factory.evaluate.facts import ReportInput
from factory.evaluate.flow import flow_rows
from factory.evaluate.models import in_words
from factory.evaluate.notices import notices
from factory.evaluate.rankings import answers_asked, decontamination, distributions, selection
from factory.evaluate.tasks import tasks
from factory.evaluate.verification import verification
from factory.run.record import section_of
from factory.store.base import Store


def report_key(run_id: str) -> str:
    return f"runs/{run_id}/report.html"


def write_report(
    store: Store, run_id: str, diversity: Mapping[str, Any] | None = None, prices: PricesConfig | None = None
) -> str:
    """Gathers a run's facts, writes its report and returns the report's key below the root. `diversity` replaces keys
    of the run's own section of that name, `prices` all of its prices.

    Works for failed and unfinished runs too. Raises ConfigError when the root has no such run.
    """
    from factory.evaluate.gather import gather

    key = report_key(run_id)
    summary = gather(store, run_id, diversity)
    if prices is not None:
        summary = replace(summary, config={**summary.config, "prices": prices.model_dump(mode="json")})
    store.put(key, build_report(summary).encode())
    return key


def build_report(summary: ReportInput) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    template = _environment().get_template("report.html.j2")
    spent = {step.name: costs.spent_by(step) for step in summary.steps}
    total = costs.total(list(spent.values()))
    cost = costs.cost_of(summary)
    broken = broken_equations(summary)
    drawn = summary.diversity is not None and summary.diversity.picture is not None
    return template.render(
        data=summary,
        version=__version__,
        notices=notices(summary, broken),
        tiles=_tiles(summary, total, cost),
        flow=flow_rows(summary),
        equations=_equations(summary, broken),
        spent=spent,
        total=total,
        cost=cost,
        money_steps=cost_view.steps(cost),
        subjects=cost_view.most(cost.subjects),
        models=by_model(summary.engine_use),
        compared=_compared(summary, cost),
        samples=costs.samples_of(summary),
        starts=_engine_starts(summary),
        distributions=distributions(summary),
        selection=selection(summary),
        decontamination=decontamination(summary),
        tasks=tasks(summary),
        verification=verification(summary),
        voting=_voting(summary),
        templates=_templates(summary),
        diversity=sections.view(summary.diversity),
        script=Markup(picture.script()) if drawn else None,
        script_hash=picture.script_hash(),
        commands=_commands(summary),
        config=json.dumps(without_credentials(dict(summary.config)), indent=2, ensure_ascii=False, default=str),
    )


@cache
def _environment() -> Environment:
    environment = page_environment()
    environment.filters.update(
        count=text.count,
        share=text.share,
        decimal=text.decimal,
        seconds=text.seconds,
        moment=text.moment,
        link=text.link,
        parameters=in_words,
    )
    environment.globals.update(said_money=cost_view.said, in_full=said_money, money=text.money)
    environment.globals.update(between=text.between, share_bar=charts.share_bar)
    return environment


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    note: str


def _compared(data: ReportInput, cost: RunCost) -> tuple[Compared, ...]:
    """What was planned beside what it came to."""
    ledgers = {step.name: step.ledger for step in data.steps if step.finished}
    return held_against(data.estimate, ledgers, cost)


def _tiles(data: ReportInput, total: costs.Spent, cost: RunCost) -> list[Tile]:
    samples = costs.samples_of(data)
    read = data.steps[0].count("inputs") if data.steps else 0
    asked = _documents_asked_about(data)
    steps = [step for step in data.steps if step.name.startswith("question")]
    questions = sum(step.count("accepted") for step in steps)
    written = sum(step.count("produced") for step in steps)
    rate = total.generated_per_second
    wall = text.between(data.started, data.finished)
    tiles = [
        Tile("Documents read", text.count(read), f"{text.count(asked)} of them asked about" if asked else ""),
        Tile("Questions accepted", text.count(questions), _questions_note(questions, written, asked)),
        Tile(
            "Samples published" if data.dataset else "Samples, not published",
            text.count(samples),
            f"yield: {text.share(samples, written)} of the {text.count(written)} questions written" if written else "",
        ),
        Tile(
            "Tokens a sample",
            text.count(total.tokens / samples if samples else None),
            f"{text.count(total.tokens)} in all, prompts and lost attempts included",
        ),
        Tile(
            "Engine time",
            text.seconds(total.engine_seconds),
            f"{text.count(rate)} generated tokens/s" if rate else "nothing was generated this time",
        ),
    ]
    if cost.all.money.amount is not None:
        per_thousand = cost_view.said(cost.per_thousand) if samples else text.NONE
        tiles.append(Tile("Cost a thousand samples", per_thousand, f"{said_money(cost.all.money)} in all"))
    else:
        tiles.append(Tile("Start to end", text.seconds(wall), "no prices are set, so no cost is shown"))
    return tiles


def _documents_asked_about(data: ReportInput) -> int | None:
    """Documents that were left after duplicates were merged and `limit` was applied; None where not recorded."""
    merge = data.step("merge")
    found = merge.facts.get("documents") if merge else None
    return int(found) if found else None


def _questions_note(questions: int, written: int, asked: int | None) -> str:
    """Questions a document that models were asked about: documents read may be many times as many."""
    parts = [f"of {text.count(written)} written"] if written else []
    if asked:
        parts.append(f"{questions / asked:.2f} a document asked about")
    return ", ".join(parts)


def _equations(data: ReportInput, broken: list[Equation]) -> list[Equation]:
    """Broken equations that the funnel does not already show beside a bar: reasons and totals."""
    shown = {"inputs", "produced"}
    return [equation for equation in broken if equation.left not in shown]


def _engine_starts(data: ReportInput) -> list[tuple[str, int, int]]:
    """(model, starts, replacements); the record names models by revision."""
    names = {model.revision: model.id for model in data.models if model.revision}
    return [(names.get(item.model, item.model), item.starts, item.replacements) for item in data.engine_starts]


def _voting(data: ReportInput) -> str:
    """What deciding early saved, in a sentence; "" where nothing was voted on."""
    step = data.step("answer")
    if step is None or not step.finished:
        return ""
    k = answers_asked(data)
    if k <= 1:
        return "One answer was sampled a question, so there was no vote to decide early."
    saved, tokens = step.ledger.get("samples_saved", 0), step.ledger.get("tokens_saved", 0)
    return (
        f"Votes of up to {k} answers a question that were decided early left out {saved:,.0f} answers, "
        f"about {tokens:,.0f} generated tokens."
    )


def _templates(data: ReportInput) -> str:
    """Questions that differ in numbers alone, in a sentence; "" where there are none."""
    step = data.step("match")
    groups, variants = (int(step.ledger.get(name, 0)) if step else 0 for name in ("templates", "template_variants"))
    if not groups:
        return ""
    most = section_of(data.config, "curate").get("template_variants")
    kept = "all of them stay (curate.template_variants)" if most is None else f"at most {most:,} of one stay"
    moulds = "one template" if groups == 1 else f"{groups:,} templates"
    return f"{variants:,} different questions are of {moulds}: they say the same words with other numbers; {kept}."


def _commands(data: ReportInput) -> list[tuple[str, str]]:
    """(what it does, shell command), for the dataset of this run."""
    endpoint = section_of(data.config, "store").get("endpoint_url")
    options = f" --endpoint-url {shlex.quote(str(without_credentials(endpoint)))}" if endpoint else ""
    root = shlex.quote(data.root)
    found = []
    if data.dataset is not None:
        address = shlex.quote(data.dataset.address)
        found.append(
            ("Proves hashes, counts, schema, conservation and lineage; exit code 0 or 1", f"factory verify {address}")
        )
        if data.examples:
            sample = shlex.quote(str(data.examples[0].row.get("sample_id", "SAMPLE_ID")))
            found.append(("Rebuilds the exact requests behind a row", f"factory replay {address} {sample}"))
        found.append(("Shows samples in the terminal", f"factory show {address}"))
    found.append(("Says how far the runs under this root are", f"factory status {root}"))
    found.append(("Writes this page again", f"factory report {root} --run {shlex.quote(data.run)}"))
    return [(does, command + options) for does, command in found]
