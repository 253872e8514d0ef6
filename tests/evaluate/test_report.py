"""The page as text: what it says, that it stands alone, and that nothing in the data can become markup."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.evaluate.facts import EngineStarts, Example, GateFacts, ModelFacts, ReportInput, StepFacts
from factory.evaluate.report import build_report
from factory.evaluate.text import NBSP, share
from tests.evaluate.sample_report import HANDLER, HOSTILE, LATEX, SCRIPT, config, example, report_input, steps

EMPTY = ReportInput(run="r", state="running", root="/r", name="d", domain="", engine_kind="vllm")

RESOURCE_TAGS = {"script", "img", "iframe", "object", "embed", "audio", "video", "source", "form", "base", "input"}
VOID = {"meta", "link", "col", "br"}


class Page(HTMLParser):
    """Every tag and attribute of a page, its text, and whether tags close as they opened."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).replace("\u00a0", " ").split())


def said(data: ReportInput) -> str:
    return Page(build_report(data)).text


def test_questions_are_counted_a_document_asked_about_and_the_yield_is_the_gates() -> None:
    data = report_input()
    read = data.steps[0].count("inputs")
    asked = [replace(step, facts={"documents": 20}) if step.name == "merge" else step for step in data.steps]
    page = said(replace(data, steps=tuple(asked)))
    questions = [step for step in data.steps if step.name.startswith("question")]
    accepted, written = (sum(step.count(name) for step in questions) for name in ("accepted", "produced"))
    assert accepted < written
    assert data.dataset is not None
    assert f"Documents read {read} 20 of them asked about" in page
    assert f"Questions accepted {accepted:,} of {written:,} written, {accepted / 20:.2f} a document asked about" in page
    assert f"yield: {share(data.dataset.rows, written)} of the {written:,} questions written".replace(NBSP, " ") in page


def test_where_the_documents_asked_about_are_not_recorded_nothing_is_divided_by_others() -> None:
    assert "a document" not in said(report_input()).split("Tokens a sample")[0]


def assert_stands_alone(page: str) -> None:
    for tag, attributes in Page(page).tags:
        assert tag not in RESOURCE_TAGS, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "srcset", "data", "action", "poster", "background", "xlink:href"):
                pytest.fail(f"{tag} loads {value}")
            if name == "href" and tag != "a":
                assert value == "data:,", (tag, value)
            if name == "href" and tag == "a":
                assert re.match(r"#|https?://", value or ""), value
    style = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    assert_stands_alone(build_report(report_input()))


def test_hostile_text_is_shown_and_never_becomes_markup() -> None:
    page = build_report(report_input())
    assert SCRIPT not in page
    assert HANDLER not in page
    shown = Page(page).text
    for text in (SCRIPT, HANDLER, " ".join(LATEX.split()), "{{ 7 * 7 }} {% raw %} ${7*7} {{ config }}"):
        assert text in shown


def test_a_javascript_url_is_text_and_not_a_link() -> None:
    page = Page(build_report(report_input(examples=(example(4, "q", "a", "passage"),))))
    assert "javascript:alert(1)" in page.text
    assert not any("javascript" in (attributes.get("href") or "") for _, attributes in page.tags)


def test_unprintable_characters_and_direction_overrides_are_replaced() -> None:
    page = build_report(report_input())
    page.encode()  # a lone surrogate would raise here
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    assert "lone \ufffd override \ufffdtxt.exe\ufffd end" in page


@settings(max_examples=40)
@given(st.text(max_size=200) | st.sampled_from(HOSTILE), st.text(max_size=60))
def test_any_text_anywhere_leaves_a_page_that_stands_alone(text: str, name: str) -> None:
    data = replace(
        EMPTY,
        name=name,
        root=text,
        error=text,
        state="failed",
        domain=text,
        models=(ModelFacts(text, (text,), text, text, text),),
        steps=(
            StepFacts(name or "s", text, counts={"inputs": 1, "rejected": 1}, reasons={"input": {text: 1}}, units=1),
        ),
        engine_starts=(EngineStarts(text, 1, 0),),
        gates=(GateFacts(text, text, 1.0, 2.0, False, text, (text,)),),
        examples=(Example({"question": text, "answer": text, "lineage": {name: text}}, text, ()),),
        config={name: text},
        problems=(text,),
    )
    page = build_report(data)
    page.encode()
    assert_stands_alone(page)


