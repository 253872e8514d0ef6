"""Planted faults in what rows say: personal data, canaries, refusals, another language, benchmark items, copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.curate.index_store import answer_index, benchmark_index
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.errors import ConfigError
from factory.publish.gates.batch import GATE_COLUMNS
from factory.publish.gates.canaries import canary_name, folded_text, read_canaries
from factory.publish.gates.config import GateConfig
from factory.publish.gates.refusals import beginning, refusal_pattern
from factory.publish.gates.results import GateResult
from factory.publish.gates.step import GateStep
from factory.publish.gates.verbatim import longest_run
from factory.run.compose import compose
from factory.run.outputs import fetch_texts
from factory.select.config import LanguageConfig, PiiConfig
from factory.select.language import language_filter
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.publish.gates.samples import clean, measured
from tests.publish.world import World


def said(result: GateResult) -> str:
    return " ".join((result.meaning, *result.evidence))


def test_personal_data_is_counted_by_kind_and_never_shown() -> None:
    rows = clean(20)
    rows[2]["answer"] += " Write to jane.roe@corp-mail.org or call +1 415 555 2671 for more."
    rows[9]["concepts"] = ["john.smith@corp-mail.org"]
    rows[11]["answer"] += " Write to <EMAIL> for more."
    gate = measured(rows, GateStep(GateConfig()))["max_personal_data"]
    assert (gate.measured, gate.passed, gate.severity) == (2 / 20, False, "warn")
    assert gate.evidence[0].startswith("email in 2 rows")
    assert {line.split(":")[0] for line in gate.evidence[1:]} == {rows[2]["sample_id"], rows[9]["sample_id"]}
    for secret in ("jane", "roe", "smith", "corp-mail", "555", "2671"):
        assert secret not in said(gate)


def test_kinds_and_exceptions_of_select_hold_here_too() -> None:
    rows = clean(4)
    rows[0]["answer"] += " Write to help@corp-mail.org for more."
    allowed = GateStep(GateConfig(), pii=PiiConfig(allow_domains=("corp-mail.org",)))
    assert measured(rows, allowed)["max_personal_data"].measured == 0


@pytest.mark.parametrize(
    "hidden",
    [
        "Zx-Canary 99Q7 öl",
        "so zx-CANARY\n\t99q7 O\u0308L, they said",
        "ｚｘ-canary 99q7 öl",
        "quotezx-can\u200bary99q7ölunquote",
        "zx\u00a0-\u00adcanary 99q7 öl",
    ],
)
def test_a_canary_is_found_however_it_is_written_and_named_by_its_hash(hidden: str) -> None:
    rows = clean(10)
    rows[4]["answer"] = f"As it happens {hidden} is the answer."
    canaries = read_canaries(("Zx-Canary 99Q7 Öl", "another canary 000"))
    gate = measured(rows, GateStep(GateConfig(), canaries=canaries))["max_canaries"]
    assert (gate.measured, gate.severity, gate.passed) == (1, "error", False)
    assert gate.evidence == (
        "1 of 2 canaries came out",
        f"{rows[4]['sample_id']}: canary {canary_name(folded_text('Zx-Canary 99Q7 Öl'))}",
    )
    assert "99" not in said(gate).replace(rows[4]["sample_id"], "").replace(canary_name(canaries[0]), "")


def test_canaries_come_from_a_file_and_are_in_no_identity(tmp_path: Path) -> None:
    path = tmp_path / "canaries.txt"
    path.write_text("first canary 1\n\nFIRST  canary 1\nsecond canary 2\n")
    canaries = read_canaries(str(path))
    assert canaries == ("firstcanary1", "secondcanary2")
    step = GateStep(GateConfig(canaries=("first canary 1",)), canaries=canaries)
    assert "canary1" not in str(step.identity()).replace(" ", "").lower()
    assert step.identity() != GateStep(GateConfig(), canaries=canaries[:1]).identity()
    assert "secondcanary" not in repr(step)


def test_the_recipe_that_is_published_holds_no_canary() -> None:
    config = compose(["gate.canaries=[first canary 1]"])
    assert config.gate.canaries == ("first canary 1",)
    assert "first canary" not in str(config.recipe())
    assert config.recipe() != compose(["gate.canaries=[other canary 1]"]).recipe()


@pytest.mark.parametrize(
    ("given", "problem"), [(("short",), "number 1"), ((" ",), "no string"), ("/no/such/file", "cannot be read")]
)
def test_canaries_that_cannot_serve_are_said_at_the_start(given: tuple[str, ...] | str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_canaries(given)


REFUSED = (
    "I'm sorry, but I can't assist with that request.",
    "I’m really sorry, I do not have enough information.",
    "Sorry, but the passage is missing.",
    "I apologize for the confusion.",
    "My apologies, the question is unclear.",
    "As an AI language model, I do not hold opinions.",
    "As a large language model trained by Acme, I cannot say.",
    "I am just an AI and cannot open links.",
    "I'm unable to provide an answer without the figure.",
    "I am not able to access the document you mention.",
    "I cannot answer this question.",
    "I can't directly access the table.",
    "I cannot and will not provide that.",
    "**I won't engage with this.**",
    "I don't have access to the text.",
    "Unfortunately, I'm sorry to say this cannot be done.",
    "Please provide the passage that the question is about.",
    "Could you please clarify which function you mean?",
    "I would need more information to solve this.",
    "I must respectfully decline.",
)
ANSWERED = (
    "An AI model is trained by descent on a loss.",
    "The state is a sorry one: no theorem of this kind holds.",
    "I cannot help but notice that 3 divides 9.",
    "We cannot provide a bound without compactness.",
    "It cannot be determined from the data, because the variance is unknown.",
    "In the worst case I is the identity matrix. I am done.",
    "The server is unable to provide the page and answers 404.",
    "An apology is a speech act; Plato's Apology is a defence.",
    "Language models assign probabilities to sequences.",
    "Let I denote an interval. I do not contain 0, so f is bounded.",
)


def test_the_packs_list_finds_refusals_and_lets_answers_pass() -> None:
    pattern = refusal_pattern(load_pack(DomainConfig()).refusals)
    assert [text for text in REFUSED if not pattern.search(beginning(text))] == []
    assert [text for text in ANSWERED if pattern.search(beginning(text))] == []


def test_refusals_are_counted_with_the_words_that_gave_them_away() -> None:
    rows = clean(20)
    for row, text in zip(rows[:5], REFUSED, strict=False):
        row["answer"] = text
    gate = measured(rows, GateStep(GateConfig(), refusals=load_pack(DomainConfig()).refusals))["max_refusals"]
    assert (gate.measured, gate.passed) == (0.25, False)
    assert "I'm sorry" in gate.evidence[0]
    assert "max_refusals" not in measured(rows, GateStep(GateConfig()))


GERMAN = (
    "Der Satz besagt, dass jede beschränkte Folge eine konvergente Teilfolge besitzt. Der Beweis verwendet eine "
    "Intervallschachtelung und die Vollständigkeit der reellen Zahlen, weshalb er sich nicht übertragen lässt."
)


def test_rows_in_another_language_are_found_and_formulas_are_not(local_store: LocalStore) -> None:
    rows = clean(20)
    rows[3]["answer"] = GERMAN
    rows[5]["answer"] = r"$x_{n+1} = \frac{1}{2}\left(x_n + \frac{a}{x_n}\right)$"
    file = language_filter(LanguageConfig(languages=("en",))).file
    step = GateStep(GateConfig(), languages=("en",), language_file=file)
    step.prepare(local_store)
    gate = measured(rows, step, local_store)["max_other_language"]
    assert gate.measured == 1 / 20
    assert gate.evidence == ("of all 20 rows", f"{rows[3]['sample_id']}: answer in de")
    both = GateStep(GateConfig(), languages=("en", "de"), language_file=file)
    assert measured(rows, both, local_store)["max_other_language"].measured == 0


def test_benchmark_items_left_are_found_in_questions_and_answers(tmp_path: Path, local_store: LocalStore) -> None:
    item = "Natalia sold clips to forty-eight of her friends in April, and then half as many in May. How many now?"
    solution = "Natalia sold half of forty-eight clips in May, which makes twenty-four; in all she sold seventy-two."
    path = tmp_path / "bench.jsonl"
    path.write_text(f'{{"id": "b1", "question": "{item}", "solution": "{solution}"}}\n')
    config = BenchmarkConfig(name="bench", path=str(path), fields=("question",), answer_fields=("solution",))
    rules = DecontaminationConfig()
    step = GateStep(
        GateConfig(), benchmarks=benchmark_index((config,), rules), benchmark_answers=answer_index((config,), rules)
    )
    step.prepare(local_store)
    rows = clean(20)
    rows[1]["question"] = item
    rows[2]["answer"] = f"Consider this: {item}"
    rows[3]["answer"] = f"{solution} That is all."
    results = measured(rows, step, local_store)
    questions, answers = results["max_contaminated_questions"], results["max_contaminated_answers"]
    assert (questions.measured, questions.severity, questions.passed) == (1, "error", False)
    assert questions.evidence[0].startswith(f"{rows[1]['sample_id']}: bench b1, exact")
    assert (answers.measured, answers.severity) == (2, "warn")
    results = measured(clean(20), step, local_store)
    assert results["max_contaminated_questions"].measured == results["max_contaminated_answers"].measured == 0


def test_the_longest_run_of_words_is_counted_across_case_and_punctuation() -> None:
    source = "First, we order the points by angle; then we go around them, once, and keep a stack of turns."
    assert longest_run("So: WE GO AROUND THEM once and keep nothing.", [source]) == 7
    assert longest_run("Nothing of it", [source]) == 1
    assert longest_run("", [source]) == longest_run("words", []) == 0
    assert longest_run("a stack of turns", ["a stack", source]) == 4


def test_copied_passages_are_found_in_answers_and_in_questions_that_were_not_extracted(world: World) -> None:
    files = [output.file.key for output in world.outputs("samples")]
    rows = [row for key in files for row in read_parquet(world.store, key, GATE_COLUMNS).to_pylist()]
    for row in rows:
        row["answer"] = "Nothing of it."
    step = GateStep(GateConfig(verbatim_words=8))
    assert measured(rows, step, world.store)["max_verbatim_share"].measured == 0
    text_of = {tuple(row["doc_ids"]): fetch_texts(world.store, row["lineage"]["sources"]).values() for row in rows}
    ids, text = next((ids, " ".join(texts)) for ids, texts in text_of.items() if len(" ".join(texts).split()) > 8)
    copied = [row for row in rows if tuple(row["doc_ids"]) == ids]
    copies = [{"answer": f"It is so: {text.upper()}"}, {"question": text}, {"question": text, "origin": "extracted"}]
    for row, change in zip(copied, copies, strict=False):
        row |= change
    gate = measured(rows, step, world.store)["max_verbatim_share"]
    assert gate.measured == pytest.approx(2 / len(rows))
    assert "the longest run is" in gate.evidence[0]
    assert len(gate.evidence) == 3
