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
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from factory import __version__
from factory.credentials import without_credentials
from factory.evaluate import charts, costs, text
from factory.evaluate.checks import Equation, broken_equations
from factory.evaluate.diversity import picture, sections
from factory.evaluate.facts import Categories, Numbers, ReportInput
from factory.evaluate.flow import flow_rows
from factory.evaluate.models import SMALL, in_words
from factory.evaluate.verification import verification
from factory.select.findings import findings_of
from factory.store.base import Store


def report_key(run_id: str) -> str:
    return f"runs/{run_id}/report.html"


def write_report(store: Store, run_id: str, diversity: Mapping[str, Any] | None = None) -> str:
    """Gathers a run's facts, writes its report and returns the report's key below the root. `diversity` replaces keys
    of the run's own section of that name.

    Works for failed and unfinished runs too. Raises ConfigError when the root has no such run.
    """
    from factory.evaluate.gather import gather

    key = report_key(run_id)
    store.put(key, build_report(gather(store, run_id, diversity)).encode())
    return key


def build_report(summary: ReportInput) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    template = _environment().get_template("report.html.j2")
    spent = {step.name: costs.spent_by(step) for step in summary.steps}
    total = costs.total(list(spent.values()))
    broken = broken_equations(summary)
    drawn = summary.diversity is not None and summary.diversity.picture is not None
    return template.render(
        data=summary,
        version=__version__,
        notices=_notices(summary, broken),
        tiles=_tiles(summary, total),
        flow=flow_rows(summary),
        equations=_equations(summary, broken),
        spent=spent,
        total=total,
        prices=costs.prices_of(summary.config),
        cost=costs.cost_of(total, costs.prices_of(summary.config)),
        samples=costs.samples_of(summary),
        starts=_engine_starts(summary),
        distributions=_distributions(summary),
        selection=_selection(summary),
        decontamination=_decontamination(summary),
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
    environment = Environment(
        loader=PackageLoader("factory.evaluate", ""),
        autoescape=True,  # by name it would depend on the file's ending, and .j2 is not among those it knows
        undefined=StrictUndefined,
        finalize=text.printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=text.count,
        share=text.share,
        decimal=text.decimal,
        seconds=text.seconds,
        moment=text.moment,
        link=text.link,
        parameters=in_words,
    )
    environment.globals.update(money=text.money, between=text.between, share_bar=charts.share_bar)
    return environment


@dataclass(frozen=True)
class Notice:
    """`tone`: "bad" (something is wrong), "loud" (must be known before the data is used) or "note"."""

    tone: str
    headline: str
    body: str


def _notices(data: ReportInput, broken: list[Equation]) -> list[Notice]:
    found: list[Notice] = []
    if data.state not in ("finished", "running"):
        found.append(Notice("bad", f"The run {data.state}.", data.error or "Its record does not say why."))
    if data.state == "running":
        found.append(Notice("note", "The run was still going when this was written.", "Figures are of finished steps."))
    if broken:
        names = ", ".join(dict.fromkeys(equation.step for equation in broken))
        found.append(
            Notice(
                "bad",
                f"Rows do not add up in: {names}.",
                "A row vanished, was counted twice, or a record was changed. The equations are marked below; "
                "do not use these samples before factory verify has explained it.",
            )
        )
    failed = [gate.name for gate in data.gates if gate.state == "fail"]
    if failed:
        found.append(Notice("bad", f"Failed gates: {', '.join(failed)}.", "A run whose gates fail publishes nothing."))
    warned = [gate.name for gate in data.gates if gate.state == "warn"]
    if warned:
        meant = "They do not stop publishing; docs/gates.md says what each asks you to look at."
        found.append(Notice("note", f"Gates that warn: {', '.join(warned)}.", meant))
    found.extend(_model_notices(data))
    found.extend(_index_notices(data.index))
    found.extend(_round_notices(data))
    found.extend(Notice("note", "Left out of this report.", problem) for problem in data.problems)
    return found


def _model_notices(data: ReportInput) -> list[Notice]:
    if data.engine_kind == "scripted":
        return [
            Notice(
                "loud",
                "No language model wrote these samples.",
                "The scripted engine fills in deterministic text. This run shows that the pipeline works; its rows are "
                "not training data. The model named in the configuration was not loaded.",
            )
        ]
    found = []
    for model in data.models:
        if model.parameters is not None and model.parameters < SMALL:
            found.append(
                Notice(
                    "loud",
                    f"{model.id} has {in_words(model.parameters)} parameters: expect weak samples.",
                    f"Models below {in_words(SMALL)} parameters often miss the format and get facts wrong. Many of "
                    "their outputs are rejected below, and what remains shows the pipeline rather than its best work.",
                )
            )
    return found


def _index_notices(index: Mapping[str, Any]) -> list[Notice]:
    """What of other datasets the questions were held against, and whether later runs hold theirs against these."""
    if not index:
        return []
    lines = []
    for key, when in (("compared_with", "before answers"), ("newer", "registered meanwhile, before publishing")):
        for item in index.get(key) or ():
            lines.append(f"{item['dataset']}@{item['version']} ({item['questions']:,} questions, {when})")
    if index.get("segment"):
        lines.append(f"its own questions are registered as segment {index['segment']}")
    compared = any(index.get(key) for key in ("compared_with", "newer"))
    headline = "Compared with published datasets." if compared else "Not compared with published datasets."
    return [Notice("note", headline, "; ".join(lines) if lines else "The index had none.")]


def _round_notices(data: ReportInput) -> list[Notice]:
    """What `target_samples` asked for, and what each round of walks brought."""
    target = data.config.get("target_samples")
    if target is None or not data.rounds:
        return []
    ended = [each for each in data.rounds if each.get("samples") is not None]
    accepted = int(ended[-1]["samples"]) if ended else 0
    rounds = "; ".join(
        f"round {number}: walks up to {each['walks']:,}, {each['samples']:,} samples in all"
        for number, each in enumerate(ended, 1)
    )
    if accepted >= target:
        headline = f"The target of {target:,} accepted samples is met: {accepted:,}."
        return [Notice("note", headline, f"{rounds}. A round is not cut short, so there may be more than asked for.")]
    if data.state != "finished":
        return [Notice("note", f"Target: {target:,} accepted samples, {accepted:,} so far.", rounds)]
    headline = f"The target of {target:,} accepted samples is not met: {accepted:,}."
    return [
        Notice("loud", headline, f"{rounds}. No walks are left; see the rejects of walk, pair and question_3 below.")
    ]


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    note: str


def _tiles(data: ReportInput, total: costs.Spent) -> list[Tile]:
    samples = costs.samples_of(data)
    read = data.steps[0].count("inputs") if data.steps else 0
    asked = _documents_asked_about(data)
    steps = [step for step in data.steps if step.name.startswith("question")]
    questions = sum(step.count("accepted") for step in steps)
    written = sum(step.count("produced") for step in steps)
    rate = total.generated_per_second
    wall = text.between(data.started, data.finished)
    prices = costs.prices_of(data.config)
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
    if prices.any:
        money = costs.cost_of(total, prices)
        a_sample = text.money(money / samples, prices.currency) if samples else text.NONE
        tiles.append(Tile("Cost a sample", a_sample, f"{text.money(money, prices.currency)} in all"))
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


@dataclass(frozen=True)
class Histogram:
    title: str
    numbers: Numbers
    chart: Markup
    labels: tuple[str, ...]
    as_share: bool
    remark: str = ""

    def value(self, number: float) -> str:
        return text.share(number) if self.as_share else text.count(number)


@dataclass(frozen=True)
class Ranking:
    title: str
    rows: tuple[tuple[str, int, Markup], ...]
    categories: Categories
    wide: bool = False


HISTOGRAMS = {
    "question_tokens": ("Question length", "tokens", False),
    "answer_tokens": ("Answer length", "tokens", False),
    "agreement": ("Agreement of answers", "of votes for the winner", True),
    "copied_share": ("Copied from the source", "of an answer's word 8-grams", True),
    "grounded_share": ("Grounded in the source", "of an answer's content words", True),
}
RANKINGS = {
    "subject": "Subject",
    "edu_level": "Educational level",
    "level": "Level",
    "origin": "Origin of the question",
    "verified": "Verified",
}


def _distributions(data: ReportInput) -> Mapping[str, list[Any]]:
    numbers, categories = data.distributions.numbers, data.distributions.categories
    histograms = []
    for name, (title, unit, as_share) in HISTOGRAMS.items():
        if name in numbers:
            found = numbers[name]
            chart = charts.histogram(found, unit, f"{title}: distribution over {found.rows:,} rows", as_share=as_share)
            labels = charts.axis_labels(found, as_share=as_share)
            remark = "One sample a question, so every answer agrees with itself." if _unvoted(data, name) else ""
            histograms.append(Histogram(title, found, chart, labels, as_share, remark))
    rankings = [
        _ranking(title, categories[name], wide=name == "subject", by_name=name == "level")
        for name, title in RANKINGS.items()
        if name in categories
    ]
    return {"histograms": histograms, "rankings": rankings}


SELECTION = {
    "licence": ("Licence", "documents"),
    "lang": ("Language", "documents"),
    "score": ("Domain score, 1 to 10", "documents"),
    "duty": ("Duties of the licence", "documents"),
    "masked": ("Masked personal data", "spans"),
}
"""What the filters of `select` found in documents they let pass (factory/select/findings.py)."""

SELECTION_SHOWN = 10


def _selection(data: ReportInput) -> list[Ranking]:
    step = data.step("select")
    rankings = []
    for kind, (title, noun) in SELECTION.items():
        counts = findings_of(step.facts, kind) if step else {}
        if counts:
            most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            shown, rest = most[:SELECTION_SHOWN], most[SELECTION_SHOWN:]
            # A document has several duties or none: their shares are of documents, not of each other.
            whole = step.count("used") if step and noun == "documents" else sum(counts.values())
            found = Categories(tuple(shown), sum(rows for _, rows in rest), len(counts), whole)
            rankings.append(_ranking(f"{title} ({noun})", found, wide=False, by_name=kind == "score"))
    return rankings


DECONTAMINATION = {
    "leak": "Dropped as benchmark items, by rule (questions)",
    "alike": "Kept: similar to an item (other numbers, or near by embedding), by rule (questions)",
    "answer_leak": "Dropped as answers of benchmarks, by rule (answers)",
    "answer_alike": "Kept: similar to a benchmark's answer (other numbers), by rule (answers)",
}
"""What the rules of decontamination found among questions (factory/curate/decon/hits.py, `count_evidence`) and answers
(factory/publish/leaked_answers.py)."""


def _decontamination(data: ReportInput) -> list[Ranking]:
    rankings = []
    for kind, title in DECONTAMINATION.items():
        step = data.step("samples" if kind.startswith("answer_") else "sketch")
        counts = findings_of(step.facts, kind) if step else {}
        if counts:
            most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            rest = sum(rows for _, rows in most[SELECTION_SHOWN:])
            found = Categories(tuple(most[:SELECTION_SHOWN]), rest, len(counts), sum(counts.values()))
            rankings.append(_ranking(title, found, wide=False, by_name=False))
    return rankings


def _unvoted(data: ReportInput, name: str) -> bool:
    return name == "agreement" and _answers_asked(data) == 1


def _ranking(title: str, found: Categories, *, wide: bool, by_name: bool) -> Ranking:
    most = max((rows for _, rows in found.values), default=0)
    rows = tuple(
        (name, rows, charts.share_bar(rows / most if most else 0, "used", f"{name}: {rows:,}"))
        for name, rows in (sorted(found.values) if by_name else found.values)
    )
    return Ranking(title, rows, found, wide)


def _answers_asked(data: ReportInput) -> int:
    """k: answers sampled a question at most."""
    return int(costs.section_of(data.config, "answer").get("samples", 1))


def _voting(data: ReportInput) -> str:
    """What deciding early saved, in a sentence; "" where nothing was voted on."""
    step = data.step("answer")
    if step is None or not step.finished:
        return ""
    k = _answers_asked(data)
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
    most = costs.section_of(data.config, "curate").get("template_variants")
    kept = "all of them stay (curate.template_variants)" if most is None else f"at most {most:,} of one stay"
    moulds = "one template" if groups == 1 else f"{groups:,} templates"
    return f"{variants:,} different questions are of {moulds}: they say the same words with other numbers; {kept}."


def _commands(data: ReportInput) -> list[tuple[str, str]]:
    """(what it does, shell command), for the dataset of this run."""
    endpoint = costs.section_of(data.config, "store").get("endpoint_url")
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