def test_medians_say_about_where_they_are_rounded_and_lengths_what_they_count() -> None:
    data = report_input()
    numbers = {"grounded_share": replace(data.distributions.numbers["agreement"], median=0.0, p95=1 / 6)}
    assert data.dataset is not None
    data = replace(
        data,
        distributions=replace(data.distributions, numbers=numbers),
        dataset=replace(data.dataset, tokenizer="words"),
    )
    text = " ".join(Page(build_report(data)).text.replace("\u00a0", " ").split())
    assert "median 0 %, mean" in text
    assert "95 % up to 17 %" in text
    assert "tokens (words tokenizer" in text
    assert "in words" not in text
    rounded = {"grounded_share": replace(numbers["grounded_share"], exact=False)}
    page = build_report(replace(data, distributions=replace(data.distributions, numbers=rounded)))
    assert "median about 0" in Page(page).text


def test_equations_that_hold_are_shown_without_alarm() -> None:
    page = build_report(report_input())
    text = Page(page).text
    assert "398 inputs = 361 used + 36 rejected + 1 quarantined" in text
    assert "833 produced = 702 accepted + 131 rejected" in text
    assert "equals 702 accepted by question_1 + 322 accepted by question_2" in text
    assert "does not add up" not in text
    assert "Rows do not add up" not in text
    assert 'class="step broken"' not in page


@pytest.mark.parametrize(
    ("field", "change", "words"),
    [
        ("used", -7, "does not add up: 7 unaccounted for"),
        ("used", 3, "does not add up: 3 too many"),
        ("output_rejected", 2, "does not add up: 2 too many"),
    ],
)
def test_an_equation_that_does_not_hold_is_marked_and_announced(field: str, change: int, words: str) -> None:
    changed = list(steps())
    counts = {**changed[3].counts, field: changed[3].counts[field] + change}
    changed[3] = replace(changed[3], counts=counts)
    page = build_report(report_input(steps=tuple(changed)))
    assert words in Page(page).text
    assert "Rows do not add up in: question_1." in Page(page).text
    assert page.count('class="step broken"') == 1


def test_reasons_that_do_not_sum_to_the_rejects_are_announced() -> None:
    changed = list(steps())
    place = next(place for place, step in enumerate(changed) if step.name == "curate")
    changed[place] = replace(changed[place], reasons={"input": {"near_duplicate": 100}})
    text = said(report_input(steps=tuple(changed)))
    assert "Rows do not add up in: curate." in text
    assert "113 rejected (input side), but 100 near_duplicate on record" in text


def test_a_step_that_read_fewer_rows_than_were_handed_over_is_announced() -> None:
    changed = list(steps())
    changed[2] = replace(changed[2], counts={**changed[2].counts, "inputs": 390, "used": 353})
    assert "8 never arrived" in said(report_input(steps=tuple(changed)))


def test_a_dataset_with_other_rows_than_the_last_step_accepted_is_announced() -> None:
    whole = report_input()
    assert whole.dataset is not None
    text = said(replace(whole, dataset=replace(whole.dataset, rows=845)))
    assert "Rows do not add up in: dataset." in text


def test_the_scripted_engine_is_announced_and_no_model_is_blamed() -> None:
    text = said(report_input(engine_kind="scripted"))
    assert "No language model wrote these samples." in text
    assert "expect weak samples" not in text


def test_a_small_model_is_announced_by_its_recorded_size_and_a_large_one_is_not() -> None:
    assert "SmolLM2-135M-Instruct has 135M parameters: expect weak samples." in said(report_input())
    large = ModelFacts("Qwen2.5-72B-Instruct", ("answer",), parameters=72_700_000_000)
    unknown = ModelFacts("house-model", ("answer",))
    text = said(report_input(models=(large, unknown)))
    assert "expect weak samples" not in text
    assert "72.7B" in text
    assert "not recorded" in text


def test_licence_and_terms_of_the_model_are_stated() -> None:
    assert "Apache-2.0 places no restriction on the use of outputs" in said(report_input())


def test_gates_say_pass_fail_and_off() -> None:
    gates = (
        GateFacts("min_samples", "min", 50, 846, True),
        GateFacts("min_yield", "min", 0.5, 0.4, False),
        GateFacts("max_copied_share", "max", None, 0.02, True),
        GateFacts("max_refusals", "max", 0.1, 0.2, False, severity="warn"),
    )
    page = build_report(report_input(gates=gates))
    page_gates = page[page.index("<tbody>", page.index('<section id="gates">')) :]
    rows = re.findall(r"<tr><th>(\w+)</th>.*?<span class=\"state ?\w*\">(\w+)</span>", page_gates, re.DOTALL)
    assert rows == [
        ("min_samples", "pass"),
        ("min_yield", "fail"),
        ("max_copied_share", "off"),
        ("max_refusals", "warn"),
    ]
    assert "Failed gates: min_yield." in Page(page).text
    assert "Gates that warn: max_refusals." in Page(page).text


def test_cost_counts_lost_attempts_and_prices_engine_hours() -> None:
    text = said(report_input())
    # 297,619 generated tokens at 131 a second of one engine at 2.1 EUR an hour, and 96 lost requests at the mean of
    # extract (39,870 tokens in 398 requests), over 846 samples
    assert "1.37 EUR, 1.62 EUR a thousand samples" in text
    assert "2, at most 96 requests or about 50,239 tokens" in text
    free = said(report_input(config={**config(), "prices": {}}))
    assert "no prices are set" in free
    assert "EUR" not in free


def test_money_is_shown_by_step_level_and_payer_and_engines_say_how_idle_they_were() -> None:
    used = dict(zip(("requests", "generated_tokens", "engine_busy_seconds"), (100, 1000, 3600.0), strict=True))
    asked = (
        StepFacts("extract", "extract-1", ledger=used, paid={"bbbb": used}, counts={"accepted": 9}),
        StepFacts("question_1", "question_1-1", ledger=used, paid={"a3f01c22d9e84b10": used}, counts={"accepted": 9}),
        StepFacts("question_2", "question_2-1", ledger=used, paid={"a3f01c22d9e84b10": used}, counts={"accepted": 9}),
    )
    text = said(report_input(steps=asked))
    assert "paid by run bbbb: 2.10 EUR" in text
    assert "6.30 EUR, 7.45 EUR a thousand samples" in text
    assert "Money by level" in text
    assert "1 x H100" in text
    assert "15 %" in text  # idle: 200 of 1,300 seconds of each replica


def test_what_was_planned_stands_beside_what_it_came_to() -> None:
    section = build_report(report_input()).split("Planned and come to")[1].split("</section>")[0]
    assert "390 to 410" in section
    assert "-0.5 %" in section  # 398 requests where 400 were planned
    assert "outside" in section  # 39,870 generated tokens where at most 32,000 were expected
    assert "Planned and come to" not in build_report(report_input(estimate=None))


def test_votes_decided_early_say_what_they_saved() -> None:
    assert "left out 1,002 answers, about 35,701 generated tokens" in said(report_input())
    single = {**config(), "answer": {"samples": 1}}
    assert "there was no vote to decide early" in said(report_input(config=single))


def test_commands_are_ready_to_paste_even_for_a_path_with_a_space() -> None:
    text = said(report_input())
    dataset = "'/data/factory demo/datasets/docstrings-demo/5b1d7c0e9f21'"
    assert f"factory verify {dataset}" in text
    assert f"factory replay {dataset} {1:032x}" in text
    assert "factory report '/data/factory demo' --run a3f01c22d9e84b10" in text


def test_secrets_in_the_configuration_are_not_shown() -> None:
    page = html.unescape(build_report(report_input()))
    assert "hunter2" not in page
    assert "hf_verysecret" not in page
    assert '"api_key_env": "OPENAI_API_KEY"' in page
    assert '"max_model_len": 2048' in page


def test_a_failed_run_says_why_and_shows_what_it_has() -> None:
    stopped = (*steps()[:3], StepFacts("question_1", "question_1-ab", finished=False))
    data = replace(EMPTY, state="failed", error="EngineError: the engine died\n  what to do: look", steps=stopped)
    text = said(data)
    assert "The run failed. EngineError: the engine died" in text
    assert "The run stopped before this step was finished." in text
    assert "There are no samples to describe." in text


def test_a_run_with_nothing_recorded_still_gives_a_page() -> None:
    assert "No step was recorded." in said(EMPTY)


def test_the_same_facts_give_the_same_page() -> None:
    assert build_report(report_input()) == build_report(report_input())


FOUND = {"lang=en": 7, "lang=fr": 2, "masked=EMAIL": 3, "duty=notice": 6, "duty=changes": 3, "licence=MIT": 9}


def test_benchmark_items_are_shown_by_benchmark_and_rule_and_left_out_where_none_were_found() -> None:
    facts = {"leak=gsm8k: exact": 3, "leak=mmlu: aligned_share": 1, "alike=gsm8k: ngram_coverage": 2}
    sketch = StepFacts("sketch", "sketch-1", facts=facts)
    page = build_report(replace(report_input(), steps=(sketch, *report_input().steps[1:])))
    section = page.split('<section id="decontamination">')[1].split("</section>")[0]
    for text in ("gsm8k: exact", "mmlu: aligned_share", "gsm8k: ngram_coverage", "other numbers"):
        assert text in section
    assert '<section id="decontamination">' not in build_report(report_input())


def test_answers_of_benchmarks_are_shown_beside_questions() -> None:
    facts = {"answer_leak=gsm8k: exact": 3, "answer_alike=gsm8k: ngram_coverage": 2}
    samples = StepFacts("samples", "samples-1", facts=facts)
    steps = (*(step for step in report_input().steps if step.name != "samples"), samples)
    section = build_report(replace(report_input(), steps=steps)).split('<section id="decontamination">')[1]
    for text in ("Dropped as answers of benchmarks", "gsm8k: exact", "gsm8k: ngram_coverage"):
        assert text in section.split("</section>")[0]


def test_what_selection_found_is_shown_as_counts_and_left_out_where_filters_found_nothing() -> None:
    select = StepFacts("select", "select-1", counts={"used": 9}, facts=FOUND)
    page = build_report(replace(report_input(), steps=(select, *report_input().steps[1:])))
    section = page.split('<section id="selection">')[1].split("</section>")[0]
    assert "Language (documents)" in section
    assert "Masked personal data (spans)" in section
    assert "EMAIL" in section
    assert "Domain score" not in section
    assert section.count("Duties of the licence") == section.count("Licence (documents)") == 1
    notice = section.split("notice</td>")[1].split("</tr>")[0]
    assert "67" in notice, "six of nine documents, not of nine duties"
    assert '<section id="selection">' not in build_report(report_input())


def test_templates_are_counted_and_a_cap_is_named() -> None:
    data = report_input()
    counted = {"templates": 3, "template_variants": 1_200}
    moulds = [replace(step, ledger=counted) if step.name == "match" else step for step in data.steps]
    assert "other numbers" not in said(data)
    page = said(replace(data, steps=tuple(moulds)))
    assert "1,200 different questions are of 3 templates" in page
    assert "all of them stay" in page
    capped = {**data.config, "curate": {"template_variants": 20}}
    assert "at most 20 of one stay" in said(replace(data, steps=tuple(moulds), config=capped))


@pytest.mark.parametrize(
    ("state", "samples", "says"),
    [
        ("finished", 120, "The target of 100 accepted samples is met: 120."),
        ("finished", 80, "The target of 100 accepted samples is not met: 80."),
        ("failed", 80, "Target: 100 accepted samples, 80 so far."),
    ],
)
def test_a_target_and_its_rounds_are_told(state: str, samples: int, says: str) -> None:
    data = report_input()
    rounds = ({"walks": 64, "samples": 40}, {"walks": 1_200, "samples": samples}, {"walks": 1_300})
    page = said(replace(data, state=state, config={**data.config, "target_samples": 100}, rounds=rounds))
    assert says in page
    assert f"round 2: walks up to 1,200, {samples} samples in all" in page
    assert "1,300" not in page
